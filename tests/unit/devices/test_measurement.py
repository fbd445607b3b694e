"""Measurements: under the profile's limits alone, and marked where they are unstable."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgec.devices.conditions import Watch
from edgec.devices.engine import Timed, check_times
from edgec.devices.facts import State
from edgec.devices.measurement import TRIES, Amount, measure, statistics_of
from edgec.diag import EdgecError
from edgec.spec.reach import Limits
from tests.unit.devices.scripted import ScriptedRunner

LIMITS = Limits(max_temperature_c=45.0, min_battery_percent=30.0)
COOL, HOT, LOW = State(40.0, 80.0), State(46.0, 80.0), State(40.0, 29.0)


def watched(runner: ScriptedRunner, told: list[str], limits: Limits = LIMITS) -> Watch:
    return Watch(runner.state, limits, 60.0, told.append, lambda seconds: None)


def measured(states: Sequence[State], medians: Sequence[float] = (1.0,), limits: Limits = LIMITS):
    runner, told = ScriptedRunner(states, medians), []
    return measure(runner, "board", "cpu", Amount(), watched(runner, told, limits)), runner, told


readings = st.builds(
    State,
    temperature_c=st.none() | st.floats(20, 70),
    battery_percent=st.none() | st.floats(0, 100),
)


@given(st.lists(readings, min_size=1, max_size=100))
def test_never_above_the_temperature_or_below_the_charge(states: list[State]) -> None:
    """Whatever the device's states are one after another: a try never begins, nor counts, beyond a limit."""
    runner, told = ScriptedRunner(states), []
    try:
        found = measure(runner, "board", "cpu", Amount(), watched(runner, told))
    except EdgecError as failure:
        found, code = None, failure.diagnostics[0].code
    else:
        code = "E0705"
    assert code == "E0705"
    for state in runner.timed_in:
        assert state.temperature_c is None or state.temperature_c <= 45.0
        assert state.battery_percent is None or state.battery_percent >= 30.0
    if found is not None:
        for state in (found.before, found.after):
            assert watched(runner, told).against(state) == ""


def test_it_waits_for_a_hot_device_and_says_so() -> None:
    found, runner, told = measured([HOT, HOT, COOL])
    assert told == ["waiting, at most 60 seconds: it is at 46.0 °C, the limit is 45.0 °C"]
    assert len(runner.timed_in) == TRIES
    assert found.statistics.runs >= 1024


@pytest.mark.parametrize(("state", "why"), [(HOT, "46.0 °C"), (LOW, "29 %")])
def test_the_wait_is_bounded(state: State, why: str) -> None:
    runner, told = ScriptedRunner([state]), []
    with pytest.raises(EdgecError, match="E0705") as failure:
        measure(runner, "board", "cpu", Amount(), watched(runner, told))
    assert why in str(failure.value)
    assert failure.value.diagnostics[0].notes == ("waited 60 seconds for it",)
    assert runner.timed_in == []


def test_a_try_that_ends_too_hot_is_thrown_away() -> None:
    found, runner, told = measured([COOL, HOT, COOL])
    assert (found.discarded, len(runner.timed_in)) == (1, TRIES + 1)
    assert "thrown away" in told[0]


def test_a_device_that_never_stays_cool_is_given_up() -> None:
    runner, told = ScriptedRunner([COOL, HOT] * 20), []
    with pytest.raises(EdgecError, match="does not stay within its limits"):
        measure(runner, "board", "cpu", Amount(), watched(runner, told))


def test_limits_that_cannot_be_watched_are_told() -> None:
    _, _, told = measured([State()])
    assert len(told) == 2
    assert all("does not tell" in text for text in told)


def test_a_restart_is_told() -> None:
    with pytest.raises(EdgecError, match="E0703"):
        measured([State(boot="a"), State(boot="b")])


def test_tries_that_spread_are_unstable() -> None:
    stable, _, _ = measured([COOL], [1.0, 1.01, 1.0, 1.0, 1.04])
    unstable, _, _ = measured([COOL], [1.0, 1.01, 1.0, 1.0, 1.06])
    assert stable.statistics.stable
    assert not unstable.statistics.stable
    assert unstable.statistics.spread == pytest.approx(0.06)


@given(st.lists(st.lists(st.floats(0.01, 1e4), min_size=1, max_size=50), min_size=1, max_size=6))
def test_statistics_are_those_of_all_samples(tries: list[list[float]]) -> None:
    made = []
    for samples in map(np.asarray, tries):
        spread = (float(samples.mean()), float(samples.min()), float(samples.max()), float(np.median(samples)))
        made.append(Timed(samples.size, *spread, None, None, samples))
    found, everything = statistics_of(made), np.concatenate([np.asarray(t) for t in tries])
    assert found.runs == everything.size
    assert found.p50_ms == pytest.approx(np.median(everything))
    assert found.mean_ms == pytest.approx(everything.mean())
    assert (found.least_ms, found.largest_ms) == (everything.min(), everything.max())


def test_without_single_runs_there_are_no_percentiles() -> None:
    def one(median: float | None) -> Timed:
        return Timed(205, 1.1, 0.9, 1.5, median, None, None, np.empty(0))

    known, unknown = statistics_of([one(1.0), one(1.02)]), statistics_of([one(None), one(1.0)])
    assert (known.p50_ms, known.p90_ms, known.p99_ms) == (1.01, None, None)
    assert unknown.p50_ms is None
    assert unknown.tries_ms == (1.1, 1.1)


@pytest.mark.parametrize(
    "claim",
    [
        (100, 1.0, 0.5, 2.0, 1.0),  # 0.1 seconds of runs in 0.05
        (10, 1.0, 1.5, 2.0, 1.6),
        (10, 3.0, 1.0, 2.0, 1.5),
        (10, float("nan"), 1.0, 2.0, 1.5),
        (10, -1.0, -2.0, 2.0, 1.5),
        (0, 1.0, 1.0, 1.0, 1.0),
        (10, 1.0, 0.5, 2.0, 3.0),
    ],
)
def test_times_that_cannot_be_true_are_refused(claim: tuple[int, float, float, float, float]) -> None:
    with pytest.raises(EdgecError, match="cannot be true"):
        check_times("board", Timed(*claim, None, None, np.empty(0)), wall_s=0.05)
    kept = Timed(10, 1.0, 0.5, 2.0, 1.0, None, None, np.empty(0))
    assert check_times("board", kept, wall_s=0.05) is kept
