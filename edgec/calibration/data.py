"""The samples that ranges are observed on: handed on one at a time, counted, hashed, and checked for doubts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgec.calibration.statistics import Statistics

Array = NDArray[np.generic]

FEWEST = 16
"""Samples below which ranges that are observed on them are a guess."""

_NOISE = 0.1
"""The correlation of neighbours below which an image, a spectrum or a sequence is noise."""

_ENOUGH = 4096
"""Pairs of neighbours from which on that is no chance."""


@dataclass(frozen=True, eq=False)
class CalibrationData:
    """Samples by the names of the inputs, which can be gone through again; `origin` names them for a person.

    `is_drawn`: they were made up from the example's shapes.
    """

    origin: str
    samples: Iterable[Mapping[str, Array]]
    is_drawn: bool = False


@dataclass
class Pass:
    """One pass through calibration data: iterate, then ask what was seen of the inputs."""

    data: CalibrationData
    count: int = 0
    inputs: dict[str, Statistics] = field(default_factory=dict)
    _hash: Any = field(default_factory=hashlib.sha256)
    _neighbours: dict[str, NDArray[np.float64]] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Mapping[str, Array]]:
        for sample in self.data.samples:
            self.count += 1
            for name, array in sorted(sample.items()):
                self._hash.update(f"{name} {array.dtype.str} {array.shape} ".encode())
                self._hash.update(np.ascontiguousarray(array).tobytes())
                self.inputs.setdefault(name, Statistics()).add(array)
                if array.dtype.kind == "f" and array.ndim > 2:
                    sums = self._neighbours.setdefault(name, np.zeros(6))
                    sums += _pairs(np.asarray(array, np.float64))
            yield sample

    @property
    def sha256(self) -> str:
        """Of all samples, in their order."""
        return str(self._hash.hexdigest())

    def doubts(self) -> list[str]:
        """What speaks against the ranges that are observed on these samples, for a person."""
        found = []
        if self.count < FEWEST:
            found.append(f"there are {self.count} samples; ranges are observed well on 64 and more")
        for name, statistics in self.inputs.items():
            if statistics.is_constant and statistics.count > 1:
                found.append(f"input `{name}` is {statistics.low:g} everywhere")
        for name, sums in self._neighbours.items():
            if sums[0] >= _ENOUGH and abs(_correlation(sums)) < _NOISE:
                found.append(f"input `{name}` is noise: its neighbouring numbers have nothing to do with each other")
        return found


def _pairs(array: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums over the pairs of neighbours along the last two dimensions from which their correlation follows."""
    found = np.zeros(6)
    for axis in (-1, -2):
        n = array.shape[axis]
        x, y = np.take(array, range(n - 1), axis), np.take(array, range(1, n), axis)
        found += [x.size, x.sum(), y.sum(), (x * x).sum(), (y * y).sum(), (x * y).sum()]
    return found


def _correlation(sums: NDArray[np.float64]) -> float:
    """Pearson's; 1 where one of them does not vary."""
    n, x, y, xx, yy, xy = (float(s) for s in sums)
    spread = (n * xx - x * x) * (n * yy - y * y)
    return (n * xy - x * y) / spread**0.5 if spread > 0 else 1.0
