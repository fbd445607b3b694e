"""Decompositions on graph nodes, for operators that torch's exporter decomposes by tracing the whole program again.

An entry applies to calls that `DECOMPOSITIONS` does not handle.
"""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable
from typing import Any

import torch
from torch.fx import Node

from edgec.frontend.torch.functionalization.operators import aten
from edgec.frontend.torch.fx_call import call_before


def _batch_norm(node: Node) -> Node | None:
    x, weight, bias, mean, var, training, momentum, eps, _ = node.args
    if training or mean is None or var is None:
        return None
    target = aten._native_batch_norm_legit_no_training.default
    normal = call_before(node, target, x, weight, bias, mean, var, momentum, eps)
    return call_before(node, operator.getitem, normal, 0)


def _adaptive_average(node: Node) -> Node | None:
    x, sizes = node.args[0], node.args[1]
    assert isinstance(sizes, list | tuple)
    if any(size != 1 for size in sizes):
        return None
    return call_before(node, aten.mean.dim, x, list(range(-len(sizes), 0)), True)


def _conversion(node: Node) -> Node | None:
    """The variants of `to`; the operand itself if its type already matches (the only device is the CPU)."""
    x, dtype = node.args[0], node.meta["val"].dtype
    assert isinstance(x, Node)
    return x if x.meta["val"].dtype == dtype else call_before(node, aten._to_copy.default, x, dtype=dtype)


def _conv_transpose(node: Node) -> Node | None:
    x, weight, *rest = node.args
    given: tuple[Any, ...] = (*rest, *_CONV_TRANSPOSE[len(rest) :])
    bias, stride, padding, output_padding, groups, dilation = given
    last = (_each(dilation), True, _each(output_padding), groups)
    return call_before(node, aten.convolution.default, x, weight, bias, _each(stride), _each(padding), *last)


_CONV_TRANSPOSE: tuple[Any, ...] = (None, (1, 1), (0, 0), (0, 0), 1, (1, 1))
"""The defaults of `aten.conv_transpose2d.input` after the weight."""


def _each(value: Any) -> list[int]:
    sizes = list(value)
    return sizes * 2 if len(sizes) == 1 else sizes


def _and(node: Node) -> Node | None:
    return call_before(node, aten.bitwise_and.Tensor, *node.args)


def _difference(node: Node) -> Node | None:
    """The first-order difference of neighbouring elements, with `prepend` and `append`."""
    given: tuple[Any, ...] = (*node.args, *_DIFFERENCE[len(node.args) - 1 :])
    x, times, dim, before, behind = given
    if times != 1 or node.meta["val"].dtype == torch.bool or not isinstance(dim, int):
        return None
    parts = [part for part in (before, x, behind) if part is not None]
    whole = call_before(node, aten.cat.default, parts, dim) if len(parts) > 1 else x
    assert isinstance(whole, Node)
    after = call_before(node, aten.slice.Tensor, whole, dim, 1, sys.maxsize)
    return call_before(node, aten.sub.Tensor, after, call_before(node, aten.slice.Tensor, whole, dim, 0, -1))


_DIFFERENCE: tuple[Any, ...] = (1, -1, None, None)
"""The defaults of `aten.diff` after the tensor."""


def _minimum(node: Node) -> Node | None:
    return call_before(node, aten.minimum.default, *node.args)


def _maximum(node: Node) -> Node | None:
    return call_before(node, aten.maximum.default, *node.args)


def _reshape_as(node: Node) -> Node | None:
    sizes = list(node.meta["val"].shape)
    static = all(isinstance(size, int) for size in sizes)
    return call_before(node, aten.reshape.default, node.args[0], sizes) if static else None


def _swapped(node: Node) -> Node | None:
    return call_before(node, aten.transpose.int, *node.args)


def _detach(node: Node) -> Node | None:
    x = node.args[0]
    return x if isinstance(x, Node) else None


def _dropout(node: Node) -> Node | None:
    x, _, training = node.args
    assert isinstance(x, Node)
    return None if training else x


NODE_DECOMPOSITIONS: dict[Any, Callable[[Node], Node | None]] = {
    aten.__and__.Tensor: _and,
    aten.adaptive_avg_pool1d.default: _adaptive_average,
    aten.adaptive_avg_pool2d.default: _adaptive_average,
    aten.adaptive_avg_pool3d.default: _adaptive_average,
    aten.batch_norm.default: _batch_norm,
    aten.conv_transpose2d.input: _conv_transpose,
    aten.detach_.default: _detach,
    aten.diff.default: _difference,
    aten.dropout_.default: _dropout,
    aten.max.other: _maximum,
    aten.min.other: _minimum,
    aten.reshape_as.default: _reshape_as,
    aten.swapaxes.default: _swapped,
    aten.swapdims.default: _swapped,
    aten.to.device: _conversion,
    aten.to.dtype: _conversion,
    aten.to.dtype_layout: _conversion,
}
"""Each entry returns the node that replaces the call, or None if torch's own decomposition is needed."""
