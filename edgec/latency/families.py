"""Families of measurements that are fitted together, and the rows of tables that belong to each."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgec.diag import Diagnostic, EdgecError
from edgec.diag.suggest import suggest
from edgec.latency.fit import Prior, Sample
from edgec.latency.tables import Measured, Network, disagreeing
from edgec.latency.terms import PARAMETERS, Format
from edgec.spec.reader import load_toml

_CLOSER = 0.6
"""Deviation of the parameters of a similar family, relative to that of a general prior."""
FILE = Path(__file__).with_name("families.toml")


@dataclass(frozen=True)
class Family:
    """One runtime on one kind of unit in one precision. `target`: the target for which its networks are built.

    `rows`: patterns of runtime and precision; `devices`: profiles by the tables' names; `kin`: another runtime, used
    only to compare devices; `engine`, `runs`: the unit and targets of profiles to which the fit is extrapolated.
    """

    name: str
    backend: str
    target: str
    unit: str
    precision: str
    format: Format
    prior: Prior
    rows: tuple[tuple[str, str], ...]
    devices: Mapping[str, str]
    kin: tuple[str, ...]
    engine: str
    runs: tuple[str, ...]
    sources: tuple[str, ...]
    like: str = ""

    def starting(self, parameters: Mapping[str, float]) -> Family:
        """The same with the fitted parameters of the family that it is `like` as the prior, with smaller deviations."""
        deviations = {name: value * _CLOSER for name, value in self.prior.deviations.items()}
        return replace(self, prior=replace(self.prior, values=parameters, deviations=deviations))

    def has(self, row: Measured) -> bool:
        """Whether a row has this family's runtime and precision."""
        return any(
            fnmatch.fnmatchcase(row.runtime, _literal(runtime)) and row.precision == precision
            for runtime, precision in self.rows
        )


def families() -> list[Family]:
    """All families."""
    table = load_toml(FILE, "device")
    return [_family(entry, table) for entry in table["family"]]


def _family(entry: Mapping[str, Any], table: Mapping[str, Any]) -> Family:
    prior = table["prior"][entry["unit"]]
    assert set(prior) == set(PARAMETERS)
    return Family(
        entry["name"],
        entry["backend"],
        entry["target"],
        entry["unit"],
        entry["precision"],
        Format(entry["value_bytes"], entry["weight_bytes"], entry["lanes"], entry["own_mib"]),
        Prior(prior, table["deviation"], entry["apart"], entry["noise"]),
        tuple((runtime, precision) for runtime, precision in entry["rows"]),
        entry["devices"],
        tuple(entry.get("kin", ())),
        entry["engine"],
        tuple(entry["runs"]),
        tuple(entry["sources"]),
        entry.get("like", ""),
    )


def _literal(pattern: str) -> str:
    """A pattern in which only `*` is special."""
    return pattern.replace("[", "[[]").replace("?", "[?]")


def network_key(network: Network) -> str:
    """A name for a network that is safe as a file name."""
    plain = re.sub(r"[^\w.]+", "_", f"{network.constructor} {network.arguments}").strip("_")
    return f"{network.library}.{plain}@{network.input}{'-backbone' if network.backbone else ''}"


def samples(family: Family, measured: Sequence[Measured]) -> list[Sample]:
    """The rows of a family, without sources that contradict the others.

    Raises `EdgecError` E0106 for a row of the family's runtime on an unknown device.
    """
    mine = [m for m in measured if family.has(m)]
    problems = [_unknown(m, family) for m in mine if m.device not in family.devices]
    if problems:
        raise EdgecError(problems)
    doubtful = disagreeing(mine)
    return [Sample(network_key(m.network), family.devices[m.device], m.ms) for m in mine if m.source not in doubtful]


def _unknown(row: Measured, family: Family) -> Diagnostic:
    near = suggest(row.device, list(family.devices))
    help_ = (f"did you mean `{near}`?",) if near else (f"the devices of {family.name} are {', '.join(family.devices)}",)
    return Diagnostic("E0106", f"the device `{row.device}` is unknown for {row.runtime}", row.place, (), help_)


_MODIFIERS = frozenset({"tf", "wide", "distil", "conditional", "deformable", "timm", "torchvision", "models"})


def architecture(key: str) -> str:
    """The architecture of a network, of whatever size; cross-validation leaves out one architecture at a time."""
    words = re.sub(r"^(torchvision\.models\.|timm\.)+", "", key.partition("@")[0].split(".", 1)[1])
    name = words.removeprefix("segmentation.").removeprefix("video.").removeprefix("create_model_")
    parts = [w.lower() for w in re.findall(r"[A-Z]+(?![a-z])|[A-Z][a-z]+|[a-z]+", name)]
    return next((part for part in parts if part not in _MODIFIERS), name)
