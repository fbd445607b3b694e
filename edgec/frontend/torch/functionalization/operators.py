"""The aten operators that a functional program may contain, and their in-place variants."""

from __future__ import annotations

import operator
from typing import Any

import torch
from torch.fx import Node

aten = torch.ops.aten

MUTATING: dict[Any, Any] = {
    aten.add_.Tensor: aten.add.Tensor,
    aten.copy_.default: aten.copy.default,
    aten.div_.Tensor: aten.div.Tensor,
    aten.fill_.Tensor: aten.fill.Tensor,
    aten.hardsigmoid_.default: aten.hardsigmoid.default,
    aten.hardswish_.default: aten.hardswish.default,
    aten.hardtanh_.default: aten.hardtanh.default,
    aten.leaky_relu_.default: aten.leaky_relu.default,
    aten.mul_.Tensor: aten.mul.Tensor,
    aten.relu_.default: aten.relu.default,
    aten.sigmoid_.default: aten.sigmoid.default,
    aten.silu_.default: aten.silu.default,
    aten.sub_.Tensor: aten.sub.Tensor,
    aten.tanh_.default: aten.tanh.default,
    aten.zero_.default: aten.zeros_like.default,
}
"""In-place operators, and the operators that compute the same values as a new tensor."""

FRESH: frozenset[Any] = frozenset(
    {
        *MUTATING.values(),
        aten._native_batch_norm_legit_no_training.default,
        aten._to_copy.default,
        aten.abs.default,
        aten.addmm.default,
        aten.amax.default,
        aten.arange.default,
        aten.arange.start,
        aten.argmax.default,
        aten.avg_pool2d.default,
        aten.avg_pool3d.default,
        aten.bitwise_and.Tensor,
        aten.bitwise_not.default,
        aten.bmm.default,
        aten.cat.default,
        aten.ceil.default,
        aten.clamp.default,
        aten.clamp_min.default,
        aten.clone.default,
        aten.conv1d.default,
        aten.conv2d.default,
        aten.conv3d.default,
        aten.convolution.default,
        aten.cos.default,
        aten.cumsum.default,
        aten.div.Tensor_mode,
        aten.embedding.default,
        aten.eq.Scalar,
        aten.eq.Tensor,
        aten.exp.default,
        aten.full.default,
        aten.full_like.default,
        aten.gather.default,
        aten.ge.Scalar,
        aten.gelu.default,
        aten.group_norm.default,
        aten.grid_sampler.default,
        aten.gt.Scalar,
        aten.index.Tensor,
        aten.layer_norm.default,
        aten.le.Scalar,
        aten.le.Tensor,
        aten.lift_fresh_copy.default,
        aten.linear.default,
        aten.linalg_vector_norm.default,
        aten.log.default,
        aten.lt.Scalar,
        aten.masked_fill.Scalar,
        aten.matmul.default,
        aten.max_pool2d.default,
        aten.max_pool3d.default,
        aten.maximum.default,
        aten.mean.dim,
        aten.minimum.default,
        aten.mish.default,
        aten.neg.default,
        aten.ne.Scalar,
        aten.new_ones.default,
        aten.new_zeros.default,
        aten.ones.default,
        aten.pow.Scalar,
        aten.pow.Tensor_Scalar,
        aten.repeat.default,
        aten.roll.default,
        aten.rsqrt.default,
        aten.scaled_dot_product_attention.default,
        aten.sign.default,
        aten.sin.default,
        aten.slice_scatter.default,
        aten.softmax.int,
        aten.softplus.default,
        aten.sqrt.default,
        aten.stack.default,
        aten.sum.dim_IntList,
        aten.topk.default,
        aten.upsample_bicubic2d.vec,
        aten.upsample_bilinear2d.vec,
        aten.upsample_nearest2d.vec,
        aten.where.ScalarOther,
        aten.where.self,
        aten.zeros.default,
        aten.zeros_like.default,
    }
)
"""Operators that torch's exporter supports and whose result never shares memory with another tensor."""

SHARING: frozenset[Any] = frozenset(
    {
        aten.alias.default,
        aten.chunk.default,
        aten.contiguous.default,
        aten.dropout.default,
        aten.einsum.default,
        aten.expand.default,
        aten.expand_as.default,
        aten.flatten.using_ints,
        aten.pad.default,
        aten.permute.default,
        aten.pixel_shuffle.default,
        aten.reshape.default,
        aten.select.int,
        aten.slice.Tensor,
        aten.split.Tensor,
        aten.split_with_sizes.default,
        aten.squeeze.dim,
        aten.transpose.int,
        aten.type_as.default,
        aten.unbind.int,
        aten.unflatten.int,
        aten.unfold.default,
        aten.unsqueeze.default,
        aten.view.default,
    }
)
"""Operators that torch's exporter supports and whose result may share memory with an operand."""


def is_fresh(node: Node) -> bool:
    """Whether the value shares its memory with no other tensor: a new tensor, or one of several."""
    if node.target is operator.getitem:
        return isinstance(node.args[0], Node) and node.args[0].target in FRESH
    return node.target in FRESH


def keeps_type(mutation: Node) -> bool:
    """Whether the operands have one type, which the functional result then has too: `half.add_(single)` stays half."""
    return len({_dtype(value) for value in mutation.args if isinstance(value, Node)}) == 1


def _dtype(node: Node) -> torch.dtype | None:
    value = node.meta.get("val")
    return value.dtype if isinstance(value, torch.Tensor) else None
