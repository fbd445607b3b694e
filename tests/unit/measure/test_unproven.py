"""An output for which the source's own rounding excuses any result is reported, unless a sample proves something."""

from collections.abc import Mapping

import numpy as np
import pytest

from edgec.measure.accuracy import judged
from edgec.measure.rounding import SourceRounding
from edgec.measure.samples import Sample
from edgec.spec.target import Accept

Outputs = Mapping[str, np.ndarray]


class Order:
    """The order of two numbers that are equal except for rounding, and an output that is certain."""

    def __init__(self, apart: float) -> None:
        self.apart = apart

    def run(self, inputs: Outputs) -> dict[str, np.ndarray]:
        return self._of(inputs["x"].astype(np.float32), -(2.0**-24))

    def precise(self, inputs: Outputs) -> dict[str, np.ndarray]:
        return self._of(inputs["x"].astype(np.float64), 0.0)

    def rounded(self, inputs: Outputs, roundings: float, seed: int) -> dict[str, np.ndarray]:
        return self._of(inputs["x"].astype(np.float64), roundings * 2.0**-23 * (-1) ** seed)

    def _of(self, x: np.ndarray, off: float) -> dict[str, np.ndarray]:
        first, second = x, x[::-1]
        chosen = first if self.apart + off > 0 else second
        return {"chosen": chosen, "plain": x * 2}


@pytest.mark.parametrize(
    ("apart", "wrong", "codes", "failed"),
    [(1e-8, "chosen", ["E0614"], False), (1.0, "chosen", [], True), (1e-8, "plain", [], True), (1e-8, "", [], False)],
)
def test_an_output_about_which_nothing_is_proven_is_reported(
    apart: float, wrong: str, codes: list[str], failed: bool
) -> None:
    source = Order(apart)
    samples = [Sample({"x": x}, source.run({"x": x})) for x in (np.arange(1.0, 9), np.arange(1.0, 9) * 3)]
    found = [{n: -a if n == wrong else a for n, a in sample.expected.items()} for sample in samples]
    seen = judged(samples, found, Accept(max_rel=1e-4), SourceRounding(source))
    assert [d.code for d in seen.unproven] == codes
    assert bool(seen.failures) == failed


def test_a_sample_that_shows_the_output_proves_it() -> None:
    unsteady, steady = Order(1e-8), np.full(8, 2.0)
    samples = [Sample({"x": x}, unsteady.run({"x": x})) for x in (np.arange(1.0, 9), steady)]
    found = [{**samples[0].expected, "chosen": -samples[0].expected["chosen"]}, dict(samples[1].expected)]
    seen = judged(samples, found, Accept(max_rel=1e-4), SourceRounding(unsteady))
    assert not seen.unproven
    assert not seen.failures
