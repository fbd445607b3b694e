"""A board with an SSH server, reached by the user's own `ssh` with its configuration, keys and agent.

Files go through the standard input and output of `cat`: this needs neither `scp` nor an SFTP server on the board.
"""

from __future__ import annotations

import re
import shlex
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from edgec.devices.tool import Done, run_tool
from edgec.devices.transport import REACH_S, Ran, ended, full, last_lines, lost, marked, says_full, too_late
from edgec.diag import EdgecError, error

_OPTIONS = {
    "BatchMode": "yes",  # never asks for a password
    "ConnectTimeout": "10",
    "ServerAliveInterval": "5",
    "ServerAliveCountMax": "3",
    "ControlMaster": "auto",  # one login for all commands
    "ControlPersist": "60",
    "LogLevel": "ERROR",  # no banners
}
_FAILED = 255
"""The exit status of `ssh` itself (ssh(1), EXIT STATUS)."""


class SshTransport:
    """`host` is what `ssh` takes: `user@host`, a host of its configuration, or `user@host:port`.

    Raises `EdgecError` E0701 when there is no `ssh` here, or the host does not let us in.
    """

    def __init__(self, host: str, scratch: str | None = None) -> None:
        self.address, self.scratch = f"ssh://{host}", scratch or "/tmp"
        name, _, port = host.partition(":") if re.fullmatch(r"[^:\[\]]+:\d+", host) else (host, "", "")
        self._control = tempfile.TemporaryDirectory(prefix="edgec-ssh-")
        options = {**_OPTIONS, "ControlPath": f"{self._control.name}/c", **({"Port": port} if port else {})}
        self._ssh = ["ssh", *(part for key, value in options.items() for part in ("-o", f"{key}={value}"))]
        self._name = name
        try:
            done = self._call(["true"], REACH_S)
            if done.status != 0:
                raise _unreached(self.address, done)
        except BaseException:
            self._control.cleanup()
            raise

    def run(self, script: str, limit_s: float = REACH_S) -> Ran:
        """By `sh -c` behind the login shell."""
        return ended(self.address, self._call(["sh", "-c", shlex.quote(marked(script))], limit_s), limit_s)

    def push(self, source: Path, destination: str, limit_s: float) -> None:
        """By `cat` there; what arrived is counted."""
        done = self._call(["cat", ">", shlex.quote(destination)], limit_s, source=source)
        if says_full(done.stderr):
            raise full(self.address, f"`{source.name}`", last_lines(done.stderr))
        self._check(done, limit_s)

    def pull(self, source: str, destination: Path, limit_s: float) -> None:
        """By `cat` there."""
        self._check(self._call(["cat", shlex.quote(source)], limit_s, sink=destination), limit_s)

    def _check(self, done: Done, limit_s: float) -> None:
        if done.status is None:
            raise too_late(self.address, limit_s)
        if done.status != 0:
            raise lost(self.address, done.stderr)

    def _call(
        self, command: Sequence[str], limit_s: float, *, source: Path | None = None, sink: Path | None = None
    ) -> Done:
        try:
            return run_tool([*self._ssh, self._name, *command], limit_s, source=source, sink=sink)
        except FileNotFoundError as missing:
            raise error(
                "E0701",
                f"`{self.address}` cannot be reached: there is no `ssh` here",
                help=["install OpenSSH's client"],
            ) from missing

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        run_tool([*self._ssh, "-O", "exit", self._name], REACH_S)
        self._control.cleanup()


def _unreached(address: str, done: Done) -> EdgecError:
    if done.status is None:
        return error(
            "E0701", f"`{address}` did not answer within {REACH_S:.0f} seconds", help=["check its power and network"]
        )
    said = done.stderr
    if "Permission denied" in said:
        help = "edgec types no password: put your key on the board (`ssh-copy-id`) or into your agent"
    elif "Host key verification failed" in said or "IDENTIFICATION HAS CHANGED" in said:
        help = f"log in once by hand (`ssh {address.removeprefix('ssh://')}`) and compare the board's key"
    else:
        help = "check the board's power, address and SSH server; `ssh -v` shows more"
    return error("E0701", f"`{address}` cannot be reached", notes=last_lines(said), help=[help])
