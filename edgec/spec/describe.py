"""Targets and device profiles as text, for `edgec targets` and `edgec devices`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from edgec.diag import Diagnostic, EdgecError
from edgec.spec import search
from edgec.spec.device import load_device
from edgec.spec.target import list_targets, load_target


@dataclass(frozen=True)
class Listing:
    """A row for each entry, and diagnostics for unreadable ones."""

    rows: list[tuple[str, ...]]
    broken: list[Diagnostic] = field(default_factory=list)


def target_listing() -> Listing:
    """The name, backend and summary of each target."""
    return _listed(list_targets(), lambda name: (name, (t := load_target(name)).backend, t.summary))


def _listed(names: Iterable[str], row: Callable[[str], tuple[str, ...]]) -> Listing:
    """Collect rows; a broken file does not hide the others."""
    found = Listing([])
    for name in names:
        try:
            found.rows.append(row(name))
        except EdgecError as broken:
            found.broken.extend(broken.diagnostics)
    return found


def show_target(name: str, *, resolved: bool) -> str:
    """The target's file, or its settings after inheritance and defaults."""
    target = load_target(name)
    if resolved:
        return "\n".join(_toml_lines(asdict(target), ""))
    path = search.find("targets", name)
    assert path is not None
    return f"# {path}\n{path.read_text(encoding='utf-8').rstrip()}"


def show_device(name: str) -> str:
    """The content of the device's file, after checking it."""
    load_device(name)
    path = search.find("device_profiles", name)
    assert path is not None
    return f"# {path}\n{path.read_text(encoding='utf-8').rstrip()}"


def _toml_lines(table: Mapping[str, Any], prefix: str) -> list[str]:
    """Plain keys first, then sub-tables with headings. What is unset, empty or of no use is omitted: a target's
    file that holds these lines means the same.
    """
    plain = {k: v for k, v in table.items() if not isinstance(v, dict) and v not in (None, (), [])}
    if str(plain.get("type", "")).startswith("float"):
        plain = {k: v for k, v in plain.items() if k not in _OF_INTEGERS}
    lines = [f"{key} = {_literal(value)}" for key, value in plain.items()]
    for key, value in table.items():
        if isinstance(value, dict):
            lines += ["", f"[{prefix}{key}]", *_toml_lines(value, f"{prefix}{key}.")]
    return lines


_OF_INTEGERS = ("granularity", "symmetric")
"""Settings of a number format that floats do not have."""


def _literal(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_literal(v) for v in value) + "]"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return str(value).lower() if isinstance(value, bool) else str(value)
