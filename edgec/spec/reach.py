"""`[reach]` of a device profile: how the device is reached, what runs artifacts there, and when it may be measured."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from edgec.diag import error
from edgec.spec.reader import Checker, Table

_STRINGS = ("host", "serial", "server", "folder", "python", "benchmark_model", "model", "thermal_zone")
_NUMBERS = ("max_temperature_c", "min_battery_percent")


@dataclass(frozen=True)
class Limits:
    """A measurement never takes place above this temperature or below this charge; None: no limit.

    `thermal_zone` names the Linux thermal zone that counts.
    """

    max_temperature_c: float | None = None
    min_battery_percent: float | None = None
    thermal_zone: str = ""


@dataclass(frozen=True)
class Reach:
    """How the device is reached. Empty strings: not said.

    `runner`: `apple`, `adb`, `ssh`, or `none`. `host`: for `ssh`, as `ssh` takes it. `serial` and `server` (HOST:PORT):
    for `adb`. `folder`: where edgec may make its own, on the device. `python`: the interpreter there that has LiteRT.
    `benchmark_model`: LiteRT's benchmark tool, a path there. `delegates`: the library there that runs a unit, by the
    unit. `model`: what the device must call itself, in part or whole.
    """

    runner: str = "none"
    host: str = ""
    serial: str = ""
    server: str = ""
    folder: str = ""
    python: str = ""
    benchmark_model: str = ""
    model: str = ""
    delegates: Mapping[str, str] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class DeviceUse:
    """How a device is used: reached so, on the unit (cpu, gpu or npu), with so many threads of the CPU.

    `limit_s`: seconds that one run, or one series of runs, may take there.
    """

    reach: Reach
    unit: str = "cpu"
    threads: int = 1
    limit_s: float = 300.0


def is_device_address(text: str) -> bool:
    """Whether a place is one that `reach_of` reads."""
    return text.startswith(("adb:", "ssh://"))


def reach_of(text: str) -> Reach:
    """`adb:SERIAL`, `adb:SERIAL@HOST:PORT` (another machine's server) or `ssh://HOST`, with defaults for the rest.

    Raises `EdgecError` E0701 for another text.
    """
    if text.startswith("adb:"):
        serial, _, server = text.removeprefix("adb:").partition("@")
        if not server or re.fullmatch(r".+:\d+", server):
            return Reach("adb", serial=serial, server=server)
    host = text.removeprefix("ssh://").rstrip("/")
    if text.startswith("ssh://") and re.fullmatch(r"[^-\s/][^\s/]*", host):
        return Reach("ssh", host=host)
    raise error(
        "E0701",
        f"`{text}` is not the address of a device",
        help=["write `adb:SERIAL`, `adb:SERIAL@HOST:PORT` or `ssh://USER@HOST:PORT`"],
    )


def read_reach(c: Checker, table: Table) -> Reach:
    """The table of a profile; what is wrong is reported to `c`."""
    c.known(table, ("runner", *_STRINGS, *_NUMBERS, "delegates"), "reach.")
    texts = {key: c.string(table, key, "") for key in _STRINGS}
    zone = texts.pop("thermal_zone")
    numbers = {key: c.optional_number(table, key) for key in _NUMBERS}
    percent = numbers["min_battery_percent"]
    if percent is not None and not 0 <= percent <= 100:
        c.problem(f"`min_battery_percent` is {percent:g}; it must be from 0 to 100", "min_battery_percent")
    if "server" in table and not texts["server"].rpartition(":")[2].isdecimal():
        c.problem("`server` must be HOST:PORT", "server")
    if texts["host"].startswith("-"):
        c.problem("`host` must not begin with a dash", "host")
    delegates = c.table(table, "delegates")
    c.known(delegates, ("gpu", "npu"), "reach.delegates.")
    return Reach(
        runner=c.choice(table, "runner", ("none", "apple", "adb", "ssh"), "none"),
        delegates={key: c.string(delegates, key) for key in delegates},
        limits=Limits(**numbers, thermal_zone=zone),
        **texts,
    )
