"""The interface of file formats, loaded on demand: a format is a row here and a module of `formats/`."""

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
from edgec.spec.reach import DeviceUse

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
"""The module that defines `FORMAT`, by the format's name, which is its suffix without the dot."""


@dataclass(frozen=True)
class RunOptions:
    """How an artifact is run.

    `on`: `local`, or another place. `shown`: set if inputs and outputs are to be those of the source; it describes how
    the artifact's interface differs. `precision`, `function`: for formats that have a choice. `device`: how to
    use the device, if `on` is one that is reached through adb or ssh.
    """

    on: str = "local"
    shown: Shown | None = None
    precision: str | None = None
    function: str | None = None
    device: DeviceUse | None = None


class Format(ABC):
    """One file format: how it is read, run, inspected and linted.

    `title` is its display name. `notes`: what a run by the runner of that name does not show. `untimed`: why latency
    measured here says nothing about a device; empty if it does.
    """

    title: str
    notes: ClassVar[Mapping[str, str]] = {}
    untimed: str = ""

    @abstractmethod
    def read(self, path: Path, function: str | None = None) -> Content:
        """The content of a file. Raises `EdgecError` E0604 or E0203 for a broken one."""

    @abstractmethod
    def open(self, path: Path, options: RunOptions) -> Runner:
        """A runner for a file. Raises `EdgecError` E0101 for options that the format does not have, E0603, E0701."""

    @abstractmethod
    def values(self, path: Path, inputs: Mapping[str, Array], shown: Shown) -> tuple[Values, dict[str, Array]]:
        """Every value computed from the source's inputs, in order, and the outputs and states afterwards."""

    @abstractmethod
    def rows(self, delegates: Sequence[str] = ()) -> tuple[Row[Any], ...]:
        """The ledger of loaders and compilers, and of `delegates`. Raises `EdgecError` E0101, E0603."""

    def built_rows(self) -> tuple[Row[Any], ...]:
        """The rows that a build is checked against: all of them, unless the file is for other loaders as well."""
        return self.rows()

    @abstractmethod
    def subject(self, path: Path) -> Any:
        """The object that the rows check. Raises `EdgecError` E0604, E0603."""

    def channels_last(self, path: Path) -> Collection[str]:
        """Inputs that the file records as having another layout than the source."""
        return ()

    def states(self, path: Path) -> list[Feature]:
        """The states that the artifact keeps between runs."""
        return []

    def labelled(self, path: Path, outputs: Sequence[str]) -> Shown:
        """How its interface differs from its source, which has these outputs, as far as the file records it."""
        return Shown()


def format_of(path: Path) -> Format:
    """The format of a file or package. Raises `EdgecError` E0604 for one that edgec does not read."""
    name = path.suffix[1:]
    if name not in FORMATS:
        known = ", ".join(f".{suffix}" for suffix in FORMATS)
        raise error("E0604", f"edgec does not know the format of `{path.name}`", help=[f"it reads {known}"])
    return named_format(name)


def named_format(name: str) -> Format:
    """The format with a name that is in the table."""
    found = importlib.import_module(FORMATS[name]).FORMAT
    assert isinstance(found, Format)
    return found


def no_run_options(options: RunOptions, path: Path, title: str) -> None:
    """Raises `EdgecError` E0101 or E0603 for options that a format with one function, precision and place lacks."""
    if options.function is not None:
        raise error("E0101", f"`{path.name}` has only one function", help=["remove `--function`"])
    if options.precision is not None:
        raise error("E0101", f"the precision of `{path.name}` is fixed by its build", help=["remove `--precision`"])
    if options.on != "local":
        raise error("E0603", f"{title} files cannot be run on `{options.on}` from this machine")
