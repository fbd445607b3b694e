"""Matrix products and softmax."""

from __future__ import annotations

from edgec.backends.legality import Family
from edgec.backends.tflite.legality.common import takes
from edgec.ops.linear import MatMul
from edgec.ops.norm import Softmax

FAMILIES = (
    Family(MatMul, "MatMul", takes(lambda op: [op.a, op.b])),
    Family(Softmax, "Softmax LogSoftmax", takes(lambda op: [op.x])),
)
