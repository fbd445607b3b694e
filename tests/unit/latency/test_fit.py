"""A fit finds what a device does, intervals hold what they say, and what nobody measured is said to be so."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from edgec.latency.crossvalidate import spearman, train
from edgec.latency.estimate import EXTRAPOLATED, FITTED, OUTSIDE, estimate
from edgec.latency.fit import fit
from edgec.latency.interval import quantile
from edgec.latency.model import Factors, costs, evaluate, shares
from edgec.latency.predictor import OnDevice
from edgec.latency.terms import IS_RATE, PARAMETERS, terms
from tests.unit.latency.programs import DEVICES, FAMILY, TRUE, measured, network


def _silent(step: str) -> None:
    pass


@pytest.fixture(scope="module")
def trained():
    samples, programs = measured(noise=0.05)
    return train(FAMILY, samples, programs, _silent)


def test_a_fit_predicts_networks_and_devices_that_it_was_given() -> None:
    samples, programs = measured(noise=0.0)
    found = fit(samples, programs, FAMILY.format, FAMILY.prior)
    for s in samples:
        ms = evaluate(programs[s.network], FAMILY.format, found.parameters, found.devices[s.device]).total
        assert ms == pytest.approx(s.ms, rel=0.06)
    ratio = found.devices["slow"].scale / found.devices["fast"].scale
    assert ratio == pytest.approx(DEVICES["slow"].scale / DEVICES["fast"].scale, rel=0.1)


def test_the_derivatives_are_those_of_the_residuals() -> None:
    from edgec.latency.fit import _Problem

    samples, programs = measured(noise=0.1)
    used = {name: terms(program, FAMILY.format) for name, program in programs.items()}
    problem = _Problem(samples, used, FAMILY.prior, sorted(DEVICES))
    at = problem.mean + 0.1
    _, slopes = problem.residuals(at)
    for i in range(0, len(at), 5):
        step = np.zeros(len(at))
        step[i] = 1e-6
        numeric = (problem.residuals(at + step)[0] - problem.residuals(at - step)[0]) / 2e-6
        np.testing.assert_allclose(slopes[:, i], numeric, rtol=1e-4, atol=1e-5)


def test_unseen_architectures_are_predicted_with_intervals_that_hold(trained) -> None:
    quality = trained.predictor.quality
    assert quality.networks == 24
    assert quality.median_error < 0.1
    assert quality.spearman > 0.97
    assert 0.8 <= quality.coverage <= 1.0
    new = network(17, 80, 900, elementwise=9)
    for device, factors in DEVICES.items():
        found = estimate(new, trained.predictor, device)
        assert found.confidence == FITTED
        assert found.low_ms < evaluate(new, FAMILY.format, TRUE, factors).total < found.high_ms


def test_a_row_that_did_not_run_where_it_says_is_left_out() -> None:
    samples, programs = measured(noise=0.02)
    wrong = [s if s.network != "lib.cnet_1@224" else type(s)(s.network, s.device, s.ms * 50) for s in samples]
    found = train(FAMILY, wrong, programs, _silent)
    assert {s.network for s in found.left_out} == {"lib.cnet_1@224"}
    assert found.predictor.quality.median_error < 0.1


def test_what_was_never_measured_is_outside(trained) -> None:
    known = trained.predictor
    unseen = network(5, 64, 400)
    softmax = type(unseen)(
        ("softmax",) * 5, *(getattr(unseen, n) for n in ("macs", "lanes", "moved", "weights", "bits")), 1, 1, 0
    )
    found = estimate(softmax, known, "fast")
    assert found.confidence == OUTSIDE
    assert "softmax" in found.reasons[0]
    assert any("GMACs" in r for r in estimate(network(200, 512, 4000), known, "fast").reasons)
    assert any("changes of unit" in r for r in estimate(unseen.crossing(9), known, "fast").reasons)


def test_a_borrowed_device_has_a_wider_interval(trained) -> None:
    new = network(9, 64, 400)
    own = trained.predictor.devices["fast"]
    like = OnDevice(own.factors, "extrapolated", borrowed="fast", widening=0.3)
    both = replace(trained.predictor, devices={"fast": own, "like": like})
    first, second = (estimate(new, both, name) for name in ("fast", "like"))
    assert (second.confidence, second.p50_ms) == (EXTRAPOLATED, first.p50_ms)
    assert second.high_ms / second.low_ms > first.high_ms / first.low_ms
    assert "fast" in second.method


def test_parts_add_up_and_scale() -> None:
    program = network(9, 64, 400, elementwise=4)
    plain = evaluate(program, FAMILY.format, TRUE, Factors())
    double = evaluate(program, FAMILY.format, TRUE, Factors(2.0))
    assert double.total == pytest.approx(2 * plain.total)
    assert shares(terms(program, FAMILY.format), costs(TRUE, Factors())).sum() == pytest.approx(1)
    assert {plain.bound(i) for i in range(len(program))} <= {"compute", "bandwidth", "overhead"}
    faster = {p: v * (2 if IS_RATE[i] else 0.5) for i, (p, v) in enumerate((p, TRUE[p]) for p in PARAMETERS)}
    assert evaluate(program, FAMILY.format, faster, Factors()).total == pytest.approx(plain.total / 2)


def test_quantile_and_rank_by_hand() -> None:
    assert quantile({str(i): [float(i)] for i in range(1, 20)}) == 18.0
    assert quantile({"a": [1.0, 3.0], "b": [5.0]}) == 5.0
    assert spearman([1, 2, 3, 4], [10, 20, 30, 40]) == pytest.approx(1)
    assert spearman([1, 2, 3, 4], [4, 3, 2, 1]) == pytest.approx(-1)
    assert spearman([1, 1, 2], [1, 1, 2]) == pytest.approx(1)


def test_a_prediction_needs_no_torch() -> None:
    code = "import sys, edgec.latency.estimate; print([m for m in ('torch', 'sklearn', 'scipy') if m in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
