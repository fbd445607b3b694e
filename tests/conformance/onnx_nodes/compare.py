"""Compares outputs with a test's expected ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np

from tests.conformance.onnx_nodes.cases import Case


@dataclass(frozen=True)
class Tolerance:
    """What an engine adds to the case's own tolerances.

    `relative` is the minimum relative tolerance of floats, `of_peak` the absolute one as a fraction of the output's
    largest magnitude, for engines that compute in less than float32. `same_types`: outputs have the expected element
    type, otherwise only its kind (an int64 may be returned as int32).
    """

    relative: float = 0.0
    of_peak: float = 0.0
    same_types: bool = True


_ULPS = 8
"""Rounding of a short sum: this many units in the last place of the largest output are always allowed."""


def difference(case: Case, outputs: list[Any], tolerance: Tolerance) -> str:
    """What is wrong with the outputs; empty if nothing."""
    if len(outputs) != len(case.expected):
        return f"{len(outputs)} outputs, expected {len(case.expected)}"
    for (name, expected), found in zip(case.expected.items(), outputs, strict=True):
        wrong = _differs(np.asarray(expected), np.asarray(found), case, tolerance)
        if wrong:
            return f"`{name}` {wrong}"
    return ""


def _differs(expected: np.ndarray[Any, Any], found: np.ndarray[Any, Any], case: Case, tolerance: Tolerance) -> str:
    if found.shape != expected.shape:
        return f"has shape {found.shape}, expected {expected.shape}"
    if tolerance.same_types and found.dtype != expected.dtype:
        return f"has type {found.dtype}, expected {expected.dtype}"
    if _kind(found) != _kind(expected):
        return f"has type {found.dtype}, expected {expected.dtype}"
    if _kind(expected) != "f":
        wrong = np.count_nonzero(found.astype(expected.dtype) != expected)
        return f"differs in {wrong} of {expected.size} elements" if wrong else ""
    epsilon = _epsilon(expected.dtype)
    wide = np.complex128 if expected.dtype.kind == "c" else np.float64
    a, b = found.astype(wide), expected.astype(wide)
    peak = float(np.max(np.abs(b), initial=0.0, where=np.isfinite(b)))
    rtol = max(case.rtol, tolerance.relative, 2 * epsilon)
    atol = max(case.atol, tolerance.of_peak * peak, _ULPS * epsilon * peak)
    close = np.isclose(a, b, rtol=rtol, atol=atol, equal_nan=True)
    if close.all():
        return ""
    worst = np.unravel_index(np.argmin(close), close.shape)
    return (
        f"is {a[worst]:.6g} at {[int(i) for i in worst]}, expected {b[worst]:.6g} ({(~close).sum()} of {a.size} differ)"
    )


def _kind(array: np.ndarray[Any, Any]) -> str:
    """f for floats (including those of ml_dtypes), i for integers of either sign, else numpy's kind."""
    if array.dtype.kind in "fc" or array.dtype.name.startswith(("bfloat", "float")):
        return "f"
    return "i" if array.dtype.kind in "iu" or array.dtype.name.startswith(("int", "uint")) else array.dtype.kind


def _epsilon(dtype: np.dtype[Any]) -> float:
    return float(ml_dtypes.finfo(dtype).eps)
