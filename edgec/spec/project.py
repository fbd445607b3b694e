"""The project file `edgec.toml`: one model, or several as `[[model]]`, with the options of the command line."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from edgec.diag import Diagnostic, EdgecError, Place, error
from edgec.diag.suggest import suggest
from edgec.spec.reader import Checker, Table, load_toml
from edgec.spec.request_options import SourceOptions, TargetOptions, over

FILE = "edgec.toml"


@dataclass(frozen=True)
class ModelRequest:
    """A model to build, from the command line or from an entry in a project file.

    `project` is that file: modules are imported from its folder, and manifests name files relative to it.
    """

    source: str
    name: str | None = None
    target: tuple[str, ...] = ()
    out: str | None = None
    device: str | None = None
    emit: tuple[str, ...] = ()
    options: SourceOptions = field(default_factory=SourceOptions)
    settings: TargetOptions = field(default_factory=TargetOptions)
    project: Path | None = None


_GROUPS = {"options": SourceOptions, "settings": TargetOptions}
_OWN = {f.name: f.default for f in fields(ModelRequest) if f.name not in (*_GROUPS, "source", "project")}
_KEYS = ("source", *_OWN, *(f.name for group in _GROUPS.values() for f in fields(group)))


@dataclass(frozen=True)
class Project:
    """The models of a project file, in its order."""

    path: Path
    models: tuple[ModelRequest, ...]

    def model(self, name: str) -> ModelRequest:
        """A model by its name. Raises `EdgecError` E0102."""
        names = [m.name or "" for m in self.models]
        if name in names:
            return self.models[names.index(name)]
        near = suggest(name, names)
        raise error(
            "E0102",
            f"`{name}` is neither a source nor a model of `{self.path}`",
            notes=[f"its models are {', '.join(filter(None, names))}"] if any(names) else [],
            help=[f"did you mean `{near}`?" if near else "give `file.py:attr`, `package.module:attr` or `model.onnx`"],
        )


def find_project(folder: Path) -> Path | None:
    """The nearest `edgec.toml` in the folder or above it, up to the root of a repository or the home folder."""
    for place in (folder, *folder.resolve().parents):
        if (place / FILE).is_file():
            return Path(os.path.relpath(place / FILE))
        if (place / ".git").exists() or place.resolve() == Path.home():
            return None
    return None


def requested(given: ModelRequest, project: Project | None) -> list[ModelRequest]:
    """The models that a command refers to; its own options take precedence over those of the project file.

    No source means all models of the project, a single word one of them; anything else is an independent source, to
    which the project file does not apply. Raises `EdgecError` E0101, E0102.
    """
    if given.source and (project is None or not could_be_name(given.source)):
        return [given]
    if project is None:
        raise error(
            "E0101",
            f"nothing to build: no SOURCE was given, and there is no `{FILE}` in this folder or above it",
            help=["give a source: `edgec build net.py:model --target android`"],
        )
    found = [project.model(given.source)] if given.source else list(project.models)
    if len(found) > 1 and given.name:
        names = ", ".join(m.name or "" for m in found)
        raise error("E0101", f"`--name` is for one model; `{project.path}` has {len(found)}", notes=[names])
    return [_merged(given, model) for model in found]


def one_requested(given: ModelRequest, project: Project | None) -> ModelRequest:
    """Like `requested`, for commands on one model. Raises `EdgecError` E0101 if the file has several."""
    found = requested(given, project)
    if len(found) > 1:
        names = [m.name or "" for m in found]
        raise error(
            "E0101", "several models are meant", notes=[", ".join(names)], help=[f"name one, such as `{names[0]}`"]
        )
    return found[0]


def could_be_name(source: str) -> bool:
    """Whether a command's SOURCE may be the name of a model in a project file."""
    return re.fullmatch(r"[\w-]+", source) is not None and not Path(source).exists()


def _merged(given: ModelRequest, model: ModelRequest) -> ModelRequest:
    own = {key: value for key in _OWN if (value := getattr(given, key))}
    options, settings = over(given.options, model.options), over(given.settings, model.settings)
    return replace(model, **own, options=options, settings=settings)


def load_project(path: Path) -> Project:
    """Read a project file. Raises `EdgecError` E0106 for all mistakes in it."""
    document = load_toml(path, "project")
    tables = document.pop("model", None)
    if tables is None:
        c = Checker(path)
        model = _read(c, document)
        c.finish()
        return Project(path, (model,))
    if not isinstance(tables, list) or not tables or not all(isinstance(t, dict) for t in tables):
        place = Place(str(path), Checker(path).line_of("model"))
        raise error("E0106", "`model` must be a table for each model", place=place, help=["write `[[model]]`"])
    common, problems = Checker(path), []
    common.known(document, [key for key in _KEYS if key not in ("source", "name")])
    models, spans = [], _spans(path, len(tables))
    for table, lines in zip(tables, spans, strict=True):
        c = Checker(path, lines=(lines, range(1, spans[0].start)))
        models.append(_read(c, {**document, **table}, named=True, own=table))
        problems += c.problems
    problems = [*common.problems, *problems, *_twice(path, models, spans)]
    if problems:
        raise EdgecError(problems)
    return Project(path, tuple(models))


def _read(c: Checker, table: Table, *, named: bool = False, own: Table | None = None) -> ModelRequest:
    """A model's table, merged with the keys above all tables; `own` are those of the table itself."""
    c.known(table if own is None else own, _KEYS)
    folder = c.path.parent
    groups = {
        name: group(**{f.name: _value(c, table, f.name, f.default) for f in fields(group)})
        for name, group in _GROUPS.items()
    }
    keys = {key: _value(c, table, key, default) for key, default in _OWN.items()}
    if named and not keys["name"]:
        c.problem("each `[[model]]` needs a `name`", "source")
    model = ModelRequest(c.string(table, "source"), **keys, **groups, project=c.path)
    if folder == Path():
        return model
    moved = with_paths(model, lambda text: os.path.relpath(folder / text))
    return replace(moved, out=os.path.relpath(folder / (model.out or "build")))


def _value(c: Checker, table: Table, key: str, default: Any) -> Any:
    if default == ():
        return c.strings(table, key)
    return c.string(table, key) if key in table else default


def _spans(path: Path, count: int) -> list[range]:
    """The lines of each `[[model]]`; the whole file for an inline list of tables."""
    lines = path.read_text(encoding="utf-8").splitlines()
    starts = [i for i, line in enumerate(lines, 1) if re.match(r"\s*\[\[\s*model\s*\]\]", line)]
    found = [range(*ends) for ends in zip(starts, [*starts[1:], len(lines) + 1], strict=True)]
    return found if len(found) == count else [range(1, len(lines) + 1)] * count


def _twice(path: Path, models: list[ModelRequest], spans: list[range]) -> list[Diagnostic]:
    names = [m.name for m in models]
    return [
        Diagnostic("E0106", f"two models are named `{m.name}`", Place(str(path), spans[i].start))
        for i, m in enumerate(models)
        if m.name and m.name in names[:i]
    ]


def with_paths(model: ModelRequest, changed: Callable[[str], str]) -> ModelRequest:
    """The model with every path of a file that it names changed."""

    def source(text: str) -> str:
        code, colon, attribute = text.rpartition(":")
        if not colon:
            return changed(text)
        return f"{changed(code)}:{attribute}" if code.endswith(".py") else text  # else a module by its name

    def behind(mark: str, text: str, change: Callable[[str], str]) -> str:
        head, found, rest = text.partition(mark)
        return f"{head}{mark}{change(rest)}" if found else text

    o = model.options
    options = replace(
        o,
        input=tuple(behind("@", text, changed) for text in o.input),
        samples=o.samples and changed(o.samples),
        calibrate=o.calibrate and source(o.calibrate),
        weights=o.weights and changed(o.weights),
        extension=o.extension and changed(o.extension),
        function=tuple(behind("=", text, source) for text in o.function),
    )
    return replace(model, source=source(model.source), options=options)
