"""Why an operator is illegal: the one answer that dialects, expansions and refusals give."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Reject:
    """Why an operator, in its form, is illegal in a dialect or on a target.

    The label (`resize-cubic-antialias`) keys the diagnostic, the test and the footnote of the conformance tables.
    """

    label: str
    reason: str
    help: str | None = None
