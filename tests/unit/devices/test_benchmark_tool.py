"""What `benchmark_model` prints, of several versions."""

import pytest

from edgec.devices.benchmark_tool import applied, statistics, unit_flags
from edgec.diag import EdgecError

OLD = """STARTING!
Initialized session in 1.066ms.
Running benchmark for at least 1 iterations and at least 0.5 seconds but terminate if exceeding 150 seconds.
count=212 first=4201 curr=2257 min=2195 max=4201 avg=2351.94 std=175

Running benchmark for at least 50 iterations and at least 1 seconds but terminate if exceeding 150 seconds.
count=421 first=2282 curr=2341 min=2180 max=3301 avg=2365.21 std=90

Inference timings in us: Init: 1066, First inference: 4201, Warmup (avg): 2351.94, Inference (avg): 2365.21
"""
NEW = OLD.replace("INFO: ", "").replace("std=90", "std=90 p5=2200 median=2350 p95=2500").replace("count", "INFO: count")


def test_the_last_phase_counts() -> None:
    found = statistics(OLD)
    assert found is not None
    assert (found.runs, found.mean_ms) == (421, pytest.approx(2.36521))
    assert (found.least_ms, found.largest_ms) == (2.18, 3.301)
    assert (found.median_ms, found.init_ms, found.first_ms) == (None, 1.066, 4.201)


def test_later_versions_tell_the_median() -> None:
    found = statistics(NEW)
    assert found is not None
    assert (found.runs, found.median_ms) == (421, 2.35)


@pytest.mark.parametrize("said", ["", OLD[:250], OLD.replace("avg=2365.21", "avg=nonsense"), "count=1 min= max="])
def test_what_is_broken_is_no_statistics(said: str) -> None:
    assert statistics(said) is None


@pytest.mark.parametrize(
    ("said", "is_applied"),
    [
        ("Explicitly applied GPU delegate, and the model graph will be completely executed by the delegate.", True),
        ("Explicitly applied GPU delegate, and the model graph will be partially executed by the delegate.", True),
        ("Though GPU delegate is explicitly applied, the model graph will not be executed by the delegate.", False),
        ("", False),
    ],
)
def test_whether_the_delegate_ran(said: str, is_applied: bool) -> None:
    assert applied(said) == is_applied


def test_flags_of_units() -> None:
    assert unit_flags("cpu", "") == ("--use_xnnpack=true",)
    assert unit_flags("gpu", "") == ("--use_gpu=true",)
    assert unit_flags("npu", "/vendor/lib.so") == ("--external_delegate_path=/vendor/lib.so",)
    with pytest.raises(EdgecError, match="which delegate runs its npu"):
        unit_flags("npu", "")
