"""From an `nn.Module` to a graph: `torch.export`, then the exporter's ONNX, with the interface's names settled."""

from __future__ import annotations

import contextlib
import inspect
import io
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx_ir as ir
import torch
from torch.utils import _pytree as pytree

from edgec.diag import EdgecError, error
from edgec.frontend.attention import FoldHighRankAttention
from edgec.frontend.captured import Array, Captured, SourceId
from edgec.frontend.inputs import InputSpec, match_specs
from edgec.ir.model import OPSET


@dataclass(frozen=True)
class ExportRequest:
    """A module with its example inputs (None when `specs` describe them)."""

    name: str
    source: SourceId
    module: torch.nn.Module
    inputs: Any
    specs: Sequence[InputSpec] = ()


@dataclass(frozen=True)
class Call:
    """How the module is called: `forward(*args, **kwargs)`."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any] = field(default_factory=dict)

    def tensors(self) -> list[torch.Tensor]:
        """The tensors of the call in the order in which torch.export flattens them."""
        return [leaf for leaf in pytree.tree_leaves((self.args, self.kwargs)) if isinstance(leaf, torch.Tensor)]

    def with_tensors(self, tensors: Sequence[torch.Tensor]) -> Call:
        """The same call on other tensors."""
        leaves, spec = pytree.tree_flatten((self.args, self.kwargs))
        fresh = iter(tensors)
        replaced = [next(fresh) if isinstance(leaf, torch.Tensor) else leaf for leaf in leaves]
        args, kwargs = pytree.tree_unflatten(replaced, spec)
        return Call(args, kwargs)


class TorchReference:
    """The eager module in float32 on the CPU."""

    name = "pytorch"

    def __init__(self, module: torch.nn.Module, call: Call, inputs: Sequence[str], outputs: Sequence[str]) -> None:
        self._module, self._call = module, call
        self._inputs, self._outputs = tuple(inputs), tuple(outputs)

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Call the module on arrays named as the graph's inputs."""
        tensors = [torch.from_numpy(np.ascontiguousarray(inputs[name])) for name in self._inputs]
        call = self._call.with_tensors(tensors)
        with torch.no_grad():
            result = self._module(*call.args, **call.kwargs)
        return dict(zip(self._outputs, (t.numpy() for t in _output_tensors(result)), strict=True))


def export_module(request: ExportRequest) -> Captured:
    """Export a module. Raises `EdgecError` E0107 for its inputs, E0201 when it fails eagerly, E0202 for the export."""
    module = request.module
    call = example_call(module, request)
    outputs = _run_eagerly(module, call)
    with _quiet():
        model = _export(module, call)
    names = _name_interface(model, outputs)
    examples = dict(zip(names, (t.detach().numpy() for t in call.tensors()), strict=True))
    reference = TorchReference(module, call, names, [v.name or "" for v in model.graph.outputs])
    return Captured(request.name, request.source, model, reference, examples)


def example_call(module: torch.nn.Module, request: ExportRequest) -> Call:
    """The example call: what came with the model, or seeded samples of `--input`."""
    given = request.inputs
    if isinstance(given, dict) and not request.specs:
        return Call((), dict(given))
    if given is not None and not request.specs:
        return Call(tuple(given) if isinstance(given, tuple | list) else (given,))
    names = _required_parameters(module)
    if not request.specs:
        raise error(
            "E0107",
            f"`{request.source.ref}` comes without example inputs",
            help=[
                " ".join(f"--input {n}=SHAPE" for n in names) + " gives them",
                "or return `(module, example_inputs)`",
            ],
        )
    known = [
        n for n in inspect.signature(module.forward).parameters if n in names or n in {s.name for s in request.specs}
    ]
    rng = np.random.default_rng(0)
    return Call((), {s.name: torch.from_numpy(s.sample(rng)) for s in match_specs(known, request.specs)})


def _required_parameters(module: torch.nn.Module) -> list[str]:
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.KEYWORD_ONLY)
    parameters = inspect.signature(module.forward).parameters.values()
    return [p.name for p in parameters if p.default is inspect.Parameter.empty and p.kind in kinds]


def _run_eagerly(module: torch.nn.Module, call: Call) -> Any:
    from edgec.frontend.python_source import user_code

    with user_code("running the model on its example inputs"), torch.no_grad():
        return module(*call.args, **call.kwargs)


def _export(module: torch.nn.Module, call: Call) -> ir.Model:
    from edgec.frontend.python_source import place_of_failure

    try:
        with torch.no_grad(), FoldHighRankAttention():
            exported = torch.export.export(module, call.args, call.kwargs, strict=False)
        program = torch.onnx.export(exported, dynamo=True, optimize=False, opset_version=OPSET, verbose=False)
    except Exception as failure:  # torch raises anything from RuntimeError to its own private classes
        cause = failure
        while cause.__cause__ is not None:
            cause = cause.__cause__  # type: ignore[assignment]
        lines = [line for line in str(cause).strip().splitlines() if line.strip()]
        raise error(
            "E0202",
            f"torch could not export the model: {type(cause).__name__}",
            place=place_of_failure(cause),
            notes=lines[:3],
        ) from failure
    assert program is not None
    return program.model


def _output_tensors(result: Any) -> list[torch.Tensor]:
    return [leaf for leaf in pytree.tree_leaves(result) if isinstance(leaf, torch.Tensor)]


def output_names(result: Any) -> list[str]:
    """Names for a model's results: a dictionary's keys, `output` for a single tensor, else `output_0`, …."""
    paths, _ = pytree.tree_flatten_with_path(result)
    tensors = [path for path, leaf in paths if isinstance(leaf, torch.Tensor)]
    names = []
    for i, path in enumerate(tensors):
        keys = [str(k.key) for k in path if isinstance(k, pytree.MappingKey)]
        keys += [str(k.idx) for k in path if isinstance(k, pytree.SequenceKey)] if keys else []
        names.append("_".join(keys) or (f"output_{i}" if len(tensors) > 1 else "output"))
    return names


def _name_interface(model: ir.Model, result: Any) -> list[str]:
    """Give the graph's outputs their names; returns the names of the inputs."""
    graph = model.graph
    taken = {v.name for v in graph.inputs}
    for value, name in zip(graph.outputs, output_names(result), strict=True):
        wanted = name if name not in taken else f"{name}_out"
        for node in graph:
            for out in node.outputs:
                if out is not value and out.name == wanted:
                    out.name = f"{wanted}_inner"
        if value.producer() is not None:
            value.name = wanted
    return [v.name or "" for v in graph.inputs]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """torch and onnxscript talk on stdout, stderr and in logs of things that a user of edgec cannot act on."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "torch.onnx._internal", "onnxscript", "torch.export")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    except EdgecError:
        raise
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
