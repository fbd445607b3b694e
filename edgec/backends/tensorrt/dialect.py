"""What TensorRT's parser is given: the core dialect without the operators that its kernels do not take everywhere."""

from __future__ import annotations

from edgec.dialect.base import Dialect
from edgec.dialect.core import CORE

_WITHOUT_KERNEL = frozenset({"Attention"})
"""`Attention`: TensorRT-RTX 1.7 refuses it in float32 for want of a dedicated kernel; as MatMul it fuses it itself."""

TENSORRT_DIALECT = Dialect("tensorrt", CORE.ops - _WITHOUT_KERNEL)
