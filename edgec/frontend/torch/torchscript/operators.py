"""TorchScript's operators on Python values, and the dispatch of tensor operators to torch."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import torch

from edgec.diag import error
from edgec.frontend.torch.autograph.operators.select import UNDEFINED
from edgec.frontend.torch.torchscript import transformers

Function = Callable[[Any, list[Any]], tuple[Any, ...]]

NUMBERS: dict[str, type] = {
    "aten::Bool": bool,
    "aten::Int": int,
    "aten::Float": float,
    "aten::IntImplicit": int,
    "aten::FloatImplicit": float,
    "aten::ScalarImplicit": object,
    "aten::item": object,
}
"""Operators that convert a tensor to a number."""

_SCALAR: dict[str, Callable[..., Any]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
    "floordiv": operator.floordiv,
    "floor_divide": operator.floordiv,
    "remainder": operator.mod,
    "pow": operator.pow,
    "neg": operator.neg,
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
    "__and__": operator.and_,
    "__or__": operator.or_,
    "__xor__": operator.xor,
    "__not__": operator.not_,
    "__is__": operator.is_,
    "__isnot__": operator.is_not,
    "__contains__": operator.contains,
    "__getitem__": operator.getitem,
    "len": len,
    "list": list,
    "ceil": math.ceil,
    "floor": math.floor,
    "sqrt": math.sqrt,
    "log": math.log,
    "exp": math.exp,
    "abs": abs,
    "round": round,
    "Bool": bool,
    "Int": int,
    "Float": float,
    "str": str,
    "keys": lambda table: list(table),
    "values": lambda table: list(table.values()),
    "items": lambda table: list(table.items()),
}
"""Operators on Python numbers, strings, lists and dictionaries."""


_NUMBERS_OF_SCHEMA = ("int", "float", "bool", "number")


def apply(node: Any, arguments: list[Any]) -> tuple[Any, ...]:
    """Run one operator: Python's own if no operand is a tensor, otherwise torch's.

    Raises `EdgecError` E0202 for an operator that neither supports.
    """
    domain, _, name = node.kind().partition("::")
    if name in _SCALAR and not any(_holds_tensor(a) for a in arguments[:1] + arguments[1:2]):
        return (_SCALAR[name](*arguments),)
    if name in ("__getitem__", "len") and isinstance(arguments[0], list | tuple | dict):
        return (_SCALAR[name](*arguments),)
    if name == "add" and isinstance(arguments[0], list):
        return (arguments[0] + arguments[1],)
    if name in ("__is__", "__isnot__"):
        return (_SCALAR[name](*arguments),)
    packet = getattr(getattr(torch.ops, domain, None), name, None)
    if packet is None:
        raise error("E0202", f"the TorchScript operator `{node.kind()}` is unknown", notes=[str(node).strip()[:160]])
    if name == "scaled_dot_product_attention":
        packet = _attention
    result = _called(packet, node.schema(), arguments)
    count = node.outputsSize()
    return (result,) if count == 1 else tuple(result or ())


def _called(packet: Any, schema: str, arguments: list[Any]) -> Any:
    """Call the overload of the node; TorchScript passes keyword-only arguments by position."""
    if "(" not in schema or packet is _attention:
        return packet(*arguments)
    parsed = torch._C.parse_schema(schema)
    if any(
        str(a.type) in _NUMBERS_OF_SCHEMA and isinstance(v, torch.Tensor)
        for a, v in zip(parsed.arguments, arguments, strict=False)
    ):
        return packet(*arguments)  # a data-dependent number is a tensor here
    overload = getattr(packet, parsed.overload_name or "default", packet)
    keywords = [a.name for a in parsed.arguments if a.kwarg_only]
    count = len(parsed.arguments) - len(keywords)
    return overload(*arguments[:count], **dict(zip(keywords, arguments[count:], strict=True)))


def _attention(*arguments: Any) -> torch.Tensor:
    """In terms of the public function, which exports can see."""
    query, key, value, mask, dropout, causal, *rest = (*arguments, *[None] * 6)[:8]
    scale = rest[0] if rest else None
    return torch.nn.functional.scaled_dot_product_attention(
        query, key, value, attn_mask=mask, dropout_p=dropout or 0.0, is_causal=bool(causal), scale=scale,
        enable_gqa=bool(rest[1]) if len(rest) > 1 else False,
    )  # fmt: skip


def _holds_tensor(value: Any) -> bool:
    return isinstance(value, torch.Tensor) or (
        isinstance(value, list | tuple) and any(isinstance(v, torch.Tensor) for v in value)
    )


def _append(node: Any, arguments: list[Any]) -> tuple[Any, ...]:
    arguments[0].append(arguments[1])
    return (arguments[0],)


def _set_item(node: Any, arguments: list[Any]) -> tuple[Any, ...]:
    arguments[0][arguments[1]] = arguments[2]
    return (arguments[0],) if node.outputsSize() else ()


def _list_slice(node: Any, arguments: list[Any]) -> tuple[Any, ...]:
    if isinstance(arguments[0], torch.Tensor):
        return apply(node, arguments)
    start, stop, step = (*arguments[1:], None, None, None)[:3]
    return (arguments[0][start:stop:step],)


def _raise(node: Any, arguments: list[Any]) -> tuple[Any, ...]:
    raise RuntimeError(str(arguments[0]))


def _dictionary(node: Any, arguments: list[Any]) -> tuple[Any, ...]:
    return (dict(zip(arguments[::2], arguments[1::2], strict=True)),)


def _extreme(plain: Callable[..., Any], tensor: Callable[..., Any]) -> Function:
    def run(node: Any, arguments: list[Any]) -> tuple[Any, ...]:
        if any(isinstance(a, torch.Tensor) for a in arguments):
            return (tensor(*(torch.as_tensor(a) for a in arguments)),)
        return (plain(*arguments),)

    return run


def _tensor(node: Any, arguments: list[Any]) -> tuple[Any, ...]:
    """`torch.tensor(value)`, whose value may depend on data."""
    if not _holds_tensor(arguments[0]):
        return apply(node, arguments)
    value = arguments[0]
    made = value.clone() if isinstance(value, torch.Tensor) else torch.stack([torch.as_tensor(v) for v in value])
    return (made if arguments[1] is None else torch.ops.aten.to.dtype(made, arguments[1]),)


_DTYPES = (
    torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.float16, torch.float32, torch.float64,
    torch.complex32, torch.complex64, torch.complex128, torch.bool, torch.qint8, torch.quint8, torch.qint32,
    torch.bfloat16,
)  # fmt: skip
"""Element types by their number (c10/core/ScalarType.h), which TorchScript compares and passes."""

_LAYOUTS = (torch.strided, torch.sparse_coo)
"""Likewise (c10/core/Layout.h)."""

PYTHON: dict[str, Function] = {
    "aten::tensor": _tensor,
    "aten::_native_multi_head_attention": transformers.attention,
    "aten::_transformer_encoder_layer_fwd": transformers.encoder_layer,
    "aten::_convolution": lambda node, a: (torch.ops.aten.convolution(*a[:9]),),  # without the flags for CUDA
    "prim::ListConstruct": lambda node, a: (list(a),),
    "prim::TupleConstruct": lambda node, a: (tuple(a),),
    "prim::DictConstruct": _dictionary,
    "prim::ListUnpack": lambda node, a: tuple(a[0]),
    "prim::TupleUnpack": lambda node, a: tuple(a[0]),
    "prim::TupleIndex": lambda node, a: (a[0][a[1]],),
    "prim::NumToTensor": lambda node, a: (torch.as_tensor(a[0]),),
    "prim::Uninitialized": lambda node, a: (UNDEFINED,),
    "prim::unchecked_cast": lambda node, a: (a[0],),
    "prim::RaiseException": _raise,
    "prim::Print": lambda node, a: (),
    "prim::device": lambda node, a: (a[0].device,),
    "prim::dtype": lambda node, a: (_DTYPES.index(a[0].dtype),),
    "prim::layout": lambda node, a: (_LAYOUTS.index(a[0].layout),),
    "prim::data": lambda node, a: (a[0].detach(),),
    "prim::is_cuda": lambda node, a: (False,),
    "prim::min": _extreme(min, torch.minimum),
    "prim::max": _extreme(max, torch.maximum),
    "aten::size": lambda node, a: (a[0].size(*a[1:]) if len(a) > 1 else list(a[0].size()),),
    "aten::dim": lambda node, a: (a[0].dim(),),
    "aten::numel": lambda node, a: (a[0].numel(),),
    "aten::is_floating_point": lambda node, a: (a[0].is_floating_point(),),
    "aten::append": _append,
    "aten::_set_item": _set_item,
    "aten::format": lambda node, a: (str(a[0]).format(*a[1:]),),
    "aten::warn": lambda node, a: (),
    "aten::slice": _list_slice,
}
"""Nodes that are implemented in Python rather than by tensor operators."""
