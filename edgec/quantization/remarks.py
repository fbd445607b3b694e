"""What was put into integers, for the manifest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from edgec.passes.remarks import Decided


@dataclass(frozen=True)
class NarrowWeights(Decided):
    """Weights that are stored in fewer bits: how, how many, and their bytes with scales, before and after."""

    section: ClassVar[str] = "quantization"
    weights: str
    tensors: int
    float_bytes: int
    stored_bytes: int

    def table(self) -> Mapping[str, object]:
        """As the manifest holds it."""
        return {
            "weights": self.weights,
            "activations": "float",
            "quantized_weights": self.tensors,
            "weight_bytes": {"float": self.float_bytes, "stored": self.stored_bytes},
        }
