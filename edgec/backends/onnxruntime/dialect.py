"""What ONNX Runtime's CPU kernels take of ONNX, up to an opset."""

from __future__ import annotations

import functools

import onnx

from edgec.dialect.base import Dialect
from edgec.dialect.core import CORE


@functools.cache
def dialect(opset: int) -> Dialect:
    """The core operators that are older than the opset's end, whatever form they had then."""
    return Dialect(f"onnx-{opset}", frozenset(op for op in CORE.ops if _is_of(op, opset)))


def _is_of(op: str, opset: int) -> bool:
    domain, _, name = op.rpartition("::")
    return domain != "" or onnx.defs.has(name, opset)
