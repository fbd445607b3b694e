"""Samples: inputs with the outputs that the source computes for them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.generic]

SAMPLES = 2
"""The example and one similar draw, which suffice for a model of floats only."""


@dataclass(frozen=True)
class Sample:
    """Inputs and the source's outputs for them.

    `continues`: the states among the inputs are those after the previous sample. `kind`: how the inputs are unlike the
    example; empty for the example and similar draws. `beyond`: they strain the model with magnitudes that the example
    does not have.
    """

    inputs: dict[str, Array]
    expected: dict[str, Array]
    continues: bool = False
    kind: str = ""
    beyond: bool = False
