"""The result of every frontend: the model as a graph, and an independent reference to compare it with."""

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
    """Executes the source itself, independently of edgec: eager PyTorch, or ONNX Runtime for an ONNX file."""

    name: str

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs by name, in the graph's order."""
        ...

    def precise(self, inputs: Mapping[str, Array]) -> dict[str, Array] | None:
        """The outputs computed in double precision. None if the source does not support that."""
        ...

    def rounded(self, inputs: Mapping[str, Array], roundings: float, seed: int) -> dict[str, Array] | None:
        """`precise`, with the operands of operators that round perturbed by up to `roundings` float32 roundings."""
        ...


@dataclass(frozen=True)
class SourceId:
    """Where the model came from. `sha256` is that of the named file."""

    kind: str
    ref: str
    sha256: str


class Branch(Protocol):
    """A rewritten data-dependent branch: where it is, how it was rewritten, and which sides the samples take."""

    @property
    def place(self) -> Place:
        """Its line in the source."""
        ...

    @property
    def how(self) -> str:
        """How it was rewritten."""
        ...

    @property
    def sides(self) -> tuple[bool, ...]:
        """The sides taken by some sample."""
        ...

    @property
    def rounds(self) -> tuple[int, ...] | None:
        """For a loop of the graph, the iteration counts seen on samples: 0, 1 or 2 (several)."""
        ...


@dataclass(frozen=True)
class ImportedModel:
    """A model as its frontend produces it: opset 23, not yet canonical, with its reference and example inputs.

    `extra_samples` take sides of `branches` that the examples do not take; `ranges` are the declared ranges of inputs;
    `constants` are inputs declared to have a single value, which are no longer inputs of the model.
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
