"""What is to be known of a file format, loaded on demand: a row here and a module of `formats/` make one."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from edgec.artifact.shown import Shown
from edgec.diag import error

if TYPE_CHECKING:
    from edgec.ledger.row import Row
    from edgec.measure.inspection.summary import Content, Feature
    from edgec.runners.base import Runner

Array = NDArray[np.generic]
Values = list[tuple[str, Array]]

FORMATS = {
    "mlpackage": "edgec.formats.mlpackage",
    "tflite": "edgec.formats.tflite",
    "engine": "edgec.formats.engine",
    "onnx": "edgec.formats.onnx",
    "ort": "edgec.formats.ort",
}
"""The module with the `FORMAT` of each, by its name, which is the suffix without the dot."""


@dataclass(frozen=True)
class Way:
    """How an artifact is run.

    `on`: `local`, or another place. `shown`: where the runner is to take and give what the source does, what the
    artifact shows otherwise. `precision`, `function`: of formats that leave them open.
    """

    on: str = "local"
    shown: Shown | None = None
    precision: str | None = None
    function: str | None = None


class Format(ABC):
    """One file format: how it is read, run, looked into and held against what loaders demand.

    `title` is its name for a person. `notes`: what a run by a runner of that name does not show. `untimed`: why a run
    here says nothing of the time on a device; empty where it does.
    """

    title: str
    notes: ClassVar[Mapping[str, str]] = {}
    untimed: str = ""

    @abstractmethod
    def read(self, path: Path, function: str | None = None) -> Content:
        """What the file holds. Raises `EdgecError` E0604 or E0203 for a broken one."""

    @abstractmethod
    def open(self, path: Path, way: Way) -> Runner:
        """A runner for it. Raises `EdgecError` E0101 for what the format does not leave open, E0603, E0701."""

    @abstractmethod
    def values(self, path: Path, inputs: Mapping[str, Array], shown: Shown) -> tuple[Values, dict[str, Array]]:
        """Every value that it computes from the source's inputs, in order, and its outputs and states afterwards."""

    @abstractmethod
    def rows(self, delegates: Sequence[str] = ()) -> tuple[Row[Any], ...]:
        """What loaders and compilers demand, and of `delegates` what they take. Raises `EdgecError` E0101, E0603."""

    def built_rows(self) -> tuple[Row[Any], ...]:
        """What a build of this format is held against: all, unless the file is for other readers as well."""
        return self.rows()

    @abstractmethod
    def subject(self, path: Path) -> Any:
        """What the rows look at. Raises `EdgecError` E0604, E0603."""

    def channels_last(self, path: Path) -> Collection[str]:
        """Inputs that the file itself says to have in another layout than the source."""
        return ()

    def states(self, path: Path) -> list[Feature]:
        """What the artifact keeps between runs."""
        return []

    def labelled(self, path: Path, outputs: Sequence[str]) -> Shown:
        """What it shows otherwise than its source, whose outputs these are, as far as the file itself tells."""
        return Shown()


def format_of(path: Path) -> Format:
    """The format of a file or package. Raises `EdgecError` E0604 for one that edgec does not read."""
    name = path.suffix[1:]
    if name not in FORMATS:
        known = ", ".join(f".{suffix}" for suffix in FORMATS)
        raise error("E0604", f"edgec does not know the format of `{path.name}`", help=[f"it reads {known}"])
    return named_format(name)


def named_format(name: str) -> Format:
    """The format of that name, which is in the table."""
    found = importlib.import_module(FORMATS[name]).FORMAT
    assert isinstance(found, Format)
    return found


def no_other_way(way: Way, path: Path, title: str) -> None:
    """Raises `EdgecError` E0101, E0603 where a format with one function and precision, run here, is asked for more."""
    if way.function is not None:
        raise error("E0101", f"`{path.name}` has only one function", help=["remove `--function`"])
    if way.precision is not None:
        raise error("E0101", f"the precision of `{path.name}` is fixed by its build", help=["remove `--precision`"])
    if way.on != "local":
        raise error("E0603", f"{title} files cannot be run on `{way.on}` from this machine")
