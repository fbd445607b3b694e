"""The exporter's translation of programs, its parts called one by one in its order, without what it does not need.

`torch.onnx.export` reads the source of each of its 600 translations before it begins, and lists every decomposition: a
tenth of a build. A functional program is given the translations of its own operators alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any

import onnx_ir as ir
import torch
from onnxscript.function_libs.torch_lib import ops as _every_translation  # noqa: F401 (fills the registry)
from onnxscript.function_libs.torch_lib.registration import default_registry
from onnxscript.version_converter import convert_version
from torch.export import ExportedProgram
from torch.onnx._internal.exporter import _core, _fx_passes
from torch.onnx._internal.exporter._registration import OnnxDecompMeta, ONNXRegistry, _get_overload
from torch.onnx._internal.exporter._torchlib._torchlib_registry import get_torchlib_ops

from edgec.frontend.functional.complexes import settle_complex
from edgec.frontend.held import mark_updates
from edgec.frontend.naming import separate_weights
from edgec.ir.model import OPSET


def translate(program: ExportedProgram) -> ir.Model:
    """The ONNX of a program that has nothing to decompose; its graph gets type promotions in place.

    Raises what torch's exporter raises.
    """
    settle_complex(program)
    _fx_passes.insert_type_promotion_nodes(program.graph_module)
    _fx_passes.remove_assertion_nodes(program.graph_module)
    registry = registry_for({node.target for node in program.graph.nodes if node.op == "call_function"})
    return _converted(program, registry)


def translate_decomposed(program: ExportedProgram) -> ir.Model:
    """The same of any program: torch traces it once more, which makes it functional and of translated operators."""
    registry = full_registry()
    prepared = _core._prepare_exported_program_for_export(program, registry=registry)
    settle_complex(prepared)
    return _converted(prepared, registry)


def _converted(program: ExportedProgram, registry: ONNXRegistry) -> ir.Model:
    """In the working opset, updates of buffers marked: the version converter drops what no output needs."""
    model: ir.Model = _core._exported_program_to_onnx_program(program, registry=registry).model
    graph = model.graph
    separate_weights(graph)
    own, updates = len(graph.outputs), program.graph_signature.buffers_to_mutate
    made = {out.name: out for node in graph for out in node.outputs}
    graph.outputs.extend(made[name] for name in updates if name in made and made[name] not in list(graph.outputs))
    convert_version(model, OPSET, fallback=True)
    mark_updates(model, updates)
    while len(model.graph.outputs) > own:
        model.graph.outputs.pop()
    return model


def registry_for(operators: Set[Any]) -> ONNXRegistry:
    """The exporter's registry with the translations of these operators alone."""
    own = [found for found in get_torchlib_ops() if found.fx_target in operators]
    return _filled([*own, *_from_onnxscript({_name(operator): operator for operator in operators})])


def full_registry() -> ONNXRegistry:
    """The exporter's registry, without the source of every translation read, which it asks for and does not use."""
    operators = {name: _get_overload(name) for name, _ in default_registry.items() if not name.startswith("internal::")}
    return _filled([*get_torchlib_ops(), *_from_onnxscript(operators)])


def _filled(translations: Sequence[OnnxDecompMeta]) -> ONNXRegistry:
    registry = ONNXRegistry()
    registry._opset_version = OPSET
    for translation in translations:
        registry._register(translation.fx_target, translation)
    registry._cleanup_registry_based_on_opset_version()
    return registry


def _from_onnxscript(operators: Mapping[str, Any]) -> Iterator[OnnxDecompMeta]:
    """The translations by onnxscript of operators by their names; those that this torch has none of are None."""
    for name, found in default_registry.items():
        operator = operators.get(name)
        if operator is not None:
            for functions, is_complex in ((found.overloads, False), (found.complex, True)):
                for function in functions:
                    yield OnnxDecompMeta(function, operator, signature=None, is_complex=is_complex)


def _name(operator: Any) -> str:
    """The name that onnxscript registers translations by: `aten::add.Tensor`, `_operator::getitem`."""
    if isinstance(operator, torch._ops.OpOverload):
        return str(operator.name())  # type: ignore[no-untyped-call]
    return f"{operator.__module__}::{operator.__name__}"
