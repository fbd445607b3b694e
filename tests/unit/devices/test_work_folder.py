"""The folder on a device: held by one, removed in the end, and swept where its holder is gone."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgec.devices.local import LocalTransport
from edgec.devices.work_folder import _machine, work_folder
from edgec.diag import EdgecError


@pytest.fixture
def transport(tmp_path: Path) -> LocalTransport:
    return LocalTransport(str(tmp_path))


def left(tmp_path: Path, holder: str, seconds: int) -> Path:
    """A folder that somebody left, with a lease of so many seconds more."""
    folder = tmp_path / f"edgec-run-{os.getuid()}"
    folder.mkdir()
    (folder / "holder").write_text(holder + "\n")
    (folder / "lease").write_text(f"{int(time.time()) + seconds}\n")
    (folder / "model").write_bytes(b"left")
    return folder


def test_it_is_removed_and_nothing_else_is(transport: LocalTransport, tmp_path: Path) -> None:
    (tmp_path / "the users own").write_text("kept")
    with work_folder(transport) as folder:
        source = tmp_path / "source"
        source.write_bytes(bytes(1000))
        folder.push(source, "copy")
        folder.pull("copy", tmp_path / "back")
        assert folder.run("ls").output.split() == ["copy", "holder", "lease"]
        assert Path(folder.path).stat().st_mode & 0o777 == 0o700
    assert sorted(p.name for p in tmp_path.iterdir()) == ["back", "source", "the users own"]
    assert (tmp_path / "back").read_bytes() == bytes(1000)


@pytest.mark.parametrize("failure", [KeyboardInterrupt, RuntimeError])
def test_it_is_removed_on_ctrl_c_and_on_errors(
    failure: type[BaseException], transport: LocalTransport, tmp_path: Path
) -> None:
    with pytest.raises(failure), work_folder(transport):
        raise failure
    assert list(tmp_path.iterdir()) == []


def test_what_runs_in_it_is_killed(transport: LocalTransport) -> None:
    with work_folder(transport) as folder:
        child = subprocess.Popen(["sleep", "600"], cwd=folder.path)
        other = subprocess.Popen(["sleep", "600"])
    assert child.wait(10) == -9
    assert other.poll() is None
    other.kill()
    other.wait()


def test_while_a_living_process_holds_it_the_device_is_in_use(transport: LocalTransport, tmp_path: Path) -> None:
    with work_folder(transport), pytest.raises(EdgecError, match="E0704") as told, work_folder(transport):
        pass
    assert f"process {os.getpid()} on" in told.value.diagnostics[0].notes[0]


def test_the_folder_of_a_killed_process_is_swept(transport: LocalTransport, tmp_path: Path) -> None:
    code = f"""
import time
from edgec.devices.local import LocalTransport
from edgec.devices.work_folder import work_folder
with work_folder(LocalTransport({str(tmp_path)!r})) as folder:
    folder.run("echo left > model")
    print("held", flush=True)
    time.sleep(600)
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    process.kill()
    process.wait()
    assert len(list(tmp_path.iterdir())) == 1
    with work_folder(transport) as folder:
        assert folder.run("ls").output.split() == ["holder", "lease"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("holder", "seconds", "swept"),
    [
        ("elsewhere:0 1 2 token", 600, False),
        ("elsewhere:0 1 2 token", -1, True),
        ("elsewhere:0 1 2 token", 10**8, True),  # the device's clock was set back since
        (f"{_machine()} 1 never token", 600, True),  # process 1 is another one than that which held it
        ("nonsense", 600, False),
    ],
)
def test_leases(holder: str, seconds: int, swept: bool, transport: LocalTransport, tmp_path: Path) -> None:
    folder = left(tmp_path, holder, seconds)
    if swept:
        with work_folder(transport) as own:
            assert own.run("ls").output.split() == ["holder", "lease"]
        assert not folder.exists()
        return
    with pytest.raises(EdgecError, match="E0704"), work_folder(transport):
        pass
    assert (folder / "model").read_bytes() == b"left"


def test_a_link_in_its_place_is_removed_and_what_it_names_is_not(transport: LocalTransport, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis").write_text("kept")
    (tmp_path / f"edgec-run-{os.getuid()}").symlink_to(mine)
    with work_folder(transport):
        pass
    assert [p.name for p in tmp_path.iterdir()] == ["mine"]
    assert (mine / "thesis").read_text() == "kept"


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(EdgecError, match="E0705"), work_folder(LocalTransport(str(tmp_path / "nowhere"))):
        pass


def test_a_file_that_arrives_short_is_told(
    transport: LocalTransport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "source"
    source.write_bytes(bytes(100))
    monkeypatch.setattr(transport, "push", lambda source, destination, limit_s: Path(destination).write_bytes(b"12"))
    with work_folder(transport) as folder, pytest.raises(EdgecError, match="did not arrive complete"):
        folder.push(source, "copy")


@pytest.mark.parametrize("size", [3000, 2 << 20])  # looked at afterwards, and before
def test_a_full_disk_is_told(
    size: int, transport: LocalTransport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "df").write_text("#!/bin/sh\necho Filesystem; echo '/dev/a 100 99 1 99% /data'\n")
    (programs / "df").chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=os.pathsep)
    monkeypatch.setattr(transport, "push", lambda source, destination, limit_s: Path(destination).write_bytes(b"12"))
    source = tmp_path / "source"
    source.write_bytes(bytes(size))
    with work_folder(transport) as folder, pytest.raises(EdgecError, match="E0705") as failure:
        folder.push(source, "copy")
    assert failure.value.diagnostics[0].notes[0].startswith("1 KiB are free")
