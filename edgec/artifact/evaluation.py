"""Task accuracy in a manifest."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class EvaluationInfo:
    """A metric on labelled data with its 95 % interval, in percent (a user-defined function: in its own units).

    `drop`, with its 95 % interval and the p-value of a paired test, is how much worse the artifact is than the source
    on the same samples; null if the source was not evaluated, or another artifact was the baseline.
    """

    metric: str
    value: float
    low: float
    high: float
    samples: int
    data_sha256: str
    drop: float | None = None
    drop_low: float | None = None
    drop_high: float | None = None
    p_value: float | None = None
