"""TensorRT's dialect: the core dialect without the operators and forms that its parser or kernels do not support."""

from __future__ import annotations

import onnx_ir as ir

from edgec.dialect.base import Dialect
from edgec.dialect.core import CORE
from edgec.dialect.reject import Reject
from edgec.ops.base import Reader
from edgec.ops.pool import MaxPool

_WITHOUT_KERNEL = frozenset({"Attention", "BitShift", "BitwiseAnd", "BitwiseNot", "BitwiseOr", "BitwiseXor"})
"""`Attention`: TensorRT-RTX 1.7 rejects it in float32 for lack of a dedicated kernel, but fuses the equivalent MatMuls.
Its parser does not know the others.
"""


def _plain_scatter(node: ir.Node) -> Reject | None:
    attribute = node.attributes.get("reduction")
    if attribute is None or attribute.as_string() == "none":
        return None
    reason = (
        "TensorRT's parser supports no reduction; sorting the updates instead needs a fixed, limited number of them"
    )
    return Reject(f"{node.op_type.lower()}-reduction", reason, "fix the open dimensions of the indices, or write fewer")


def _no_suppression(node: ir.Node) -> Reject:
    reason = "TensorRT-RTX 1.7 parses it, but has no kernel for it (`has no runners that implement it`)"
    return Reject("nonmaxsuppression-no-runner", reason, "return boxes and scores, and let the app suppress")


def _max_pool(node: ir.Node) -> Reject | None:
    if not MaxPool.decode(Reader(node)).has_indices:
        return None
    reason = "TensorRT's parser supports a max pool's maxima only, not their indices"
    return Reject("maxpool-indices", reason, "return the maxima, and compare the input with them to find the indices")


TENSORRT_DIALECT = Dialect(
    "tensorrt",
    CORE.ops - _WITHOUT_KERNEL | {"If"},
    {
        **CORE.predicates,
        "MaxPool": _max_pool,
        "NonMaxSuppression": _no_suppression,
        "ScatterND": _plain_scatter,
        "ScatterElements": _plain_scatter,
    },
)
