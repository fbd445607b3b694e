"""Inputs with a constant value: `--range sr=16000..16000`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import parser

from edgec.compiler.build import BuildReport, build
from edgec.compiler.check import Budget, check_artifact
from edgec.compiler.options import BuildOptions
from edgec.diag import EdgecError
from edgec.frontend.dynamic import parse_dynamics
from edgec.frontend.request import SourceRequest
from edgec.runners.open import open_runner
from edgec.spec.ranges import parse_ranges

RATES = """
<ir_version: 8, opset_import: ["" : 18]>
g (float[1,8] x, int64 sr, float[1] gain, float[n] tail) => (float[a,b] y, float[n] z)
<int64 rate = {16000}, int64 none = {0}, int64 two = {2}, int64[1] begin = {0}, int64[1] end = {8}, int64[1] axis = {1},
 int64[1] step = {2}>
{
  shifted = Add(sr, none)
  whole = Equal(shifted, rate)
  y = If (whole) <
    then_branch = a () => (float[1,8] t) { t = Mul(x, gain) },
    else_branch = b () => (float[1,4] e) { e = Slice(x, begin, end, axis, step) }
  >
  z = Identity(tail)
}"""


@pytest.fixture
def rates(tmp_path: Path) -> Path:
    onnx.save(parser.parse_model(RATES.replace("float[n] tail", "float[3] tail")), tmp_path / "rates.onnx")
    return tmp_path / "rates.onnx"


def made(path: Path, targets: list[str], *ranges: str) -> BuildReport:
    request = SourceRequest(str(path), ranges=parse_ranges(ranges))
    return build(request, targets, BuildOptions(out=path.parent / "build"), lambda step: None)


def test_an_input_of_one_value_decides_a_branch_and_is_no_input_of_artifacts(rates: Path) -> None:
    report = made(rates, ["android", "iphone"], "sr=8000..8000", "gain=0.5..0.5")
    assert not report.errors
    assert ["always 8000" in w.message or "always 0.5" in w.message for w in report.warnings] == [True, True]
    x, tail = np.arange(8, dtype=np.float32)[None], np.ones(3, np.float32)
    for item in report.built:
        assert not item.failures
        assert [i.name for i in item.manifest.inputs] == ["x", "tail"]
        assert [(r.input, r.low, r.high) for r in item.manifest.ranges][2:] == [("sr", 8000, 8000), ("gain", 0.5, 0.5)]
        path = item.folder / item.manifest.artifact.path
        with open_runner(path, as_source=item.manifest.shown) as runner:
            y, _ = runner.run({"x": x, "tail": tail}).values()
        np.testing.assert_array_equal(y, x[:, ::2])
        assert not check_artifact(path, SourceRequest(str(rates)), Budget()).failures


def test_the_refusal_of_a_branch_names_the_input_that_decides_it(rates: Path) -> None:
    with pytest.raises(EdgecError, match="cannot be merged") as refused:
        made(rates, ["android"])
    (found,) = refused.value.diagnostics
    assert found.code == "E0206"
    assert "use `--range sr=VALUE..VALUE`" in found.help[-1]


@pytest.mark.parametrize(
    ("ranges", "why"),
    [
        (("sr=0.5..0.5",), "no int64 is 0.5"),
        (("sr=1e300..1e300",), "no int64 is 1e\\+300"),
        (("sr=9007199254740993..9007199254740993",), "cannot always be"),
        (("x=1..1", "sr=0..0", "gain=1..1", "tail=1..1"), "no other input is left"),
        (("rs=0..0",), "rs"),
    ],
)
def test_what_cannot_be_constant_is_refused(rates: Path, ranges: tuple[str, ...], why: str) -> None:
    with pytest.raises(EdgecError, match=why) as refused:
        made(rates, ["android"], *ranges)
    assert {d.code for d in refused.value.diagnostics} == {"E0107"}


def test_an_open_input_cannot_be_constant(tmp_path: Path) -> None:
    onnx.save(parser.parse_model(RATES), tmp_path / "open.onnx")
    said = SourceRequest(
        str(tmp_path / "open.onnx"),
        dynamic=parse_dynamics(["tail:0=n:1..4"]),
        ranges=parse_ranges(("tail=1..1",)),
    )
    with pytest.raises(EdgecError, match="its size is open"):
        build(said, ["android"], BuildOptions(out=tmp_path / "build"), lambda step: None)
