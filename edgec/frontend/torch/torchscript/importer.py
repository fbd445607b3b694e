"""Imports TorchScript files."""

from __future__ import annotations

import re
import zipfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils import _pytree as pytree

from edgec.diag import Diagnostic, Place, error, warning
from edgec.diag.foreign import said
from edgec.frontend.archives import BROKEN, is_archive
from edgec.frontend.imported import ImportedModel, SourceId
from edgec.frontend.request import SourceRequest, source_name
from edgec.frontend.samples.inputs import match_specs
from edgec.frontend.torch.autograph.replacement import Rewritten
from edgec.frontend.torch.call import TorchReference
from edgec.frontend.torch.checkpoint import executes_code
from edgec.frontend.torch.export import export_module
from edgec.frontend.torch.request import ExportRequest
from edgec.frontend.torch.state.probe import are_near
from edgec.frontend.torch.torchscript.interpreter import ScriptGraph
from edgec.spec.reads import file_sha256


def import_torchscript(path: Path, request: SourceRequest) -> ImportedModel:
    """Export a scripted or traced archive; the archive itself, run by torch, is the reference.

    In half precision, the reference is instead the graph's nodes, executed one by one in float32.

    Raises `EdgecError` E0103 (a state dict, not a model), E0203 (unreadable), E0204 (pickled objects), E0107 (inputs).
    """
    _check_kind(path)
    script = _load(path)
    inputs = _examples(_arguments(script), request, path.name)
    return export_script(script, inputs, request, SourceId("torchscript", request.ref, file_sha256(path)))


def export_script(script: Any, inputs: tuple[Any, ...], request: SourceRequest, source: SourceId) -> ImportedModel:
    """Export a scripted or traced module, with `inputs` for its parameters in order."""
    given = {a.name: i for a, i in zip(_arguments(script), inputs, strict=True)}
    names = tuple("_".join(map(_key, path)) for path, leaf in _leaves(given) if isinstance(leaf, torch.Tensor))
    graph = ScriptGraph(script)
    if graph.is_quantized:
        raise error(
            "E0202",
            f"`{Path(request.ref).name}` is quantized by torch, with torch's own quantized operators",
            notes=["rejected by `torchscript-quantized`"],
            help=["give the float model; a target such as `android-int8` quantizes it"],
        )
    exporting = ExportRequest(
        source_name(request),
        source,
        graph,
        inputs,
        rewritten=Rewritten(graph.runtime),
        input_names=names,
        extension=request.extension,
        dynamic=request.dynamic,
    )
    imported = export_module(exporting)
    assert isinstance(imported.reference, TorchReference)
    told = [*imported.warnings, *([_unproven(request.ref)] if graph.is_straight else [])]
    if not any(d.code == "E0216" for d in told):  # torch's own interpreter would compute in half precision
        imported = replace(imported, reference=imported.reference.of(script, inside="weights"))
        _check_steady(imported)
    return replace(imported, warnings=tuple(told))


def _check_steady(imported: ImportedModel) -> None:
    """Raise `EdgecError` E0219 if the script, with its states restored, computes other outputs for the same inputs."""
    first, again = (imported.reference.run(imported.examples) for _ in range(2))
    if not are_near([torch.from_numpy(a) for a in first.values()], [torch.from_numpy(a) for a in again.values()]):
        raise error(
            "E0219",
            "the model gives a different result when it is called again on the same inputs",
            notes=["rejected by `memory-hidden`"],
            help=["keep state in a buffer: `register_buffer`"],
        )


def script_inputs(script: Any, inputs: Any, request: SourceRequest) -> tuple[Any, ...]:
    """The arguments for a scripted module: its example inputs, by position or name, or samples for `--input`."""
    arguments = _arguments(script)
    if inputs is None or request.inputs:
        return _examples(arguments, request, request.ref)
    if not isinstance(inputs, dict):
        inputs = inputs if isinstance(inputs, tuple | list) else (inputs,)
        inputs = dict(zip((a.name for a in arguments), inputs, strict=False))
    if missing := [a.name for a in arguments if a.name not in inputs and not a.has_default_value()]:
        raise error("E0107", f"no example for input `{missing[0]}`")
    return tuple(inputs.get(a.name, a.default_value) for a in arguments)


def _fits(tensor: torch.Tensor) -> bool:
    """Whether the elements are within the tensor's own bytes, which torch does not check when loading a file."""
    if tensor.layout is not torch.strided or tensor.is_quantized or tensor.numel() == 0:
        return True
    last = sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True))
    end = (tensor.storage_offset() + last + 1) * tensor.element_size()
    return min(tensor.stride(), default=0) >= 0 and 0 < end <= tensor.untyped_storage().nbytes()


def _are_there(tensors: Sequence[torch.Tensor], path: Path) -> bool:
    """Whether the archive contains as many bytes as the tensors declare, which torch does not check."""
    with zipfile.ZipFile(path) as archive:
        held = Counter(member.file_size for member in archive.infolist())
    storages = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in tensors if t.numel()}
    return not Counter(storages.values()) - held


def _leaves(value: Any) -> Any:
    return pytree.tree_flatten_with_path(value)[0]


def _key(part: Any) -> str:
    return str(part.idx if isinstance(part, pytree.SequenceKey) else part.key)


def _arguments(script: Any) -> list[Any]:
    found: list[Any] = script.forward.schema.arguments[1:]
    return found


def _check_kind(path: Path) -> None:
    """Check that it is a zip file with code in it, as TorchScript archives are."""
    if not is_archive(path):
        with path.open("rb") as file:
            if file.read(1) == _PICKLE:
                raise executes_code(path, "it is a pickle of torch's old format")
        raise error("E0203", f"`{path.name}` is not a TorchScript archive, or is truncated", place=Place(str(path)))
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except BROKEN as failure:
        raise error("E0203", f"`{path.name}` is a broken archive", place=Place(str(path))) from failure
    if any("/code/" in n for n in names):
        return
    if any(n.endswith("/data.pkl") for n in names):
        raise _pickle(path)
    raise error("E0203", f"`{path.name}` is not a TorchScript archive", place=Place(str(path)))


_PICKLE = b"\x80"
"""The first byte of every pickle of protocol 2 or later."""


def _pickle(path: Path) -> Exception:
    """Distinguish a state dict from a pickled module, without unpickling either."""
    from edgec.frontend.torch.checkpoint import read_state

    read_state(path)
    return error(
        "E0103",
        f"`{path.name}` contains weights without the model's code",
        place=Place(str(path)),
        help=[f"give the code and the weights: `edgec build file.py:attr --weights {path.name}`"],
    )


def _load(path: Path) -> Any:
    try:
        load: Any = torch.jit.load
        script = load(str(path), map_location="cpu").eval()
        graph = script.inlined_graph
        str(graph)  # forces its constants to be loaded now
        constants = [node.output().toIValue() for node in graph.findAllNodes("prim::Constant")]
        tensors = [*script.parameters(), *script.buffers(), *(c for c in constants if isinstance(c, torch.Tensor))]
        if not all(map(_fits, tensors)) or not _are_there(tensors, path):
            raise ValueError("a tensor extends beyond its bytes")
        return script
    except (RuntimeError, ValueError, OSError) as failure:
        message, why = f"`{path.name}` is not a readable TorchScript file", said("torch", failure)
        raise error("E0203", message, place=Place(str(path)), notes=[why]) from failure


def _examples(arguments: list[Any], request: SourceRequest, what: str) -> tuple[Any, ...]:
    """Samples for the parameters without default, and for those that `--input` names."""
    given = [s.name for s in request.inputs]
    names = [n for a in arguments for n in _names(a, given)]
    if not request.inputs:
        raise error(
            "E0107",
            f"`{what}` has no example inputs",
            help=[" ".join(f"--input {n}=SHAPE" for n in names) + " gives them"],
        )
    rng = np.random.default_rng(0)
    drawn = {s.name: torch.from_numpy(np.asarray(s.sample(rng))) for s in match_specs(names, request.inputs)}
    return tuple(_argument(a, drawn) for a in arguments)


def _names(argument: Any, given: list[str]) -> list[str]:
    """The names of a parameter in `--input`: its own, or for a structure those of its parts: `d_left`, `rest_0`.

    Raises `EdgecError` E0107 for a parameter that is not a tensor and has no default.
    """
    if _STRUCTURE.match(str(argument.type)):
        return [n for n in given if n.startswith(f"{argument.name}_")] or [f"{argument.name}_KEY"]
    if argument.name in given:
        return [argument.name]
    if argument.has_default_value():
        return []
    if str(argument.type) in ("int", "float", "bool", "str"):
        raise error(
            "E0107",
            f"parameter `{argument.name}` is a Python {argument.type}, which `--input` cannot give",
            help=["give code that loads the file and returns `(torch.jit.load(…), example_inputs)`"],
        )
    return [argument.name]


_STRUCTURE = re.compile(r"(Dict|List|Tuple)\[.*Tensor")


def _argument(argument: Any, drawn: dict[str, torch.Tensor]) -> Any:
    if not _STRUCTURE.match(str(argument.type)):
        return drawn.get(argument.name, argument.default_value)
    prefix = f"{argument.name}_"
    parts = {name.removeprefix(prefix): tensor for name, tensor in drawn.items() if name.startswith(prefix)}
    if str(argument.type).startswith("Dict"):
        return parts
    found = [parts[key] for key in sorted(parts, key=lambda key: (len(key), key))]
    return tuple(found) if str(argument.type).startswith("Tuple") else found


def _unproven(ref: str) -> Diagnostic:
    return warning(
        "E0210",
        f"`{Path(ref).name}` contains no control flow, like a traced model",
        place=Place(ref.rpartition(":")[0] or ref),
        notes=["a tracer keeps only the side of an `if` that its example took, and nothing in the file shows it"],
        help=["build from the Python source, or script the model with `torch.jit.script`, to keep its branches"],
    )
