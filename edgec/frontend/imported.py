"""What every frontend gives: the model as a graph, and something independent to compare it with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edgec.diag import Diagnostic, Place
from edgec.frontend.dynamic import DynamicDim
from edgec.ir.model import Model
from edgec.spec.ranges import InputRange

Array = NDArray[np.generic]


class Reference(Protocol):
    """The source itself, executed as its author would: eager PyTorch, or ONNX Runtime for an ONNX file."""

    name: str

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs by the graph's output names, in its order."""
        ...

    def precise(self, inputs: Mapping[str, Array]) -> dict[str, Array] | None:
        """The outputs computed in double precision. None where the source has no such form."""
        ...

    def rounded(self, inputs: Mapping[str, Array], roundings: float, seed: int) -> dict[str, Array] | None:
        """As `precise`, every operand of an operator that rounds off by up to so many roundings of float32."""
        ...


@dataclass(frozen=True)
class SourceId:
    """Where the model came from. `sha256` is of the file that was named."""

    kind: str
    ref: str
    sha256: str


class Branch(Protocol):
    """A branch on data that was rewritten: where, how, and the sides that the samples take."""

    @property
    def place(self) -> Place:
        """Its line in the source."""
        ...

    @property
    def how(self) -> str:
        """What became of it."""
        ...

    @property
    def sides(self) -> tuple[bool, ...]:
        """The sides that a sample takes."""
        ...

    @property
    def rounds(self) -> tuple[int, ...] | None:
        """For a loop of the graph, the steps that it runs on samples: 0, 1 or (2) several."""
        ...


@dataclass(frozen=True)
class ImportedModel:
    """A model as its frontend leaves it: opset 23, not yet canonical, with its reference and example inputs.

    `extra_samples` take sides of `branches` that the examples do not; `ranges` are what inputs were said to be, and
    `constants` those that were said to be always one value, which the model asks for no more.
    """

    name: str
    source: SourceId
    model: Model
    reference: Reference
    examples: dict[str, Array]
    warnings: tuple[Diagnostic, ...] = field(default=())
    extra_samples: tuple[dict[str, Array], ...] = field(default=())
    branches: tuple[Branch, ...] = field(default=())
    dynamic: tuple[DynamicDim, ...] = field(default=())
    ranges: tuple[InputRange, ...] = field(default=())
    constants: tuple[InputRange, ...] = field(default=())
