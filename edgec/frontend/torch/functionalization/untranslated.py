"""Reports all operators that have no ONNX translation, each with its line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch.export import ExportedProgram
from torch.fx import GraphModule, Node
from torch.onnx._internal.exporter._registration import ONNXRegistry

from edgec.diag import Diagnostic, EdgecError
from edgec.frontend.extensions import WAY_OUT
from edgec.frontend.torch.functionalization.exporter_registry import registry_for
from edgec.frontend.torch.fx_call import place_in_source


def check_translated(program: ExportedProgram, registry: ONNXRegistry) -> None:
    """Raise `EdgecError` E0202 listing every operator of the program that the exporter does not support."""
    _check(node for node in _calls(program) if not _is_in(registry, node))


def check_own(program: ExportedProgram) -> None:
    """Report unsupported operators of other libraries before torch makes the program functional, which fails for those
    that mutate an argument.
    """
    own = [node for node in _calls(program) if _library(node) not in _TORCH and not _is_composite(node)]
    registry = registry_for({node.target for node in own})
    _check(node for node in own if not _is_in(registry, node))


_TORCH = ("aten", "prims")


def _calls(program: ExportedProgram) -> Iterator[Node]:
    for module in program.graph_module.modules():
        if isinstance(module, GraphModule):
            yield from (node for node in module.graph.nodes if isinstance(node.target, torch._ops.OpOverload))


def _is_in(registry: ONNXRegistry, node: Node) -> bool:
    assert isinstance(node.target, torch._ops.OpOverload)
    return bool(registry.get_decomps(node.target))


def _check(unknown: Iterable[Node]) -> None:
    if refused := [_refusal(node) for node in unknown]:
        raise EdgecError(refused)


def _library(node: Node) -> str:
    assert isinstance(node.target, torch._ops.OpOverload)
    return node.target.namespace


def _is_composite(node: Node) -> bool:
    """Whether torch decomposes the operator itself."""
    assert isinstance(node.target, torch._ops.OpOverload)
    return bool(node.target.has_kernel_for_dispatch_key(torch._C.DispatchKey.CompositeImplicitAutograd))


def _refusal(node: Node) -> Diagnostic:
    assert isinstance(node.target, torch._ops.OpOverload)
    own, name = _library(node) not in _TORCH, str(node.target._schema.name)
    message = f"the operator `{name}` has no definition" if own else f"`{node.target}` has no ONNX equivalent"
    label = "own-operator" if own else f"{name.partition('::')[2].replace('_', '-')}-no-onnx"
    return Diagnostic("E0202", message, place_in_source(node), (f"rejected by `{label}`",), (WAY_OUT,))
