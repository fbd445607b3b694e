"""Device profiles, one for each product. A profile describes the speed of a product; it never names an operator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgec.diag import error
from edgec.diag.suggest import suggest
from edgec.spec import search
from edgec.spec.reader import Checker, Table, load_toml


@dataclass(frozen=True)
class Sourced:
    """A number with its source: measured, published (where) or estimated (how)."""

    value: float
    source: str


@dataclass(frozen=True)
class Unit:
    """A processor of the device: `kind` is cpu, gpu or npu."""

    name: str
    kind: str
    peak_gmacs: Sourced | None = None


@dataclass(frozen=True)
class Reach:
    """How to reach the device: the runner's name (`apple`, `adb`, `ssh`, or `none`)."""

    runner: str = "none"


@dataclass(frozen=True)
class Roofline:
    """The latency model of one backend on one unit.

    An instruction takes `overhead_us` plus the larger of its arithmetic at `gmacs` (10⁹ multiply-accumulates a
    second) and its traffic at `bandwidth_gbs` (10⁹ bytes a second); a run takes `fixed_ms` more. The truth is
    expected between the prediction divided by and multiplied with `spread`.
    """

    unit: str
    gmacs: Sourced
    bandwidth_gbs: Sourced
    overhead_us: Sourced
    fixed_ms: Sourced
    spread: Sourced


@dataclass(frozen=True)
class DeviceProfile:
    """One product: identity, memory, units, how to reach it, and a latency model for each backend it runs."""

    name: str
    vendor: str
    soc: str
    targets: tuple[str, ...]
    memory: Mapping[str, Sourced] = field(default_factory=dict)
    units: tuple[Unit, ...] = ()
    reach: Reach = field(default_factory=Reach)
    latency: Mapping[str, Roofline] = field(default_factory=dict)


def list_devices() -> list[str]:
    """The names of all device profiles on the search path."""
    return search.names("device_profiles")


def load_device(name: str) -> DeviceProfile:
    """Load and check a profile. Raises `EdgecError` E0105 for an unknown name, E0106 for errors in the file."""
    path = search.find("device_profiles", name)
    if path is None:
        known = list_devices()
        near = suggest(name, known)
        help_ = [f"did you mean `{near}`?"] if near else []
        raise error("E0105", f"there is no device `{name}`", notes=[f"the devices are {', '.join(known)}"], help=help_)
    return _parse(load_toml(path, "device"), path)


def _parse(table: Table, path: Path) -> DeviceProfile:
    c = Checker(path)
    c.known(table, ("name", "vendor", "soc", "targets", "memory", "unit", "reach", "latency"))
    profile = DeviceProfile(
        name=c.string(table, "name"),
        vendor=c.string(table, "vendor"),
        soc=c.string(table, "soc"),
        targets=c.strings(table, "targets"),
        memory=_memory(c, c.table(table, "memory")),
        units=_units(c, table.get("unit", [])),
        reach=_reach(c, c.table(table, "reach")),
        latency={k: _roofline(c, v, k) for k, v in c.table(table, "latency").items()},
    )
    if profile.name and profile.name != path.stem:
        c.problem(f"`name` is `{profile.name}` but the file is `{path.name}`", "name")
    unit_names = [u.name for u in profile.units]
    for model in profile.latency.values():
        if model.unit not in unit_names:
            c.problem(f"`unit` is `{model.unit}`, which is not a [[unit]] of the device", "unit")
    c.finish()
    return profile


def _memory(c: Checker, table: Table) -> dict[str, Sourced]:
    c.known(table, ("dram_mib", "bandwidth_gbs"), "memory.")
    return {key: _sourced(c, table, key) for key in table}


def _units(c: Checker, entries: Any) -> tuple[Unit, ...]:
    if not isinstance(entries, list):
        c.problem("`unit` must be a list of tables: [[unit]]", "unit")
        return ()
    found = []
    for entry in entries:
        if not isinstance(entry, dict):
            c.problem("`unit` must be a list of tables: [[unit]]", "unit")
            continue
        c.known(entry, ("name", "kind", "peak_gmacs"), "unit.")
        peak = _sourced(c, entry, "peak_gmacs") if "peak_gmacs" in entry else None
        found.append(Unit(c.string(entry, "name"), c.choice(entry, "kind", ("cpu", "gpu", "npu"), "cpu"), peak))
    return tuple(found)


def _reach(c: Checker, table: Table) -> Reach:
    c.known(table, ("runner",), "reach.")
    return Reach(c.choice(table, "runner", ("none", "apple", "adb", "ssh"), "none"))


_LEAST = {
    "gmacs": (0.0, True),
    "bandwidth_gbs": (0.0, True),
    "overhead_us": (0.0, False),
    "fixed_ms": (0.0, False),
    "spread": (1.0, False),
}
"""The minimum of each number of a roofline, and whether it is exclusive: a rate of zero would divide by zero."""


def _roofline(c: Checker, table: Any, backend: str) -> Roofline:
    keys = ("unit", "gmacs", "bandwidth_gbs", "overhead_us", "fixed_ms", "spread")
    if not isinstance(table, dict):
        c.problem(f"`latency.{backend}` must be a table", backend)
        table = {}
    c.known(table, keys, f"latency.{backend}.")
    numbers = [_sourced(c, table, key) for key in keys[1:]]
    for key, number in zip(keys[1:], numbers, strict=True):
        least, above = _LEAST[key]
        c.at_least(number.value, key, least, above=above)
    return Roofline(c.string(table, "unit"), *numbers)


def _sourced(c: Checker, table: Table, key: str) -> Sourced:
    """`key = { value = 8192, source = "…" }`; a number without a source is an error."""
    entry = table.get(key)
    if not isinstance(entry, dict):
        c.problem(f"`{key}` must be {{ value = …, source = … }}: every number needs a source", key)
        return Sourced(1.0, "")
    c.known(entry, ("value", "source"), f"{key}.")
    value, source = entry.get("value"), entry.get("source")
    if not isinstance(value, int | float) or isinstance(value, bool):
        c.problem(f"`{key}.value` must be a number", key)
        value = 1.0
    if not isinstance(source, str) or not source.strip():
        c.problem(f"`{key}` has no source", key, "write measured, published (where) or estimated (how)")
        source = ""
    return Sourced(float(value), source)
