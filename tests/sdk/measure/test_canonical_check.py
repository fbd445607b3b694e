"""The canonical graph against the source: how much difference a source's own rounding excuses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx_ir as ir
import pytest

from edgec.diag import EdgecError, Severity
from edgec.measure.canonical_check import check_canonical
from edgec.measure.rounding import SourceRounding
from edgec.measure.samples import Sample
from edgec.runners.base import Array
from edgec.runners.onnxruntime import OnnxRuntimeRunner

X = np.ones((1, 4), np.float32)


def scaled(error: float) -> ir.Model:
    """x * (1 + error)."""
    text = (
        f'<ir_version: 8, opset_import: ["" : 17]> g (float[1,4] x) => (float[1,4] y) <float f = {{{1 + error:.9f}}}>'
    )
    return ir.from_onnx_text(text + " { y = Mul(x, f) }")


class Source:
    """A source that returns x, with a difference of `error` to its float64 value; None: it has no float64 form."""

    name = "fake"

    def __init__(self, error: float | None) -> None:
        self._error = error

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        return {"y": inputs["x"]}

    def precise(self, inputs: Mapping[str, Array]) -> dict[str, Array] | None:
        return None if self._error is None else {"y": inputs["x"] * (1 + self._error)}

    def rounded(self, inputs: Mapping[str, Array], roundings: float, seed: int) -> dict[str, Array] | None:
        return self.precise(inputs)


def check(error: float, rounding: float | None, strain: str = "") -> None:
    samples = [Sample({"x": X}, {"y": X}, kind=strain)]
    check_canonical(scaled(error), samples, SourceRounding(Source(rounding)))


@pytest.mark.parametrize(("error", "rounding"), [(5e-6, None), (5e-5, 2e-5), (9e-3, 2e-3)])
def test_taken(error: float, rounding: float | None) -> None:
    check(error, rounding)


@pytest.mark.parametrize(("error", "rounding"), [(5e-5, None), (5e-5, 1e-6), (2e-2, 2e-3)])
@pytest.mark.parametrize("strain", ["", "zeros"])
def test_refused(error: float, rounding: float | None, strain: str) -> None:
    with pytest.raises(EdgecError) as caught:
        check(error, rounding, strain)
    assert caught.value.diagnostics[0].code == "E0205"


def test_what_strains_the_model_is_a_warning() -> None:
    samples = [Sample({"x": 0 * X}, {"y": 0 * X}), Sample({"x": X}, {"y": X}, kind="ones", beyond=True)]
    (told,) = check_canonical(scaled(0.01), samples, SourceRounding(Source(None)))
    assert (told.code, told.severity) == ("E0611", Severity.WARNING)
    assert "(ones)" in told.message


def test_a_reference_that_fails_leaves_the_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(model: ir.Model, samples: Sequence[Sample]) -> list[dict[str, Array]]:
        raise ValueError("a kernel of numpy's")

    monkeypatch.setattr("edgec.measure.canonical_check._reference_outputs", fail)
    with pytest.raises(EdgecError) as caught:
        check(1e-2, None)
    assert caught.value.diagnostics[0].code == "E0205"


def test_what_is_told_is_how_far_the_best_run_is_off() -> None:
    """onnx's reference implementation adds the first group's bias to every group."""
    signature = "g (float[1,3,4,4] x) => (float[1,3,8,8] y) <float[3,1,4,4] w = {%s}, float[3] b = {1, 2, 3}>"
    weights = ", ".join(f"{i % 7 - 3}" for i in range(48))
    node = "y = ConvTranspose<group = 3, strides = [2, 2], pads = [1, 1, 1, 1]>(x, w, b)"
    text = f'<ir_version: 8, opset_import: ["" : 17]> {signature % weights} {{ {node} }}'
    model, x = ir.from_onnx_text(text), np.ones((1, 3, 4, 4), np.float32)
    with OnnxRuntimeRunner(model) as runner:
        y = runner.run({"x": x})["y"]
    with pytest.raises(EdgecError, match=r"by 0\.000999 relative"):
        check_canonical(model, [Sample({"x": x}, {"y": y * 1.001})], SourceRounding(Source(None)))
