"""The samples of a build, and what was observed of its graphs on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar, cast

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgec.calibration.data import CalibrationData
from edgec.ir.fingerprint import fingerprint
from edgec.ir.model import Model

Array = NDArray[np.generic]
Samples = Sequence[Mapping[str, Array]]
Seen = TypeVar("Seen")


@dataclass(frozen=True)
class Calibration:
    """Inputs of the canonical model by name, and what is observed when it runs on them. Nothing is without samples.

    One calibration serves a whole build: an observation is shared by all targets and precisions with the same graph.
    """

    samples: tuple[Mapping[str, Array], ...] = ()
    data: CalibrationData | None = None
    _seen: dict[tuple[Callable[..., object], str], tuple[object, list[ir.TensorProtocol]]] = field(
        default_factory=dict, compare=False, repr=False
    )

    def observe(self, model: Model, look: Callable[[Model, Samples], Seen]) -> Seen:
        """The result of `look` on the model and the samples, cached by graph: plain data, keyed by value names."""
        digest, tensors = fingerprint(model)
        if (look, digest) not in self._seen:
            self._seen[look, digest] = look(model, self.samples), tensors
        return cast(Seen, self._seen[look, digest][0])


UNCALIBRATED = Calibration()
"""No samples are known."""
