"""What a build knows of a model's values, for whoever has to decide by them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar, cast

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgec.ir.fingerprint import fingerprint
from edgec.ir.model import Model

Array = NDArray[np.generic]
Samples = Sequence[Mapping[str, Array]]
Seen = TypeVar("Seen")


@dataclass(frozen=True)
class Calibration:
    """Typical inputs of the canonical model by name, and what is observed where they run. Without any, nothing is.

    One calibration serves a build: what was seen of a graph is there for every target and form that makes the same.
    """

    samples: tuple[Mapping[str, Array], ...] = ()
    _seen: dict[tuple[Callable[..., object], str], tuple[object, list[ir.TensorProtocol]]] = field(
        default_factory=dict, compare=False, repr=False
    )

    def observe(self, model: Model, look: Callable[[Model, Samples], Seen]) -> Seen:
        """What `look` sees of the model on the samples, by the names of its values: plain data, gathered once."""
        digest, tensors = fingerprint(model)
        if (look, digest) not in self._seen:
            self._seen[look, digest] = look(model, self.samples), tensors
        return cast(Seen, self._seen[look, digest][0])


UNCALIBRATED = Calibration()
"""No inputs are known."""
