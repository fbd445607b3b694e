"""Views of the normalizations and softmaxes."""

from __future__ import annotations

from dataclasses import dataclass

from edgec.ops.base import Op, Reader, Value


@dataclass(frozen=True, eq=False)
class BatchNormalization(Op):
    """Inference form: `y = scale * (x - mean) / sqrt(var + epsilon) + bias`, all parameters along axis 1."""

    x: Value
    scale: Value
    bias: Value
    mean: Value
    var: Value
    epsilon: float
    training: bool

    @staticmethod
    def decode(r: Reader) -> BatchNormalization:
        inputs = (r.input(0), r.input(1), r.input(2), r.input(3), r.input(4))
        return BatchNormalization(r.node, *inputs, r.number("epsilon", 1e-5), bool(r.integer("training_mode", 0)))


@dataclass(frozen=True, eq=False)
class InstanceNormalization(Op):
    """Normalizes each (n, c) plane over its spatial dimensions; scale and bias (C)."""

    x: Value
    scale: Value
    bias: Value
    epsilon: float

    @staticmethod
    def decode(r: Reader) -> InstanceNormalization:
        return InstanceNormalization(r.node, r.input(0), r.input(1), r.input(2), r.number("epsilon", 1e-5))


@dataclass(frozen=True, eq=False)
class GroupNormalization(Op):
    """Normalizes `groups` groups of channels; scale and bias (C), as of opset 21."""

    x: Value
    scale: Value
    bias: Value
    epsilon: float
    groups: int

    @staticmethod
    def decode(r: Reader) -> GroupNormalization:
        inputs = (r.input(0), r.input(1), r.input(2))
        return GroupNormalization(r.node, *inputs, r.number("epsilon", 1e-5), r.integer("num_groups"))


@dataclass(frozen=True, eq=False)
class LayerNormalization(Op):
    """Normalizes the dimensions from `axis` on; scale and bias broadcast to them."""

    x: Value
    scale: Value
    bias: Value | None
    axis: int
    epsilon: float

    @staticmethod
    def decode(r: Reader) -> LayerNormalization:
        x = r.input(0)
        axis = r.axis(r.integer("axis", -1), r.rank(x))
        return LayerNormalization(r.node, x, r.input(1), r.optional(2), axis, r.number("epsilon", 1e-5))


@dataclass(frozen=True, eq=False)
class RMSNormalization(Op):
    """`y = scale * x / sqrt(mean(x²) + epsilon)` over the dimensions from `axis` on."""

    x: Value
    scale: Value
    axis: int
    epsilon: float

    @staticmethod
    def decode(r: Reader) -> RMSNormalization:
        x = r.input(0)
        return RMSNormalization(
            r.node, x, r.input(1), r.axis(r.integer("axis", -1), r.rank(x)), r.number("epsilon", 1e-5)
        )


@dataclass(frozen=True, eq=False)
class LRN(Op):
    """Local response normalization across channels: `x / (bias + alpha/size * sum(x²))**beta`."""

    x: Value
    alpha: float
    beta: float
    bias: float
    size: int

    @staticmethod
    def decode(r: Reader) -> LRN:
        return LRN(
            r.node,
            r.input(0),
            r.number("alpha", 1e-4),
            r.number("beta", 0.75),
            r.number("bias", 1.0),
            r.integer("size"),
        )


@dataclass(frozen=True, eq=False)
class LpNormalization(Op):
    """`x / ‖x‖_p` along one axis."""

    x: Value
    axis: int
    p: int

    @staticmethod
    def decode(r: Reader) -> LpNormalization:
        x = r.input(0)
        return LpNormalization(r.node, x, r.axis(r.integer("axis", -1), r.rank(x)), r.integer("p", 2))


@dataclass(frozen=True, eq=False)
class Softmax(Op):
    """Softmax, LogSoftmax or Hardmax along one axis; `kind` is the operator's name."""

    kind: str
    x: Value
    axis: int

    @staticmethod
    def decode(r: Reader) -> Softmax:
        x = r.input(0)
        return Softmax(r.node, r.node.op_type, x, r.axis(r.integer("axis", -1), r.rank(x)))
