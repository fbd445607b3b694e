"""What a build knows of a model's values, for whoever has to decide by them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.generic]


@dataclass(frozen=True)
class Calibration:
    """Typical inputs of the canonical model, by name. Without any, nothing is decided by values."""

    samples: tuple[Mapping[str, Array], ...] = ()


UNCALIBRATED = Calibration()
"""No inputs are known."""
