"""Samples: inputs, and what the source computes for them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.generic]

SAMPLES = 2
"""The example and one draw like it: what shows a model of floats alone."""


@dataclass(frozen=True)
class Sample:
    """One set of inputs and what the source computes for them.

    `continues`: the states among the inputs are what the sample before left. `kind`: in what the inputs are unlike the
    example; empty for the example and what was drawn like it. `beyond`: they strain the model by magnitudes that the
    example does not have.
    """

    inputs: dict[str, Array]
    expected: dict[str, Array]
    continues: bool = False
    kind: str = ""
    beyond: bool = False
