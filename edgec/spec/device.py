"""Device profiles: one physical product each. A profile says what the product is; it never names an operator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgec.diag import error
from edgec.diag.suggest import suggest
from edgec.spec import search
from edgec.spec.reach import Reach, read_reach
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
class DeviceProfile:
    """One product: identity, memory, units, and how to reach it. Predictors of latency name the devices they know."""

    name: str
    vendor: str
    soc: str
    targets: tuple[str, ...]
    memory: Mapping[str, Sourced] = field(default_factory=dict)
    units: tuple[Unit, ...] = ()
    reach: Reach = field(default_factory=Reach)


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
    c.known(table, ("name", "vendor", "soc", "targets", "memory", "unit", "reach"))
    profile = DeviceProfile(
        name=c.string(table, "name"),
        vendor=c.string(table, "vendor"),
        soc=c.string(table, "soc"),
        targets=c.strings(table, "targets"),
        memory=_memory(c, c.table(table, "memory")),
        units=_units(c, table.get("unit", [])),
        reach=read_reach(c, c.table(table, "reach")),
    )
    if profile.name and profile.name != path.stem:
        c.problem(f"`name` is `{profile.name}` but the file is `{path.name}`", "name")
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
