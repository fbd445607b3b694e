"""Channels-first tokens: normalization of the channels and products over them."""

from __future__ import annotations

from edgec.backends.base import Lowering, Operand
from edgec.backends.coreml.lower.common import MilBuilder, type_of
from edgec.backends.coreml.lower.linear import stable_epsilon
from edgec.backends.coreml.ops import ChannelNormalization, ChannelProduct


def _normalization(op: ChannelNormalization, b: MilBuilder) -> Operand:
    x, beta = b.operand(op.x), None if op.bias is None else b.operand(op.bias)
    arguments = {"gamma": b.operand(op.scale), "beta": beta, "epsilon": stable_epsilon(op.epsilon, x)}
    return b.emit("layer_norm", type_of(op.y), x=x, axes=(1,), **arguments)


def _product(op: ChannelProduct, b: MilBuilder) -> Operand:
    values = (b.operand(op.a), b.operand(op.b))
    return b.emit("einsum", type_of(op.y), values=values, equation="nchw,nwhu->nchu")


LOWERINGS = (
    Lowering(ChannelNormalization, _normalization),
    Lowering(ChannelProduct, _product),
)
