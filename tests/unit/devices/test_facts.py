"""What devices say of themselves, read from what they write."""

import shutil
import subprocess

import pytest

from edgec.devices.facts import _IDENTITY, _STATE, Identity, State, identity_of, state_of
from tests.unit.devices.scripted import ScriptedTransport

PHONE = """dumped=level: 83
dumped=temperature: 312
thermal=Thermal Status: 0
zone=cpu-1-0-usr 48200
zone=tz-that-is-off -273000
governor=schedutil
governor=schedutil
governor=performance
boot=5c1e
"""
BOARD = """zone=cpu-thermal 51540
zone=gpu-thermal 49000
zone=broken
thermal=throttled=0x0
boot=77aa
a motto of the day
"""


def test_a_phone() -> None:
    found = state_of(ScriptedTransport(lambda script: PHONE))
    assert found == State(31.2, 83.0, "performance, schedutil", "Thermal Status: 0", "5c1e")


def test_a_board() -> None:
    found = state_of(ScriptedTransport(lambda script: BOARD))
    assert found == State(51.54, None, "", "throttled=0x0", "77aa")


@pytest.mark.parametrize(("zone", "value"), [("gpu-thermal", 49.0), ("cpu-1-0-usr", None)])
def test_the_zone_of_the_profile_counts(zone: str, value: float | None) -> None:
    assert state_of(ScriptedTransport(lambda script: BOARD), zone).temperature_c == value


def test_the_zone_counts_on_a_phone_too() -> None:
    assert state_of(ScriptedTransport(lambda script: PHONE), "cpu-1-0-usr").temperature_c == 48.2


@pytest.mark.parametrize("said", ["", "zone=\n=\n===\nbattery=eleven\ndumped=level: -5\n", "\x00\xff"])
def test_nonsense_is_not_known(said: str) -> None:
    assert state_of(ScriptedTransport(lambda script: said)) == State()


def test_identity_is_the_first_that_is_said() -> None:
    said = "model=Google Pixel 8\nmodel=other\nsoc=Tensor G3\nprocessors=9\nunheard=of\nos=Android 15\n"
    found = identity_of(ScriptedTransport(lambda script: said))
    assert found == Identity(model="Google Pixel 8", soc="Tensor G3", os="Android 15", processors=9)


@pytest.mark.parametrize("script", [_IDENTITY, _STATE])
def test_the_scripts_are_plain_posix(script: str) -> None:
    """They run by dash, without a word on the standard error, and fit what an old adbd takes: 4,096 bytes."""
    shell = shutil.which("dash") or "sh"
    done = subprocess.run([shell, "-c", script], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert "=" in done.stdout
    assert len(script) < 3500
