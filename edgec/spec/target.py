"""Targets: what may be emitted, and how. One TOML file each; a target never describes the speed of a product."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from edgec.diag import EdgecError, Place, error
from edgec.diag.suggest import suggest
from edgec.spec import search
from edgec.spec.backend import BACKENDS, backend_spec
from edgec.spec.numerics import Numerics, read_numerics
from edgec.spec.ranges import InputRange, read_ranges
from edgec.spec.reader import Checker, Table, load_toml


@dataclass(frozen=True)
class Limits:
    """Limits of the runtime."""

    max_rank: int = 6


@dataclass(frozen=True)
class Accept:
    """The tolerance of verification; None means no limit.

    `max_rel` is the largest error relative to the output's largest magnitude; `min_psnr_db` is the minimum peak
    signal-to-noise ratio in decibels.
    """

    max_rel: float | None = None
    min_psnr_db: float | None = None


@dataclass(frozen=True)
class Graph:
    """`control_flow`: `where` computes both sides of a branch and selects, `native` executes the side that is taken.

    Loops whose trip count depends on data are native in either case.
    """

    control_flow: str = "where"


@dataclass(frozen=True)
class Rewrites:
    """Rules enabled and disabled by name."""

    enable: tuple[str, ...] = ()
    disable: tuple[str, ...] = ()


@dataclass(frozen=True)
class Target:
    """A resolved target: with inheritance merged and all defaults filled in.

    `options` have a type defined by the backend. `ranges`: ranges of inputs, by name.
    """

    name: str
    summary: str
    backend: str
    options: object
    devices: tuple[str, ...] = ()
    numerics: Numerics = field(default_factory=Numerics)
    limits: Limits = field(default_factory=Limits)
    graph: Graph = field(default_factory=Graph)
    rewrites: Rewrites = field(default_factory=Rewrites)
    accept: Accept = field(default_factory=Accept)
    ranges: tuple[InputRange, ...] = ()

    def digest(self) -> str:
        """A hash of everything that affects the artifact's bytes, for the build cache."""
        content = {k: v for k, v in asdict(self).items() if k not in ("summary", "devices")}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def list_targets() -> list[str]:
    """The names of all targets on the search path."""
    return search.names("targets")


def load_target(name: str, settings: Sequence[str] = ()) -> Target:
    """Load and check a target; `settings` are `--set` overrides such as `numerics.compute=float32`.

    Raises `EdgecError` E0104 for an unknown name, E0106 for errors in the file, E0101 for an invalid setting.
    """
    table, path = _resolved(name, ())
    target = _parse(table, path)
    if not settings:
        return target
    for setting in settings:
        _apply(table, setting)
    try:
        return _parse(table, path)
    except EdgecError as wrong:  # the file was valid, so its lines are not the location
        note = "set by " + " ".join(f"`--set {s}`" for s in settings)
        told = (replace(d, code="E0101", place=None, notes=(*d.notes, note)) for d in wrong.diagnostics)
        raise EdgecError(told) from wrong


def with_rewrites(target: Target, enable: Sequence[str], disable: Sequence[str]) -> Target:
    """The target with additional rules enabled and disabled."""
    merged = Rewrites((*target.rewrites.enable, *enable), (*target.rewrites.disable, *disable))
    return replace(target, rewrites=merged)


def _resolved(name: str, seen: tuple[str, ...], place: Place | None = None) -> tuple[dict[str, Any], Path]:
    """The file's table merged over its parents', each of which must be valid; `place` is that of `inherits`."""
    path = search.find("targets", name)
    if path is None:
        known = list_targets()
        near = suggest(name, known)
        help_ = [f"did you mean `{near}`?"] if near else []
        notes = [f"the targets are {', '.join(known)}"]
        raise error("E0104", f"there is no target `{name}`", place=place, notes=notes, help=help_)
    if name in seen:
        raise error("E0106", f"target `{name}` inherits itself", place=place, notes=[" -> ".join((*seen, name))])
    own = load_toml(path, "target")
    parent = own.pop("inherits", None)
    if parent is None:
        return own, path
    here = Place(str(path), Checker(path).line_of("inherits"))
    if not isinstance(parent, str):
        raise error("E0106", f"`inherits` must be a string, not `{parent}`", place=here)
    base, base_path = _resolved(parent, (*seen, name), here)
    _parse(base, base_path)  # mistakes in the parent are reported in its own file
    return _merge(base, own), path


def _merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        merged[key] = _merge(old, value) if isinstance(value, dict) and isinstance(old, dict) else value
    return merged


def _apply(table: dict[str, Any], setting: str) -> None:
    """Set one `section.key=value`; `_parse` checks it like a line of the file."""
    path, equals, text = setting.partition("=")
    keys = path.strip().split(".")
    if not equals or not all(keys):
        raise error("E0101", f"`--set {setting}` is not KEY=VALUE", help=["write `--set numerics.compute=float32`"])
    inner = table
    for key in keys[:-1]:
        inner = inner.setdefault(key, {})
        if not isinstance(inner, dict):
            raise error("E0101", f"`--set {setting}` is wrong: `{key}` is not a table")
    inner[keys[-1]] = _value(text.strip())


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _parse(table: Table, path: Path) -> Target:
    c = Checker(path)
    keys = (
        "name",
        "summary",
        "backend",
        "devices",
        "numerics",
        "limits",
        "graph",
        "options",
        "rewrites",
        "accept",
        "ranges",
    )
    c.known(table, keys)
    spec = backend_spec(c.choice(table, "backend", tuple(BACKENDS), next(iter(BACKENDS))))
    target = Target(
        name=c.string(table, "name"),
        summary=c.string(table, "summary"),
        backend=spec.name,
        devices=c.strings(table, "devices"),
        numerics=read_numerics(c, c.table(table, "numerics")),
        limits=_limits(c, c.table(table, "limits")),
        graph=_graph(c, c.table(table, "graph")),
        options=spec.read_options(c, c.table(table, "options")),
        rewrites=_rewrites(c, c.table(table, "rewrites")),
        accept=_accept(c, c.table(table, "accept")),
        ranges=read_ranges(c, c.table(table, "ranges")),
    )
    if target.name and target.name != path.stem:
        c.problem(f"`name` is `{target.name}` but the file is `{path.name}`", "name")
    spec.check(c, target)
    c.finish()
    return target


def _limits(c: Checker, table: Table) -> Limits:
    c.known(table, ("max_rank",), "limits.")
    limits = Limits(c.integer(table, "max_rank", 6))
    c.at_least(limits.max_rank, "max_rank", 1)
    return limits


def _graph(c: Checker, table: Table) -> Graph:
    c.known(table, ("control_flow",), "graph.")
    return Graph(c.choice(table, "control_flow", ("where", "native"), "where"))


def _rewrites(c: Checker, table: Table) -> Rewrites:
    c.known(table, ("enable", "disable"), "rewrites.")
    return Rewrites(c.strings(table, "enable"), c.strings(table, "disable"))


def _accept(c: Checker, table: Table) -> Accept:
    c.known(table, ("max_rel", "min_psnr_db"), "accept.")
    accept = Accept(c.optional_number(table, "max_rel"), c.optional_number(table, "min_psnr_db"))
    for key, value in asdict(accept).items():
        if value is not None:
            c.at_least(value, key, 0.0)
    return accept
