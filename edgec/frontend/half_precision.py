"""The note on models in half precision."""

from __future__ import annotations

from edgec.diag import Diagnostic, Severity


def computed_in_single(name: str, whole: bool) -> Diagnostic:
    """The note (E0216) on a model in half precision: entirely, or only between casts."""
    message = f"`{name}` is in half precision; it is imported in float32"
    notes = ("its outputs are float32, and each target decides in which precision its artifact computes",)
    if not whole:
        message = (
            f"`{name}` casts to half precision; the casts round, and operations between them are computed in float32"
        )
        notes = ("PyTorch also rounds the operations between a cast to half precision and the cast back",)
    return Diagnostic("E0216", message, notes=notes, severity=Severity.NOTE)
