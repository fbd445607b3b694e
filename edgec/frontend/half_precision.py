"""What is told of a source in half precision."""

from __future__ import annotations

from edgec.diag import Diagnostic, Severity


def computed_in_single(name: str, whole: bool) -> Diagnostic:
    """The note (E0216) on a model that is written in half precision, as a whole or between casts alone."""
    message = f"`{name}` is written in half precision; its meaning is taken in float32"
    notes = ("its outputs are float32, and its artifacts compute in what their targets say",)
    if not whole:
        message = f"`{name}` casts to half precision; its casts round, what it computes between them is in float32"
        notes = ("what PyTorch rounds between a cast to half precision and the one back is not",)
    return Diagnostic("E0216", message, notes=notes, severity=Severity.NOTE)
