"""Targets and device profiles as text, for `edgec targets` and `edgec devices`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from edgec.spec import search
from edgec.spec.device import list_devices, load_device
from edgec.spec.target import list_targets, load_target


def target_lines() -> list[str]:
    """A line for each target: its name, backend and summary."""
    return [f"{t.name:14} {t.backend:9} {t.summary}" for t in map(load_target, list_targets())]


def show_target(name: str, *, resolved: bool) -> str:
    """The target's file, or everything that holds after inheritance and defaults."""
    target = load_target(name)
    if resolved:
        return "\n".join(_toml_lines(asdict(target), ""))
    path = search.find("targets", name)
    assert path is not None
    return f"# {path}\n{path.read_text(encoding='utf-8').rstrip()}"


def device_lines() -> list[str]:
    """A line for each device: its name, vendor, chip, and the targets it runs."""
    return [f"{d.name:18} {d.vendor:13} {d.soc:30} {', '.join(d.targets)}" for d in map(load_device, list_devices())]


def show_device(name: str) -> str:
    """The device's file, checked."""
    load_device(name)
    path = search.find("device_profiles", name)
    assert path is not None
    return f"# {path}\n{path.read_text(encoding='utf-8').rstrip()}"


def _toml_lines(table: Mapping[str, Any], prefix: str) -> list[str]:
    """Plain keys first, then each sub-table under its heading; what is not set is left out."""
    plain = {k: v for k, v in table.items() if not isinstance(v, dict) and v is not None}
    lines = [f"{key} = {_literal(value)}" for key, value in plain.items()]
    for key, value in table.items():
        if isinstance(value, dict):
            lines += ["", f"[{prefix}{key}]", *_toml_lines(value, f"{prefix}{key}.")]
    return lines


def _literal(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_literal(v) for v in value) + "]"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return str(value).lower() if isinstance(value, bool) else str(value)
