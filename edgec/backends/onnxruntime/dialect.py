"""The ONNX operators of an opset that ONNX Runtime's CPU kernels support."""

from __future__ import annotations

import functools

import onnx

from edgec.dialect.base import Dialect
from edgec.dialect.core import CORE


@functools.cache
def dialect(opset: int) -> Dialect:
    """The core operators that exist at the opset, whatever their form was then."""
    return Dialect(f"onnx-{opset}", frozenset(op for op in CORE.ops if _is_of(op, opset)))


def _is_of(op: str, opset: int) -> bool:
    domain, _, name = op.rpartition("::")
    return domain != "" or onnx.defs.has(name, opset)
