"""What was quantized and what was not, for the manifest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import ClassVar

from edgec.passes.remarks import Decided


@dataclass(frozen=True)
class NarrowWeights(Decided):
    """Weights stored with fewer bits: how, how many, and their size in bytes with scales, before and after."""

    section: ClassVar[str] = "quantization"
    weights: str
    tensors: int
    float_bytes: int
    stored_bytes: int

    def table(self) -> Mapping[str, object]:
        """The entry in the manifest."""
        return {
            "weights": self.weights,
            "activations": "float",
            "quantized_weights": self.tensors,
            "weight_bytes": {"float": self.float_bytes, "stored": self.stored_bytes},
        }


@dataclass(frozen=True)
class FloatOp:
    """An instruction of a quantized program that computes in floats, the path of its module, and the reason."""

    op: str
    node: str
    module: str
    reason: str


@dataclass(frozen=True)
class Calibrated:
    """The samples on which ranges were observed: number, origin, hash, and the method that computed scales."""

    samples: int
    data: str
    sha256: str
    method: str


@dataclass(frozen=True)
class IntegerProgram(Decided):
    """A quantized program: the formats, the number of integer instructions, and the float instructions."""

    section: ClassVar[str] = "quantization"
    weights: str
    activations: str
    integer_ops: int
    float_ops: tuple[FloatOp, ...]
    calibration: Calibrated

    def table(self) -> Mapping[str, object]:
        """The entry in the manifest."""
        return asdict(self)


@dataclass(frozen=True)
class StepCheck(Decided):
    """Integer kernels compared with simulated quantization (float arithmetic and rounding) on the same inputs, by
    value.

    `values` is the number of values compared, with that many `elements`; `equal` is the share of equal elements,
    `largest` the largest difference in quantization steps.
    """

    section: ClassVar[str] = "integer_reference"
    values: int
    elements: int
    equal: float
    largest: int

    @staticmethod
    def of(found: Sequence[tuple[int, int, int]]) -> StepCheck:
        """From the size, the number of differing elements and the largest difference of each value."""
        size = sum(n for n, _, _ in found)
        off = sum(n for _, n, _ in found)
        return StepCheck(len(found), size, 1 - off / size if size else 1.0, max((n for _, _, n in found), default=0))
