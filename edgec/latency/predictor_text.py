"""The file of a predictor, in readable TOML."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

from edgec.latency.predictor import OnDevice, Predictor
from edgec.latency.terms import PARAMETERS


def write(predictor: Predictor, path: Path) -> None:
    """Write a predictor, completely or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(text(predictor), encoding="utf-8")
    beside.replace(path)


def text(predictor: Predictor) -> str:
    """The file's text, deterministic for a predictor."""
    return "\n".join(_lines(predictor)) + "\n"


def _lines(p: Predictor) -> Iterator[str]:
    yield "# Fitted by `edgec devices fit`; docs/latency.md says what the numbers mean."
    yield f'name = "{p.name}"'
    yield f'backend = "{p.backend}"'
    yield f'unit = "{p.unit}"'
    yield f'precision = "{p.precision}"'
    yield "sources = [" + ", ".join(_quoted(s) for s in p.sources) + "]"
    yield f"quantile = {_number(p.quantile)}"
    yield from _table("format", asdict(p.format))
    yield from _table("parameters", p.parameters)
    yield from _table("quality", asdict(p.quality))
    yield from _table("domain", {k: v for k, v in asdict(p.domain).items() if k != "kinds"})
    yield from _table("domain.kinds", p.domain.kinds)
    for name, device in p.devices.items():
        yield from _device(name, device)
    yield from ("", "[covariance]")
    for i, key in enumerate(PARAMETERS):
        yield f"{key} = [" + ", ".join(f"{v:.3g}" for v in p.covariance[i, : i + 1]) + "]"


def _device(name: str, device: OnDevice) -> Iterator[str]:
    plain = {k: v for k, v in asdict(device).items() if k != "factors" and (v or k == "source")}
    yield from _table(f"devices.{name}", {**asdict(device.factors), **plain})


def _table(name: str, values: Mapping[str, object]) -> Iterator[str]:
    yield from ("", f"[{name}]")
    for key, value in values.items():
        yield f"{key} = {_quoted(value) if isinstance(value, str) else _number(value)}"


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _number(value: object) -> str:
    return str(value) if isinstance(value, int) else f"{value:.4g}"
