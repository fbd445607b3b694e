"""LSTM, GRU and RNN as MIL operations."""

from __future__ import annotations

from edgec.backends.coreml.legality.common import float_reject, rank_reject
from edgec.backends.coreml.options import CoreMLOptions
from edgec.backends.legality import Family
from edgec.dialect.reject import Reject
from edgec.ir.model import is_constant
from edgec.ops.recurrent import Recurrent
from edgec.spec.target import Target

ACTIVATIONS = {"sigmoid": "sigmoid", "tanh": "tanh", "relu": "relu"}
"""MIL's names of ONNX activations without parameters."""


def _recurrent(op: Recurrent, target: Target) -> Reject | None:
    label = op.kind.lower()
    return (
        _without_operation(op, _resets_after(target))
        or float_reject([op.x], label)
        or rank_reject([op.x], target, label)
    )


def _resets_after(target: Target) -> bool:
    """Whether the target's GRU can apply the reset gate after the product with the weights, as PyTorch does."""
    options = target.options
    return isinstance(options, CoreMLOptions) and not options.is_before("iOS18")


def _without_operation(op: Recurrent, has_reset_after: bool) -> Reject | None:
    """Why MIL's operation is not equivalent, or None."""
    label = op.kind.lower()
    constants = (op.w, op.r, op.b, op.peephole)
    if any(v is not None and not is_constant(v) for v in constants):
        return Reject(f"{label}-computed-weights", "the weights are computed by the model")
    if op.lengths is not None:
        return Reject(f"{label}-lengths", "the sequences of the batch have individual lengths")
    if any(not isinstance(size, int) for size in (op.x.shape or (None,))[1:]):
        return Reject(f"{label}-batch", "the batch size is open")
    if op.clip or op.input_forget:
        return Reject(f"{label}-clip", "the gates are clipped, or the input and forget gates are coupled")
    if op.kind == "GRU" and op.linear_before_reset and not has_reset_after:
        return Reject("gru-reset-after", "the reset gate is applied after the product with the weights")
    each = len(op.activations) // op.directions
    same = op.activations[:each] == op.activations[-each:]
    known = all(a.lower() in ACTIVATIONS for a in op.activations)
    if not known or not same or op.activation_alpha or op.activation_beta:
        return Reject(f"{label}-activations", f"MIL does not support {', '.join(op.activations)} here")
    return None


FAMILIES = (Family(Recurrent, "GRU LSTM RNN", _recurrent),)
