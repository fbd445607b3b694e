"""What TensorRT's parser is given: the core dialect without the operators that its kernels do not take everywhere."""

from __future__ import annotations

import onnx_ir as ir

from edgec.dialect.base import Dialect
from edgec.dialect.core import CORE
from edgec.dialect.reject import Reject
from edgec.ops.base import Reader
from edgec.ops.pool import MaxPool

_WITHOUT_KERNEL = frozenset({"Attention", "BitShift", "BitwiseAnd", "BitwiseNot", "BitwiseOr", "BitwiseXor"})
"""`Attention`: TensorRT-RTX 1.7 refuses it in float32 for want of a dedicated kernel; as MatMul it fuses it itself.
The others its parser does not know.
"""


def _plain_scatter(node: ir.Node) -> Reject | None:
    attribute = node.attributes.get("reduction")
    if attribute is None or attribute.as_string() == "none":
        return None
    reason = (
        "TensorRT's parser takes no reduction; sorts, which it has, need a fixed and not too large number of updates"
    )
    return Reject(f"{node.op_type.lower()}-reduction", reason, "fix the open dimensions of the indices, or write fewer")


def _no_suppression(node: ir.Node) -> Reject:
    reason = "TensorRT-RTX 1.7 parses it, and has nothing that runs it (`has no runners that implement it`)"
    return Reject("nonmaxsuppression-no-runner", reason, "give boxes and scores as outputs: the app suppresses")


def _maxima_alone(node: ir.Node) -> Reject | None:
    if not MaxPool.decode(Reader(node)).has_indices:
        return None
    reason = "TensorRT's parser takes the maxima of a pool alone, without their positions"
    return Reject("maxpool-indices", reason, "give out the maxima, and compare the input with them for the positions")


TENSORRT_DIALECT = Dialect(
    "tensorrt",
    CORE.ops - _WITHOUT_KERNEL | {"If"},
    {
        **CORE.predicates,
        "MaxPool": _maxima_alone,
        "NonMaxSuppression": _no_suppression,
        "ScatterND": _plain_scatter,
        "ScatterElements": _plain_scatter,
    },
)
