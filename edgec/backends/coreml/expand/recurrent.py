"""Recurrent layers that MIL's own operations do not compute are unrolled."""

from __future__ import annotations

import onnx_ir as ir

from edgec.backends.base import Reject
from edgec.backends.coreml.options import CoreMLOptions
from edgec.ir.build import GraphBuilder
from edgec.ir.model import is_constant
from edgec.ops.base import Reader
from edgec.ops.recurrent import Recurrent
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement
from edgec.rules.decompose.recurrent import UnrollRecurrent
from edgec.spec.target import Target

ACTIVATIONS = {"sigmoid": "sigmoid", "tanh": "tanh", "relu": "relu"}
"""MIL's names of ONNX's activations that take no parameters."""


class UnsupportedRecurrentUnrolled(UnrollRecurrent):
    """LSTM, GRU and RNN without an exact MIL operation -> their steps."""

    name = "unroll-unsupported-recurrent"
    examples = (
        Example(
            "float[1,2,2] x, float[1,3,3] r",
            "y, h = RNN<hidden_size = 3>(x, w, r)",
            "t = Gather<axis = 0>(r, c)  z = Transpose<perm = [1, 0]>(t)  v = Reshape(x, d)  "
            "o = Gather<axis = 0>(w, e)  k = Transpose<perm = [1, 0]>(o)  l = MatMul(v, k)  m = Tanh(l)  "
            "n = Concat<axis = 0>(m)  y = Reshape(n, f)  aa = Reshape(m, g)",
            constants="float[1,3,2] w = {1, 2, 3, 4, 5, 6}",
        ),
    )

    def __init__(self, has_reset_after: bool = False) -> None:
        self._has_reset_after = has_reset_after

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        if unsupported(Recurrent.decode(Reader(node)), self._has_reset_after) is None:
            return NOT_HERE
        return super().apply(node, g)


def resets_after(target: Target) -> bool:
    """Whether the target's GRU may scale the state after its product with the weights, as PyTorch's does."""
    options = target.options
    return isinstance(options, CoreMLOptions) and not options.is_before("iOS18")


def unsupported(op: Recurrent, has_reset_after: bool) -> Reject | None:
    """Why MIL's operation does not compute this, or None."""
    label = op.kind.lower()
    constants = (op.w, op.r, op.b, op.peephole)
    if any(v is not None and not is_constant(v) for v in constants):
        return Reject(f"{label}-computed-weights", "the weights are computed by the model")
    if op.lengths is not None:
        return Reject(f"{label}-lengths", "each sequence of the batch has a length of its own")
    if any(not isinstance(size, int) for size in (op.x.shape or (None,))[1:]):
        return Reject(f"{label}-batch", "how many sequences there are is open")
    if op.clip or op.input_forget:
        return Reject(f"{label}-clip", "the gates are clipped, or input and forget gate are one")
    if op.kind == "GRU" and op.linear_before_reset and not has_reset_after:
        return Reject("gru-reset-after", "the reset gate scales the state after its product with the weights")
    each = len(op.activations) // op.directions
    same = op.activations[:each] == op.activations[-each:]
    known = all(a.lower() in ACTIVATIONS for a in op.activations)
    if not known or not same or op.activation_alpha or op.activation_beta:
        return Reject(f"{label}-activations", f"MIL has no {', '.join(op.activations)} here")
    return None
