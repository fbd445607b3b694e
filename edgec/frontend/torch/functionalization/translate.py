"""Translates programs to ONNX by calling the steps of torch's exporter individually, without the unnecessary ones.

`torch.onnx.export` reads the source code of its 600 translations and lists every decomposition, which takes a tenth of
a build. For a functional program only the translations of its own operators are registered. The signature of an ONNX
operator is created once rather than for every node.
"""

from __future__ import annotations

import functools

import onnx
import onnx_ir as ir
from onnxscript.version_converter import convert_version
from torch.export import ExportedProgram
from torch.onnx._internal.exporter import _core, _fx_passes
from torch.onnx._internal.exporter._registration import ONNXRegistry

from edgec.frontend.naming import separate_weights
from edgec.frontend.torch.functionalization.complex_numbers import split_complex
from edgec.frontend.torch.functionalization.exporter_registry import full_registry, registry_for
from edgec.frontend.torch.functionalization.type_promotion import insert_type_promotions
from edgec.frontend.torch.functionalization.untranslated import check_translated
from edgec.frontend.torch.patches import patched
from edgec.frontend.torch.state.buffers import mark_updates
from edgec.ir.model import OPSET


def translate(program: ExportedProgram) -> ir.Model:
    """Translate a program without operators to decompose; type promotions are inserted in its graph in place.

    Raises what torch's exporter raises.
    """
    split_complex(program)
    insert_type_promotions(program)
    _fx_passes.remove_assertion_nodes(program.graph_module)
    registry = registry_for({node.target for node in program.graph.nodes if node.op == "call_function"})
    return _converted(program, registry)


def translate_decomposed(program: ExportedProgram) -> ir.Model:
    """Translate any program: torch traces it again, which makes it functional and decomposes unsupported operators."""
    registry = full_registry()
    prepared = _core._prepare_exported_program_for_export(program, registry=registry)
    split_complex(prepared)
    return _converted(prepared, registry)


def _converted(program: ExportedProgram, registry: ONNXRegistry) -> ir.Model:
    """In the working opset, with buffer updates marked, since the version converter drops unused values."""
    check_translated(program, registry)
    with patched() as patches:
        patches.replace("onnx_ir.schemas.OpSignature.from_op_schema", _signature)
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


def _signature(schema: onnx.defs.OpSchema) -> ir.schemas.OpSignature:
    return _signature_of(schema.domain, schema.name, schema.since_version)


@functools.cache
def _signature_of(domain: str, name: str, version: int) -> ir.schemas.OpSignature:
    return _from_schema(onnx.defs.get_schema(name, version, domain))


_from_schema = ir.schemas.OpSignature.from_op_schema
"""The original function, which is replaced by a cached one."""
