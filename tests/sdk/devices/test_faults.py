"""What goes wrong on devices: each is told with what to do, leaves nothing there and records nothing."""

import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from edgec.cli.app import app
from tests.doubles.sshd import Server
from tests.sdk.devices.conftest import Phone, Place, battery, python
from tests.sdk.devices.test_devices import _working_in

_EXITS = {"E0601": 1, "E0706": 1, "E0701": 4, "E0703": 4, "E0705": 4}


def bench(artifact: Path, device: str, *more: object) -> Result:
    words = ["bench", artifact, "--device", device, "--runs", 20, "--seconds", 5, "--wait", 0, "--record", *more]
    return CliRunner().invoke(app, list(map(str, words)))


def told(done: Result, code: str, said: str, place: Place) -> None:
    assert done.exit_code == _EXITS[code], done.output
    assert f"error[{code}]" in done.stderr
    assert said in done.stderr
    assert "= help:" in done.stderr
    assert done.stdout == ""
    assert place.recorded == []


@pytest.mark.parametrize(
    ("fault", "code", "said", "more"),
    [
        ("kill", "E0706", "ended by signal 9 (killed)", ()),
        ("hang", "E0706", "did not finish within", ("--limit", 1, "--seconds", 1)),
        ("garbage", "E0706", "something that is no result", ()),
        ("endless", "E0706", "something that is no result", ()),
        ("impossible", "E0706", "cannot be true", ()),
        ("wrong", "E0601", "nothing was timed", ()),
        ("slow", "E0706", "did not finish within", ("--limit", 1, "--seconds", 1, "--warm-up", 20)),
    ],
)
def test_faults_of_the_run(
    fault: str, code: str, said: str, more: tuple[object, ...], phone: Phone, place: Place, artifact: Path
) -> None:
    phone.device.environment["FAULT"] = fault
    told(bench(artifact, "phone", *more), code, said, place)
    assert list(phone.device.sandbox.iterdir()) == []
    assert _working_in(phone.device.sandbox) == []


@pytest.mark.parametrize(("level", "tenths", "said"), [(80, 480, "it is at 48.0 °C"), (12, 310, "battery is at 12 %")])
def test_hot_and_low(level: int, tenths: int, said: str, phone: Phone, place: Place, artifact: Path) -> None:
    battery(phone, level, tenths)
    told(bench(artifact, "phone"), "E0705", said, place)
    assert list(phone.device.sandbox.iterdir()) == []


def test_the_cable_is_pulled_in_mid_push(phone: Phone, place: Place, artifact: Path) -> None:
    phone.device.faults.drop_after = 100
    told(bench(artifact, "phone"), "E0703", "was lost", place)


def test_the_disk_is_full(phone: Phone, place: Place, artifact: Path) -> None:
    phone.device.faults.full = True
    told(bench(artifact, "phone"), "E0705", "not enough space", place)
    assert list(phone.device.sandbox.iterdir()) == []


def test_the_device_restarts(phone: Phone, place: Place, artifact: Path) -> None:
    boots = '#!/bin/sh\ncase "$1" in */boot_id) exec /bin/cat /proc/sys/kernel/random/uuid;; esac\nexec /bin/cat "$@"\n'
    phone.program("cat", boots)
    told(bench(artifact, "phone"), "E0703", "restarted", place)
    assert list(phone.device.sandbox.iterdir()) == []


def test_it_does_not_trust_this_machine(phone: Phone, place: Place, artifact: Path) -> None:
    phone.device.faults.unauthorized = True
    phone.device.pull_the_cable()
    told(bench(artifact, "phone"), "E0701", "cannot be reached", place)


def test_after_a_fault_the_device_is_measured_as_before(phone: Phone, place: Place, artifact: Path) -> None:
    phone.device.environment["FAULT"] = "kill"
    assert bench(artifact, "phone").exit_code == 1
    phone.device.environment.clear()
    assert bench(artifact, "phone").exit_code == 0
    assert place.recorded != []


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("sleep 600", "E0706", "did not finish within"),
        ("kill -11 $$", "E0706", "segmentation fault"),
        ('echo edgec-result {\\"runtime\\": \\"x\\"}', "E0706", "left no `samples.npy`"),
    ],
)
def test_faults_of_a_board(text: str, code: str, said: str, board: Server, place: Place, artifact: Path) -> None:
    """The first run is right, and what should be timed goes wrong."""
    program = place.folder / "python"
    program.write_text(f'#!/bin/sh\n[ "$2" = run ] && exec {sys.executable} "$@"\n{text}\n', encoding="utf-8")
    program.chmod(0o755)
    place.profile("bad", f'runner = "ssh"\nhost = "board"\nfolder = "{board.scratch}"\n{python(str(program))}')
    told(bench(artifact, "bad", "--limit", 5, "--seconds", 1), code, said, place)
    assert list(board.scratch.iterdir()) == []
    assert _working_in(board.scratch) == []


def test_a_wrong_board_is_never_timed(board: Server, place: Place, artifact: Path) -> None:
    """One output of one sample is wrong, in one element."""
    program = place.folder / "python"
    fix = (
        "import sys, runpy, numpy\\nsave = numpy.savez\\n"
        "def wrong(path, names, *arrays):\\n    arrays[-1].flat[3] += 1\\n    save(path, names, *arrays)\\n"
        "numpy.savez = wrong\\nopen(sys.argv.pop(1), 'a').write(sys.argv[2] + ' ')\\nsys.argv.pop(0)\\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    log = place.folder / "log"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -c "$(printf \'%b\' "{fix}")" {log} "$@"\n')
    program.chmod(0o755)
    place.profile("bad", f'runner = "ssh"\nhost = "board"\nfolder = "{board.scratch}"\n{python(str(program))}')
    told(bench(artifact, "bad"), "E0601", "on `ssh://board` the largest relative error", place)
    assert log.read_text().split() == ["run", "run"]


def test_hosts_that_do_not_let_us_in(board: Server, place: Place, artifact: Path) -> None:
    config = board.config.read_text()
    other = place.folder / "config"
    (board.bin / "ssh").write_text((board.bin / "ssh").read_text().replace(str(board.config), str(other)))
    try:
        for change, said in (
            (("IdentityFile", "#IdentityFile"), "ssh-copy-id"),
            (("UserKnownHostsFile", "#UserKnownHostsFile"), "log in once by hand"),
            ((" Port ", " Port 1 #"), "check the board's power"),
        ):
            other.write_text(config.replace(*change))
            told(bench(artifact, "board"), "E0701", said, place)
    finally:
        (board.bin / "ssh").write_text((board.bin / "ssh").read_text().replace(str(other), str(board.config)))
