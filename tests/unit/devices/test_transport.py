"""What tells a script that ended from a connection that was lost."""

from pathlib import Path

import pytest

from edgec.devices.connect import connect
from edgec.devices.local import LocalTransport
from edgec.devices.tool import Done
from edgec.devices.transport import Ran, ended, marked
from edgec.diag import EdgecError
from edgec.spec.reach import Reach, reach_of


@pytest.mark.parametrize(
    ("script", "ran"),
    [
        ("echo hi", Ran(0, "hi\n")),
        ("exit 7", Ran(7, "")),
        ("printf 'no end'", Ran(0, "no end")),
        ("kill -9 $$", None),
        ("cat", Ran(0, "")),  # its input is empty, not the script
        ("sh -c 'kill -9 $$'", Ran(137, "")),
    ],
)
def test_scripts(script: str, ran: Ran | None) -> None:
    if ran is None:
        with pytest.raises(EdgecError, match="E0703"):
            LocalTransport().run(script)
    else:
        assert LocalTransport().run(script) == ran


def test_output_that_was_cut_off_is_a_lost_connection() -> None:
    whole = "one\ntwo\n\nedgec-ended-with 0\n"
    assert ended("board", Done(0, whole, ""), 1) == Ran(0, "one\ntwo\n")
    for length in range(len(whole) - 1):
        with pytest.raises(EdgecError, match="E0703"):
            ended("board", Done(0, whole[:length], "closed"), 1)
    assert "edgec-ended-with" in marked("true")


def test_what_takes_too_long_is_stopped() -> None:
    with pytest.raises(EdgecError, match="E0706"):
        LocalTransport().run("sleep 60", limit_s=0.3)


@pytest.mark.parametrize(
    ("text", "reach"),
    [
        ("adb:R5CT", Reach("adb", serial="R5CT")),
        ("adb:", Reach("adb")),
        ("adb:192.168.0.7:5555", Reach("adb", serial="192.168.0.7:5555")),
        ("adb:R5CT@farm:5037", Reach("adb", serial="R5CT", server="farm:5037")),
        ("ssh://pi@board", Reach("ssh", host="pi@board")),
        ("ssh://board:2222", Reach("ssh", host="board:2222")),
    ],
)
def test_addresses(text: str, reach: Reach) -> None:
    assert reach_of(text) == reach


@pytest.mark.parametrize("text", ["ssh://", "ssh://-oProxyCommand=x", "ssh://a b", "adb:x@nowhere", "moon", "ssh:x"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(EdgecError, match="E0701"):
        reach_of(text)


@pytest.mark.parametrize("reach", [Reach("none"), Reach("ssh"), Reach("apple")])
def test_profiles_that_do_not_say_how(reach: Reach) -> None:
    with pytest.raises(EdgecError, match="cannot be reached"):
        connect(reach)


@pytest.mark.parametrize("address", ["ssh://board", "adb:R5CT"])
def test_a_missing_program_is_told(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EdgecError, match="there is no"):
        connect(reach_of(address))
