"""Predictors as data: one runtime on one kind of unit in one precision, and the devices that it is fitted for."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from edgec.latency.features import Numbers
from edgec.latency.model import Factors
from edgec.latency.terms import PARAMETERS, Format
from edgec.spec import search
from edgec.spec.reader import Checker, Table, load_toml
from edgec.spec.reads import note


@dataclass(frozen=True)
class Quality:
    """Results of cross-validation, on networks whose architecture the fit had not seen.

    `median_error` and `half_width` are relative; `within_25` and `coverage` are shares of the measurements.
    """

    networks: int
    measurements: int
    median_error: float
    within_25: float
    spearman: float
    coverage: float
    half_width: float


@dataclass(frozen=True)
class Domain:
    """The domain of the measurements: the largest share of a run for each kind, and the extremes of whole networks."""

    kinds: Mapping[str, float]
    least_gmacs: float
    most_gmacs: float
    most_instructions: int
    most_crossings: int


@dataclass(frozen=True)
class OnDevice:
    """A predictor on one device. `borrowed`: the device from which its factors were extrapolated, or empty.

    `models` and `median_error` (cross-validated, relative) are those of this device's own measurements. `widening`
    widens the interval: the standard deviation of the logarithm that the extrapolation adds.
    """

    factors: Factors
    source: str
    models: int = 0
    median_error: float = 0.0
    borrowed: str = ""
    widening: float = 0.0


@dataclass(frozen=True)
class Predictor:
    """Shared parameters with their uncertainty, the interval's quantile, the domain, and devices by name."""

    name: str
    backend: str
    unit: str
    precision: str
    sources: tuple[str, ...]
    format: Format
    parameters: Mapping[str, float]
    covariance: Numbers = field(repr=False)
    quantile: float
    quality: Quality
    domain: Domain
    devices: Mapping[str, OnDevice]


FOLDER = "device_profiles"
SUBFOLDER = "latency"
_HEAD = ("name", "backend", "unit", "precision", "sources", "quantile")
_TABLES = ("format", "parameters", "covariance", "quality", "domain", "devices")


def predictors() -> Iterator[Predictor]:
    """All predictors on the search path, the user's own first. Raises `EdgecError` E0106 for errors in a file."""
    for folder in dict.fromkeys(folder.resolve() for folder in search.folders(FOLDER)):
        for path in sorted((folder / SUBFOLDER).glob("*.toml")):
            note(path, "device")  # also if it was loaded before
            yield _loaded(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=256)
def _loaded(path: Path, changed: int) -> Predictor:
    return load(path)


def predictors_of(device: str) -> list[Predictor]:
    """The predictors for a device, the user's own first; one for each runtime, unit and precision."""
    found: dict[tuple[str, str, str], Predictor] = {}
    for predictor in predictors():
        if device in predictor.devices:
            found.setdefault((predictor.backend, predictor.unit, predictor.precision), predictor)
    return list(found.values())


def load(path: Path) -> Predictor:
    """Read and check a predictor. Raises `EdgecError` E0106 with the lines of all mistakes."""
    table, c = load_toml(path, "device"), Checker(path)
    c.known(table, (*_HEAD, *_TABLES))
    parameters = _positive(c, c.table(table, "parameters"), PARAMETERS, "parameters.")
    held = _positive(c, c.table(table, "format"), ("value_bytes", "weight_bytes", "lanes", "own_mib"), "format.")
    quantile = c.number(table, "quantile")
    c.at_least(quantile, "quantile", 0.0, above=True)
    found = Predictor(
        c.string(table, "name"),
        c.string(table, "backend"),
        c.choice(table, "unit", ("cpu", "gpu", "npu"), "cpu"),
        c.string(table, "precision"),
        c.strings(table, "sources"),
        Format(held["value_bytes"], held["weight_bytes"], _whole(held["lanes"]), held["own_mib"]),
        parameters,
        _covariance(c, c.table(table, "covariance")),
        quantile,
        _quality(c, c.table(table, "quality")),
        _domain(c, c.table(table, "domain")),
        {name: _on_device(c, entry, name) for name, entry in c.table(table, "devices").items()},
    )
    c.finish()
    return found


def _whole(value: float) -> int:
    """What is no number was told already."""
    return int(value) if math.isfinite(value) else 1


def _positive(c: Checker, table: Table, keys: tuple[str, ...], where: str) -> dict[str, float]:
    c.known(table, keys, where)
    found = {}
    for key in keys:
        found[key] = c.number(table, key)
        c.at_least(found[key], key, 0.0, above=True)
    return found


def _covariance(c: Checker, table: Table) -> Numbers:
    """The lower triangle, with a list for each parameter."""
    c.known(table, PARAMETERS, "covariance.")
    found = np.zeros((len(PARAMETERS), len(PARAMETERS)))
    for i, key in enumerate(PARAMETERS):
        row = c.numbers(table, key, 0.0)
        if len(row) != i + 1 or not all(map(math.isfinite, row)) or row[-1] < 0:
            c.problem(f"`covariance.{key}` must hold {i + 1} finite numbers, the last of them not negative", key)
            continue
        found[i, : i + 1] = found[: i + 1, i] = row
    return found


def _quality(c: Checker, table: Table) -> Quality:
    counts, parts = ("networks", "measurements"), ("median_error", "within_25", "spearman", "coverage", "half_width")
    c.known(table, (*counts, *parts), "quality.")
    return Quality(*(c.integer(table, key) for key in counts), *(c.number(table, key) for key in parts))


def _domain(c: Checker, table: Table) -> Domain:
    c.known(table, ("kinds", "least_gmacs", "most_gmacs", "most_instructions", "most_crossings"), "domain.")
    kinds = c.table(table, "kinds")
    return Domain(
        {kind: c.number(kinds, kind) for kind in kinds},
        c.number(table, "least_gmacs"),
        c.number(table, "most_gmacs"),
        c.integer(table, "most_instructions"),
        c.integer(table, "most_crossings"),
    )


_FACTORS = ("scale", "compute", "bandwidth", "overhead")


def _on_device(c: Checker, table: Any, name: str) -> OnDevice:
    if not isinstance(table, dict):
        c.problem(f"`devices.{name}` must be a table", name)
        return OnDevice(Factors(), "")
    c.known(table, (*_FACTORS, "source", "models", "median_error", "borrowed", "widening"), f"devices.{name}.")
    factors = [c.number(table, key, 1.0) for key in _FACTORS]
    for key, value in zip(_FACTORS, factors, strict=True):
        c.at_least(value, key, 0.0, above=True)
    widening = c.number(table, "widening", 0.0)
    c.at_least(widening, "widening", 0.0)
    return OnDevice(
        Factors(*factors),
        c.string(table, "source"),
        c.integer(table, "models", 0),
        c.number(table, "median_error", 0.0),
        c.string(table, "borrowed", ""),
        widening,
    )
