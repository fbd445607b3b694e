"""The one folder on a device in which edgec works, under a lease: who holds it, until when.

It is made in one step, so that two processes never measure on a device at once. It is removed in the end, on Ctrl-C
and on errors too. What a killed process or a lost connection left is removed at the next contact: when the lease ran
out, or when its holder was a process of this machine that is gone.
"""

from __future__ import annotations

import os
import platform
import shlex
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from edgec.devices.transport import REACH_S, Ran, Transport, full
from edgec.diag import EdgecError, error

LEASE_S = 900
"""Seconds that a lease holds from its last renewal, by the device's clock."""
_PUSH_BYTES_S = 100_000
"""The slowest connection that a copy is given time for, in bytes a second."""
_LARGE = 1 << 20
"""Bytes from which the space for a file is looked at before it is copied, not only when it did not arrive."""
_COPY_S = 60.0
"""Seconds that any copy is given."""


@dataclass(frozen=True)
class WorkFolder:
    """A folder on a device that nobody else uses meanwhile."""

    transport: Transport
    path: str

    def run(self, script: str, limit_s: float = REACH_S) -> Ran:
        """Run a script inside the folder, with the lease renewed. Raises as `Transport.run` does."""
        renewal = f"cd {shlex.quote(self.path)} && {_lease(limit_s)} || exit 125"
        return self.transport.run(f"{renewal}\n{script}", limit_s)

    def push(self, source: Path, name: str) -> None:
        """Copy a file into the folder, and count what arrived.

        Raises `EdgecError` E0703 for a lost connection, E0705 for a full disk, E0706 beyond the time limit.
        """
        size, target = source.stat().st_size, f"{self.path}/{name}"
        if size >= _LARGE:
            self._check_space(size, source.name)
        self.transport.push(source, target, _COPY_S + size / _PUSH_BYTES_S)
        counted = self.transport.run(f"wc -c < {shlex.quote(target)}").output.split()
        if counted != [str(size)]:
            self._check_space(size, source.name)
            raise error(
                "E0703",
                f"`{source.name}` did not arrive complete on `{self.transport.address}`",
                notes=[f"{' '.join(counted) or 'nothing'} of {size:,} bytes are there"],
                help=["check the connection, and try again"],
            )

    def pull(self, name: str, destination: Path) -> None:
        """Copy a file out of the folder. Raises as `Transport.pull` does, E0706 where there is none."""
        counted = self.run(f"wc -c < {shlex.quote(name)} 2>/dev/null").output.split()
        if len(counted) != 1 or not counted[0].isdecimal():
            raise error(
                "E0706",
                f"the run on `{self.transport.address}` left no `{name}`",
                help=["run the command by hand on the device; nothing was recorded"],
            )
        size = int(counted[0])
        self.transport.pull(f"{self.path}/{name}", destination, _COPY_S + size / _PUSH_BYTES_S)
        if destination.stat().st_size != size:
            raise error(
                "E0703",
                f"`{name}` did not come back complete from `{self.transport.address}`",
                help=["check the connection, and try again"],
            )

    def _check_space(self, size: int, what: str) -> None:
        """As far as `df` tells: its fourth column, KiB (POSIX)."""
        rows = self.transport.run(f"df -Pk {shlex.quote(self.path)}").output.strip().splitlines()
        columns = rows[-1].split() if rows else []
        if len(columns) >= 6 and columns[3].isdecimal() and int(columns[3]) * 1024 < size:
            notes = [f"{int(columns[3]):,} KiB are free, {size // 1024 + 1:,} KiB are needed"]
            raise full(self.transport.address, f"`{what}`", notes)


@contextmanager
def work_folder(transport: Transport) -> Iterator[WorkFolder]:
    """Hold the device's work folder.

    Raises `EdgecError` E0704 while another process holds it, E0705 where nothing can be written.
    """
    found = transport.run("id -u").output.strip()
    path = f"{transport.scratch}/edgec-run-{found if found.isdecimal() else 'user'}"
    if not _made(transport, path):
        _sweep(transport, path)
        if not _made(transport, path):
            raise _in_use(transport, path)
    try:
        yield WorkFolder(transport, path)
    finally:
        with suppress(EdgecError):  # of a connection that is lost: the next contact sweeps
            _remove(transport, path)


def _made(transport: Transport, path: str) -> bool:
    """Whether the folder was made by this call. Raises `EdgecError` E0705 where it cannot be."""
    name = shlex.quote(path)
    holder = f"{_machine()} {os.getpid()} {_started(os.getpid())} {uuid.uuid4().hex}"
    script = f"umask 077\nmkdir {name} || exit 3\ncd {name} && echo {shlex.quote(holder)} > holder && {_lease(REACH_S)}"
    done = transport.run(f"{{ {script}; }} 2>&1")
    if done.status == 0:
        return True
    if transport.run(f"[ -e {name} ] || [ -h {name} ]").status == 0 and done.status == 3:
        return False
    raise error(
        "E0705",
        f"`{transport.scratch}` on `{transport.address}` cannot be written",
        notes=done.output.strip().splitlines()[-2:],
        help=["name a folder that can be: `folder` in `[reach]` of the device's profile"],
    )


def _lease(limit_s: float) -> str:
    return f"echo $(( $(date +%s) + {int(LEASE_S + limit_s)} )) > lease"


def _sweep(transport: Transport, path: str) -> None:
    """Remove a folder that nobody holds any more. Raises `EdgecError` E0704 where somebody does."""
    holder, left_s = _read(transport, path)
    if not holder:  # it may have been made a moment ago
        time.sleep(1)
        holder, left_s = _read(transport, path)
    longest = 24 * 3600  # a lease that ends later was written before the clock was set back
    if 0 < left_s <= longest and not _is_gone(holder):
        raise _in_use(transport, path, holder, left_s)
    _remove(transport, path)


def _read(transport: Transport, path: str) -> tuple[list[str], int]:
    """Who holds the folder, and for how many seconds more; none where it does not say."""
    name = shlex.quote(path)
    script = f"cd {name} && cat holder && echo $(( $(cat lease) - $(date +%s) ))"
    lines = transport.run(f"{{ {script}; }} 2>/dev/null").output.strip().splitlines()
    if len(lines) != 2 or not lines[1].lstrip("-").isdecimal():
        return [], 0
    return lines[0].split(), int(lines[1])


def _is_gone(holder: list[str]) -> bool:
    """Whether the holder was a process of this machine that ended."""
    if len(holder) != 4 or holder[0] != _machine() or not holder[1].isdecimal():
        return False
    return _started(int(holder[1])) != holder[2]


def _machine() -> str:
    """This machine, since its last start: clones share a name, and a process's number means something in one start."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    return f"{platform.node() or 'unnamed'}:{boot.read_text().strip() if boot.is_file() else ''}"


def _started(process: int) -> str:
    """When a process of this machine was started, in the kernel's ticks; what tells it from a later one of its number.

    Where there is no /proc, whether it is alive.
    """
    stat = Path(f"/proc/{process}/stat")
    if Path("/proc/self/stat").is_file():
        return stat.read_text().rpartition(")")[2].split()[19] if stat.is_file() else "ended"
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return "ended"
    except PermissionError:
        pass
    return "alive"


def _remove(transport: Transport, path: str) -> None:
    """Kill what still runs in the folder, and remove it."""
    name = shlex.quote(path)
    transport.run(
        f"here=$(cd {name} 2>/dev/null && pwd -P) || here={name}\n"
        'for p in /proc/[0-9]*; do case "$(readlink $p/cwd 2>/dev/null)" in "$here"|"$here/"*|"$here ("*)'
        " kill -9 ${p#/proc/} 2>/dev/null;; esac; done\n"
        f"rm -rf {name}"
    )


def _in_use(transport: Transport, path: str, holder: list[str] | None = None, left_s: int = 0) -> EdgecError:
    who = f"process {holder[1]} on {holder[0].rpartition(':')[0]}" if holder and len(holder) == 4 else "another process"
    return error(
        "E0704",
        f"`{transport.address}` is in use",
        notes=[f"{who} holds `{path}`" + (f" for at most {left_s:,} seconds more" if left_s else "")],
        help=["wait until it has finished: two measurements at once would disturb each other"],
    )
