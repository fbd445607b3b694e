"""The exporter's translation of a functional program, with the translations of that program's operators alone.

`torch.onnx.export` reads the source of all of its 600 translations, and lists every decomposition, before it begins: a
tenth of a build. The parts of the exporter that do the work are called here one by one, in its order.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from typing import Any

import onnx_ir as ir
import torch
from onnxscript.function_libs.torch_lib import ops as _every_translation  # noqa: F401 (fills the registry)
from onnxscript.function_libs.torch_lib.registration import default_registry
from onnxscript.version_converter import convert_version
from torch.export import ExportedProgram
from torch.onnx._internal.exporter import _core, _fx_passes
from torch.onnx._internal.exporter._registration import OnnxDecompMeta, ONNXRegistry
from torch.onnx._internal.exporter._torchlib._torchlib_registry import get_torchlib_ops

from edgec.frontend.held import mark_updates
from edgec.ir.model import OPSET


def translate(program: ExportedProgram) -> ir.Model:
    """The ONNX of a program that has nothing to decompose; its graph gets type promotions in place.

    Raises what torch's exporter raises.
    """
    _fx_passes.insert_type_promotion_nodes(program.graph_module)
    _fx_passes.remove_assertion_nodes(program.graph_module)
    registry = registry_for({node.target for node in program.graph.nodes if node.op == "call_function"})
    return _converted(program, registry)


def translate_decomposed(program: ExportedProgram) -> ir.Model:
    """The same of any program: torch traces it once more, which makes it functional and of translated operators."""
    registry = ONNXRegistry.from_torchlib(opset_version=OPSET)
    return _converted(_core._prepare_exported_program_for_export(program, registry=registry), registry)


def _converted(program: ExportedProgram, registry: ONNXRegistry) -> ir.Model:
    """In the working opset, updates of buffers marked: the version converter drops what no output needs."""
    model: ir.Model = _core._exported_program_to_onnx_program(program, registry=registry).model
    graph = model.graph
    own, updates = len(graph.outputs), program.graph_signature.buffers_to_mutate
    made = {out.name: out for node in graph for out in node.outputs}
    graph.outputs.extend(made[name] for name in updates if name in made and made[name] not in list(graph.outputs))
    convert_version(model, OPSET, fallback=True)
    mark_updates(model, updates)
    while len(model.graph.outputs) > own:
        model.graph.outputs.pop()
    return model


def registry_for(operators: Set[Any]) -> ONNXRegistry:
    """What the exporter makes of its two libraries, its own before onnxscript's, for these operators."""
    registry = ONNXRegistry()
    registry._opset_version = OPSET
    for translation in (*get_torchlib_ops(), *_from_onnxscript(operators)):
        if translation.fx_target in operators:
            registry._register(translation.fx_target, translation)
    registry._cleanup_registry_based_on_opset_version()
    return registry


def _from_onnxscript(operators: Set[Any]) -> Iterator[OnnxDecompMeta]:
    names = {_name(operator): operator for operator in operators}
    for name, found in default_registry.items():
        if name in names:
            for functions, is_complex in ((found.overloads, False), (found.complex, True)):
                for function in functions:
                    yield OnnxDecompMeta(function, names[name], signature=None, is_complex=is_complex)


def _name(operator: Any) -> str:
    """The name that onnxscript registers translations by: `aten::add.Tensor`, `_operator::getitem`."""
    if isinstance(operator, torch._ops.OpOverload):
        return str(operator.name())  # type: ignore[no-untyped-call]
    return f"{operator.__module__}::{operator.__name__}"
