"""How the factor of an operator's results depends on the factors of its operands: f(k x) = k f(x)."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from edgec.backends.coreml.precision.intermediate_overflow import is_bounded
from edgec.backends.coreml.precision.value_ranges import CARRIES
from edgec.ir.model import is_constant, subgraphs
from edgec.ops.base import Reader


@dataclass(frozen=True)
class Role:
    """How an operator propagates factors; operands by index.

    Operands `alike` have the factor of the results. `weight` is a constant that absorbs the factor between the operand
    `data` and the results; `divides` if it is a divisor. Results do not depend on the factor of `blind` operands.
    """

    alike: tuple[int, ...] = ()
    data: int | None = None
    weight: int | None = None
    divides: bool = False
    blind: tuple[int, ...] = ()

    @property
    def is_given(self) -> bool:
        """Whether the results' factor follows from the operands' (otherwise it is 1)."""
        return bool(self.alike) or self.data is not None


_FIRST = CARRIES | set(
    "Abs AveragePool CumSum DepthToSpace Gather GatherElements GatherND GridSample LeakyRelu MaxPool Neg PRelu "
    "ReduceMax ReduceMean ReduceMin ReduceSum Relu Slice SpaceToDepth Split TopK Trilu".split()
)
"""f(k x) = k f(x) for k above 0, of the first operand."""

_ALL = frozenset("Add Concat Equal Greater GreaterOrEqual Less LessOrEqual Max Min Sub".split())
"""The same for all operands together; the results of comparisons do not change."""

_SOME = {"Clip": (0, 1, 2), "Where": (1, 2)}

_UNIT = frozenset("ArgMax ArgMin InstanceNormalization LayerNormalization".split())
"""f(k x) = f(x); for normalizations with the epsilon scaled too."""


def role(node: ir.Node) -> Role | None:
    """How factors pass through the operator; None if they do not."""
    kind = node.op_type
    if node.domain or subgraphs(node) or not any(v is not None and v.dtype == ir.DataType.FLOAT for v in node.inputs):
        return None
    if kind in _FIRST:
        return Role(alike=(0,))
    if kind in _ALL:
        return Role(alike=tuple(range(len(node.inputs))))
    if kind in _SOME:
        return Role(alike=_SOME[kind])
    if kind in _UNIT:
        return Role(blind=(0,))
    if kind in ("Conv", "ConvTranspose", "Gemm", "MatMul"):
        return _linear(node)
    return _of_attributes(node) if kind in ("Pad", "Resize", "ScatterElements", "ScatterND") else _product(node)


def _linear(node: ir.Node) -> Role | None:
    """A linear operator with constant weights, and its bias."""
    constants = [i for i in (0, 1) if is_constant(node.inputs[i])]
    if len(constants) != 1 or (constants == [0] and node.op_type.startswith("Conv")):
        return None
    return Role(alike=(2,), data=1 - constants[0], weight=constants[0])


def _product(node: ir.Node) -> Role | None:
    """A product with a constant, or with a gate of magnitude at most 1."""
    if node.op_type not in ("Mul", "Div"):
        return None
    constants = [i for i in (0, 1) if is_constant(node.inputs[i])]
    divides = node.op_type == "Div"
    if constants == [1] or (constants == [0] and not divides):
        return Role(data=1 - constants[0], weight=constants[0], divides=divides)
    gates = [i for i, v in enumerate(node.inputs) if v is not None and is_bounded(v)]
    return Role(alike=(1 - gates[0],)) if not divides and not constants and len(gates) == 1 else None


def _of_attributes(node: ir.Node) -> Role | None:
    r = Reader(node)
    if node.op_type == "Pad":
        return Role(alike=(0, 2))
    if node.op_type == "Resize":
        cropped = r.string("coordinate_transformation_mode", "half_pixel") == "tf_crop_and_resize"
        return None if cropped else Role(alike=(0,))
    return None if r.string("reduction", "none") == "mul" else Role(alike=(0, 2))
