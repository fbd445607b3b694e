"""The project file: what `edgec build` builds in a folder when it is told nothing."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

from edgec.diag import error
from edgec.spec.reader import Checker, Table, load_toml

FILE = "edgec.toml"


@dataclass(frozen=True)
class Project:
    """The options of `edgec build` by their names, each with the text that the command line would have.

    `set` holds `KEY=VALUE` for every target, `function` holds `NAME=SOURCE`. Paths are relative to the folder.
    """

    source: str
    target: tuple[str, ...] = ()
    out: str = "build"
    input: tuple[str, ...] = ()
    samples: str | None = None
    weights: str | None = None
    extension: str | None = None
    name: str | None = None
    dynamic: tuple[str, ...] = ()
    function: tuple[str, ...] = ()
    state: tuple[str, ...] = ()
    range: tuple[str, ...] = ()
    device: str | None = None
    set: tuple[str, ...] = ()
    io_layout: tuple[str, ...] = ()
    via: str | None = None
    enable: tuple[str, ...] = ()
    disable: tuple[str, ...] = ()
    emit: tuple[str, ...] = ()


def load_project(folder: Path) -> Project:
    """Read the folder's `edgec.toml`. Raises `EdgecError` E0101 without one, E0106 for what is wrong in it."""
    path = folder / FILE
    if not path.is_file():
        raise error(
            "E0101",
            f"nothing to build: no SOURCE was given, and this folder has no `{FILE}`",
            help=["give a source: `edgec build net.py:model --target android`"],
        )
    table = load_toml(path)
    c = Checker(path)
    c.known(table, [f.name for f in fields(Project)])
    project = Project(
        source=c.string(table, "source"),
        target=c.strings(table, "target"),
        out=c.string(table, "out", "build"),
        input=c.strings(table, "input"),
        samples=_word(c, table, "samples"),
        weights=_word(c, table, "weights"),
        extension=_word(c, table, "extension"),
        name=_word(c, table, "name"),
        dynamic=c.strings(table, "dynamic"),
        function=c.strings(table, "function"),
        state=c.strings(table, "state"),
        range=c.strings(table, "range"),
        device=_word(c, table, "device"),
        set=c.strings(table, "set"),
        io_layout=c.strings(table, "io_layout"),
        via=_word(c, table, "via"),
        enable=c.strings(table, "enable"),
        disable=c.strings(table, "disable"),
        emit=c.strings(table, "emit"),
    )
    c.finish()
    return project


def _word(c: Checker, table: Table, key: str) -> str | None:
    return c.string(table, key) if key in table else None
