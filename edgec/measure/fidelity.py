"""Measures of the difference between two sets of outputs, with the index of the worst element."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.generic]


@dataclass(frozen=True)
class Difference:
    """One output against its reference.

    `max_rel` is the largest absolute error over the reference's largest magnitude; `psnr_db` takes the reference's
    largest magnitude as the peak (infinite for equal arrays); `cosine` is 1 for equal or two zero arrays.
    If only one side has a NaN or infinity, every number is the worst possible.
    """

    output: str
    max_abs: float
    max_rel: float
    cosine: float
    psnr_db: float
    worst: tuple[int, ...]


@dataclass(frozen=True)
class Fidelity:
    """The worst over samples and outputs, and the output that has it."""

    samples: int
    max_abs: float
    max_rel: float
    cosine: float
    psnr_db: float
    worst_output: str
    worst_index: tuple[int, ...]


def compare(output: str, expected: Array, actual: Array) -> Difference:
    """Compare an array with its reference; if the shapes differ, every number is the worst possible."""
    if expected.shape != actual.shape:
        return Difference(output, np.inf, np.inf, -1.0, -np.inf, ())
    if expected.size == 0:
        return Difference(output, 0.0, 0.0, 1.0, np.inf, ())
    a, b = expected.astype(np.float64), actual.astype(np.float64)
    same_special = (a == b) | (np.isnan(a) & np.isnan(b))
    special = ~(np.isfinite(a) & np.isfinite(b))
    if bool(np.any(special & ~same_special)):
        worst = np.unravel_index(int(np.argmax(special & ~same_special)), a.shape)
        return Difference(output, np.inf, np.inf, -1.0, -np.inf, tuple(int(i) for i in worst))
    a, b = np.where(special, 0.0, a), np.where(special, 0.0, b)
    error = np.abs(a - b)
    peak = float(np.abs(a).max())
    worst = np.unravel_index(int(np.argmax(error)), a.shape)
    max_abs = float(error.max())
    return Difference(
        output,
        max_abs,
        max_abs / peak if peak > 0 else (0.0 if max_abs == 0 else np.inf),
        _cosine(a, b),
        _psnr(peak, float(np.mean(error**2))),
        tuple(int(i) for i in worst),
    )


def summarize(samples: int, differences: list[Difference]) -> Fidelity:
    """The worst of each measure; output and index are those of the largest relative error."""
    if not differences:
        return Fidelity(samples, 0.0, 0.0, 1.0, np.inf, "", ())
    worst = max(differences, key=lambda d: d.max_rel)
    return Fidelity(
        samples,
        max(d.max_abs for d in differences),
        max(d.max_rel for d in differences),
        min(d.cosine for d in differences),
        min(d.psnr_db for d in differences),
        worst.output,
        worst.worst,
    )


def compare_all(expected: Mapping[str, Array], actual: Mapping[str, Array]) -> list[Difference]:
    """Compare expected and actual outputs by name; a missing one has the worst numbers possible."""
    found = []
    for name, array in expected.items():
        other = actual.get(name)
        missing = Difference(name, np.inf, np.inf, -1.0, -np.inf, ())
        found.append(missing if other is None else compare(name, array, other))
    return found


def _cosine(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    norms = float(np.linalg.norm(a) * np.linalg.norm(b))
    if norms == 0.0:
        return 1.0 if not a.any() and not b.any() else 0.0
    return float(np.clip(np.dot(a.reshape(-1), b.reshape(-1)) / norms, -1.0, 1.0))


def _psnr(peak: float, mean_square: float) -> float:
    """10 log10(peak² / MSE) in decibels."""
    if mean_square == 0.0:
        return float(np.inf)
    return float(20 * np.log10(peak) - 10 * np.log10(mean_square)) if peak > 0 else float(-np.inf)
