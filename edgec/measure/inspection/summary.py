"""The summary of a file: its interface, operators and weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Feature:
    """An input or output. An open dimension is given by name, or as -1 in formats without names."""

    name: str
    dtype: str
    shape: tuple[int | str, ...]


@dataclass(frozen=True)
class Weight:
    """A constant tensor; `bytes` is its stored size."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    bytes: int


@dataclass(frozen=True)
class Content:
    """What the reader of a format returns."""

    inputs: list[Feature]
    outputs: list[Feature]
    ops: dict[str, int]
    weights: list[Weight]
    metadata: dict[str, str]


@dataclass(frozen=True)
class Summary:
    """A file as shown by `edgec inspect`. `sha256` and `bytes` of a package are over its files in order."""

    format: str
    sha256: str
    bytes: int
    inputs: tuple[Feature, ...]
    outputs: tuple[Feature, ...]
    ops: dict[str, int]
    weights: tuple[Weight, ...]
    metadata: dict[str, str] = field(default_factory=dict)

    @property
    def parameters(self) -> int:
        """The number of elements of floating-point constants and of integer constants of up to 8 bits."""
        kinds = ("float", "bfloat", "int8", "uint8", "int4", "uint4", "fp")
        return sum(_elements(w.shape) for w in self.weights if w.dtype.startswith(kinds))

    def called(self, names: Mapping[str, str]) -> Summary:
        """A copy with other names of weights."""
        return replace(self, weights=tuple(replace(w, name=names.get(w.name, w.name)) for w in self.weights))


def _elements(shape: tuple[int, ...]) -> int:
    count = 1
    for size in shape:
        count *= size
    return count
