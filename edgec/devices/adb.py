"""An Android device, reached by the user's own `adb` through its server, here or on another machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from edgec.devices.tool import Done, run_tool
from edgec.devices.transport import REACH_S, Ran, ended, full, last_lines, lost, marked, says_full, too_late
from edgec.diag import EdgecError, error


@dataclass(frozen=True)
class AdbDevice:
    """`serial` as `adb devices` lists it (empty: the only one), `server` as HOST:PORT (empty: this machine's)."""

    serial: str = ""
    server: str = ""

    def __str__(self) -> str:
        return f"adb:{self.serial}" + (f"@{self.server}" if self.server else "")


_HELP = {
    "unauthorized": "unlock the device and accept this machine's key, or revoke the keys in its developer options",
    "offline": "reconnect the cable, or run `adb reconnect`",
    "no permissions": "the system does not let you use the USB device: add a udev rule for it",
    "insufficient permissions": "the system does not let you use the USB device: add a udev rule for it",
    "more than one device": "name one: `adb:SERIAL` (`adb devices` lists them)",
    "cannot connect to daemon": "check the adb server's host and port, and start it there (`adb -a nodaemon server`)",
    "failed to connect": "check the adb server's host and port, and start it there (`adb -a nodaemon server`)",
    "not found": "check the cable, and that USB debugging is enabled; `adb devices` lists what is there",
    "no devices": "check the cable, and that USB debugging is enabled; `adb devices` lists what is there",
}
"""What to do, by what adb says."""


class AdbTransport:
    """Raises `EdgecError` E0701 when there is no `adb` here, or the device is not ready."""

    def __init__(self, device: AdbDevice, scratch: str | None = None) -> None:
        self.address, self.scratch = str(device), scratch or "/data/local/tmp"
        host, _, port = device.server.rpartition(":")
        server = ["-H", host, "-P", port] if device.server else []
        self._adb = ["adb", *server, *(["-s", device.serial] if device.serial else [])]
        done = self._call(["get-state"], REACH_S)
        if done.status != 0 or done.stdout.strip() != "device":
            raise _unready(self.address, done)

    def run(self, script: str, limit_s: float = REACH_S) -> Ran:
        """By `adb shell`."""
        return ended(self.address, self._call(["shell", marked(script)], limit_s), limit_s)

    def push(self, source: Path, destination: str, limit_s: float) -> None:
        """By `adb push`."""
        done = self._call(["push", str(source), destination], limit_s)
        said = done.stdout + done.stderr
        if says_full(said):
            raise full(self.address, f"`{source.name}`", last_lines(said))
        self._check(done, limit_s)

    def pull(self, source: str, destination: Path, limit_s: float) -> None:
        """By `adb pull`."""
        self._check(self._call(["pull", source, str(destination)], limit_s), limit_s)

    def _check(self, done: Done, limit_s: float) -> None:
        if done.status is None:
            raise too_late(self.address, limit_s)
        if done.status != 0:
            raise lost(self.address, done.stdout + done.stderr)

    def _call(self, arguments: Sequence[str], limit_s: float) -> Done:
        try:
            return run_tool([*self._adb, *arguments], limit_s)
        except FileNotFoundError as missing:
            raise error(
                "E0701",
                f"`{self.address}` cannot be reached: there is no `adb` here",
                help=["install Android's platform tools (Debian: `apt-get install adb`)"],
            ) from missing

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The server belongs to the user, and goes on."""


def _unready(address: str, done: Done) -> EdgecError:
    said = done.stderr + done.stdout
    if done.status is None:
        said = f"adb did not answer within {REACH_S:.0f} seconds"
    help = next((text for key, text in _HELP.items() if key in said), "`adb devices -l` shows the state of each device")
    notes = [line for line in said.splitlines() if "error" in line][:1] or last_lines(said)
    return error("E0701", f"`{address}` cannot be reached", notes=notes, help=[help])
