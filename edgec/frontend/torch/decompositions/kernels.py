"""User-defined operators that remain calls, for backends that have a kernel for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import onnx_ir as ir
import torch
from torch.fx import Node
from torch.utils import _pytree as pytree

from edgec.diag import error
from edgec.extension import TFLiteKernel, TorchOperator
from edgec.frontend.torch.functionalization.mutations import writes
from edgec.frontend.torch.fx_call import place_in_source
from edgec.frontend.user_code import user_code
from edgec.ir.kernels import OWN, Kernel, as_metadata
from edgec.ir.model import OPSET, Model


class Body(torch.nn.Module):
    """A call as a module whose only inputs are tensors, computed as the user's extension defines."""

    def __init__(self, node: Node, said: TorchOperator) -> None:
        super().__init__()
        self._leaves, self._spec = pytree.tree_flatten((node.args, node.kwargs), is_leaf=_is_node)
        self._said = said
        self.nodes = [leaf for leaf in self._leaves if _is_node(leaf)]

    def forward(self, *tensors: torch.Tensor) -> Any:
        """The operator's results."""
        given = iter(tensors)
        leaves = [next(given) if _is_node(leaf) else leaf for leaf in self._leaves]
        args, kwargs = pytree.tree_unflatten(leaves, self._spec)
        return self._said.compute(*args, **kwargs)


def exported_body(node: Node, said: TorchOperator) -> tuple[Body, torch.export.ExportedProgram]:
    """The call as a program. Raises `EdgecError` E0202 for tensors of dynamic size, E0201 if it fails."""
    if writes(node):
        raise error(
            "E0202",
            f"`{said.name}` changes an argument, which a TFLite kernel cannot do",
            place=place_in_source(node),
            notes=["rejected by `kernel-in-place`"],
            help=["return a new tensor from the operator, or remove `tflite=` from its `torch_operator`"],
        )
    body = Body(node, said)
    values = [n.meta["val"] for n in body.nodes]
    results = pytree.tree_leaves(node.meta["val"])
    if any(not isinstance(size, int) for v in (*values, *results) for size in v.shape):
        raise error(
            "E0202",
            f"`{said.name}` has open sizes, which custom kernels do not support",
            place=place_in_source(node),
            notes=["rejected by `kernel-open-size`"],
            help=["remove `tflite=` from its `torch_operator`, so that its definition is decomposed, or fix the sizes"],
        )
    given = tuple(torch.zeros(v.shape, dtype=v.dtype) for v in values)
    with user_code(f"computing `{said.name}` by its extension"), torch.no_grad():
        return body, torch.export.export(body, given, strict=False)


def called(node: Node, said: TorchOperator, name: str) -> Any:
    """Computes a call of the function `name`, with the information that the kernel needs."""
    assert said.tflite is not None
    backend = type(said.tflite).__name__.removesuffix("Kernel").lower()  # kernel types are named after their backends
    kernel = Kernel(backend, said.tflite.code, _options(node, said, said.tflite))
    results = pytree.tree_leaves(node.meta["val"])

    def compute(*args: Any, **kwargs: Any) -> Any:
        tensors = [leaf for leaf in pytree.tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        found = torch.onnx.ops.symbolic_multi_out(
            f"{OWN}::{name}",
            tensors,
            dtypes=[v.dtype for v in results],
            shapes=[list(v.shape) for v in results],
            version=1,
            metadata_props=as_metadata(said.name, kernel),
        )
        return found[0] if isinstance(node.meta["val"], torch.Tensor) else list(found)

    return compute


def _options(node: Node, said: TorchOperator, kernel: TFLiteKernel) -> bytes:
    """The option bytes passed to the kernel: a dict becomes a FlexBuffer, as in TFLite's own custom operators."""
    args, kwargs = torch.fx.node.map_arg((node.args, node.kwargs), lambda n: n.meta["val"])
    with user_code(f"the options of `{said.name}`"):
        found = kernel.options(*args, **kwargs) if callable(kernel.options) else kernel.options
        if isinstance(found, Mapping):
            from flatbuffers import flexbuffers

            return bytes(flexbuffers.Dumps(dict(found)))
        return bytes(found)


def add_body(model: Model, body: Model, name: str) -> None:
    """Add the computation of the calls of `name` as a function of the model, with its weights as constants."""
    graph = body.graph
    for weight in list(graph.initializers.values()):
        assert weight.const_value is not None
        constant = ir.Node("", "Constant", [], [ir.AttrTensor("value", weight.const_value)], num_outputs=1)
        constant.outputs[0].type, constant.outputs[0].shape = weight.type, weight.shape
        weight.replace_all_uses_with(constant.outputs[0])
        graph.insert_before(next(iter(graph)), constant)
    graph.initializers.clear()
    graph.opset_imports.setdefault("", OPSET)
    function = ir.Function(OWN, name, graph=graph, attributes=())
    model.functions[function.identifier()] = function
    model.opset_imports.setdefault(OWN, 1)


def _is_node(leaf: Any) -> bool:
    return isinstance(leaf, Node)
