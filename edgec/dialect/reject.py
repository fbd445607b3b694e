"""The reason why an operator is illegal, as returned by dialects, expansions and refusals."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Reject:
    """Why an operator is illegal, in the form at hand, in a dialect or on a target.

    The label (`resize-cubic-antialias`) is the key of the diagnostic, the test and the conformance tables' footnote.
    """

    label: str
    reason: str
    help: str | None = None
