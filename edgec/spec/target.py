"""Targets: what may be emitted, and how. One TOML file each; a target never says how fast a product is."""

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
from edgec.spec.coreml import CoreMLOptions, coreml_options
from edgec.spec.ranges import InputRange, read_ranges
from edgec.spec.reader import Checker, Table, load_toml
from edgec.spec.tflite import TFLiteOptions, tflite_options

_FLOATS = ("float32", "float16")
_KEPT = ("as-needed", "ranges", "decisions")
BACKENDS = ("coreml", "tflite", "tensorrt")


@dataclass(frozen=True)
class Numerics:
    """What numbers the device may compute in (`compute`) and how constants are stored (`weights`, as `compute` unless
    said).

    `float32` says what stays in float32 where `compute` is float16: `ranges`, what overflows or loses its digits;
    `decisions`, also what jumps or steepens, such as an index; `as-needed`, the least that meets the target's accuracy:
    `ranges`, else `decisions`, else everything.
    """

    compute: str = "float32"
    weights: str = "float32"
    float32: str = "as-needed"


@dataclass(frozen=True)
class Limits:
    """What the runtime can hold."""

    max_rank: int = 6


@dataclass(frozen=True)
class Accept:
    """What verification must show. None: not asked for.

    `max_rel` is the largest error relative to the output's largest magnitude; `min_psnr_db` is the least peak
    signal-to-noise ratio in decibels.
    """

    max_rel: float | None = None
    min_psnr_db: float | None = None


@dataclass(frozen=True)
class Graph:
    """`control_flow`: `where` computes both sides of a branch and selects, `native` runs the side that is taken.

    A loop whose end depends on data is native either way.
    """

    control_flow: str = "where"


@dataclass(frozen=True)
class Rewrites:
    """Rules switched on or off by name."""

    enable: tuple[str, ...] = ()
    disable: tuple[str, ...] = ()


@dataclass(frozen=True)
class TensorRTOptions:
    """`build`: `ahead-of-time` here for `compute_capabilities` (SM86 …), or `on-device` on the board itself."""

    build: str = "ahead-of-time"
    compute_capabilities: tuple[str, ...] = ("SM89",)


Options = CoreMLOptions | TFLiteOptions | TensorRTOptions


@dataclass(frozen=True)
class Target:
    """A resolved target: inheritance merged, every default filled in.

    `ranges`: what inputs may be, by their names.
    """

    name: str
    summary: str
    backend: str
    devices: tuple[str, ...] = ()
    numerics: Numerics = field(default_factory=Numerics)
    limits: Limits = field(default_factory=Limits)
    graph: Graph = field(default_factory=Graph)
    options: Options = field(default_factory=TFLiteOptions)
    rewrites: Rewrites = field(default_factory=Rewrites)
    accept: Accept = field(default_factory=Accept)
    ranges: tuple[InputRange, ...] = ()

    def digest(self) -> str:
        """A content hash for the build cache: everything that changes bytes."""
        content = {k: v for k, v in asdict(self).items() if k not in ("summary", "devices")}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def list_targets() -> list[str]:
    """The names of every target on the search path."""
    return search.names("targets")


def load_target(name: str, settings: Sequence[str] = ()) -> Target:
    """Load and check a target; `settings` are `--set` overrides such as `numerics.compute=float32`.

    Raises `EdgecError` E0104 for an unknown name, E0106 for what is wrong in the file, E0101 for a bad setting.
    """
    table, path = _resolved(name, ())
    target = _parse(table, path)
    if not settings:
        return target
    for setting in settings:
        _apply(table, setting)
    try:
        return _parse(table, path)
    except EdgecError as wrong:  # the file was right, so its lines are not the place
        note = "set by " + " ".join(f"`--set {s}`" for s in settings)
        told = (replace(d, code="E0101", place=None, notes=(*d.notes, note)) for d in wrong.diagnostics)
        raise EdgecError(told) from wrong


def with_rewrites(target: Target, enable: Sequence[str], disable: Sequence[str]) -> Target:
    """The target with more rules switched on or off."""
    merged = Rewrites((*target.rewrites.enable, *enable), (*target.rewrites.disable, *disable))
    return replace(target, rewrites=merged)


def _resolved(name: str, seen: tuple[str, ...], place: Place | None = None) -> tuple[dict[str, Any], Path]:
    """The file's table over its parents', each of which is a valid target; `place` is where it is inherited."""
    path = search.find("targets", name)
    if path is None:
        known = list_targets()
        near = suggest(name, known)
        help_ = [f"did you mean `{near}`?"] if near else []
        notes = [f"known targets are {', '.join(known)}"]
        raise error("E0104", f"no target `{name}`", place=place, notes=notes, help=help_)
    if name in seen:
        raise error("E0106", f"target `{name}` inherits itself", place=place, notes=[" -> ".join((*seen, name))])
    own = load_toml(path)
    parent = own.pop("inherits", None)
    if parent is None:
        return own, path
    here = Place(str(path), Checker(path).line_of("inherits"))
    if not isinstance(parent, str):
        raise error("E0106", f"`inherits` must be a string, not `{parent}`", place=here)
    base, base_path = _resolved(parent, (*seen, name), here)
    _parse(base, base_path)  # what is wrong in the parent is told in the parent's file
    return _merge(base, own), path


def _merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        merged[key] = _merge(old, value) if isinstance(value, dict) and isinstance(old, dict) else value
    return merged


def _apply(table: dict[str, Any], setting: str) -> None:
    """Put one `section.key=value` in place; `_parse` checks it like a line of the file."""
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
    backend = c.choice(table, "backend", BACKENDS, "tflite")
    target = Target(
        name=c.string(table, "name"),
        summary=c.string(table, "summary"),
        backend=backend,
        devices=c.strings(table, "devices"),
        numerics=_numerics(c, c.table(table, "numerics")),
        limits=_limits(c, c.table(table, "limits")),
        graph=_graph(c, c.table(table, "graph")),
        options=_options(c, c.table(table, "options"), backend),
        rewrites=_rewrites(c, c.table(table, "rewrites")),
        accept=_accept(c, c.table(table, "accept")),
        ranges=read_ranges(c, c.table(table, "ranges")),
    )
    if target.name and target.name != path.stem:
        c.problem(f"`name` is `{target.name}` but the file is `{path.name}`", "name")
    if backend == "coreml":
        _check_coreml(c, target)
    if backend == "tensorrt" and target.numerics != Numerics():
        c.problem("a tensorrt target computes and stores float32", "numerics")
    c.finish()
    return target


def _numerics(c: Checker, table: Table) -> Numerics:
    c.known(table, ("compute", "weights", "float32"), "numerics.")
    compute = c.choice(table, "compute", _FLOATS, "float32")
    weights = c.choice(table, "weights", _FLOATS, compute)
    return Numerics(compute, weights, c.choice(table, "float32", _KEPT, "as-needed"))


def _check_coreml(c: Checker, target: Target) -> None:
    """What Core ML's numerics leave open."""
    options = target.options
    stored = (target.numerics.compute, target.numerics.weights)
    if stored == ("float16", "float32"):
        c.problem("float32 weights would be rounded to `compute`, which is float16", "weights")
    narrow = stored == ("float32", "float16")
    if narrow and isinstance(options, CoreMLOptions) and options.is_before("iOS16"):
        c.problem("float16 weights of a float32 model begin with iOS 16", "weights")


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


def _options(c: Checker, table: Table, backend: str) -> Options:
    if backend == "coreml":
        return coreml_options(c, table)
    if backend == "tensorrt":
        c.known(table, ("build", "compute_capabilities"), "options.")
        capabilities = c.strings(table, "compute_capabilities") or TensorRTOptions().compute_capabilities
        for name in capabilities:
            if name not in COMPUTE_CAPABILITIES:
                known = ", ".join(COMPUTE_CAPABILITIES)
                c.problem(f"`{name}` is not a compute capability", "compute_capabilities", f"one of {known}")
        build = c.choice(table, "build", ("ahead-of-time", "on-device"), "ahead-of-time")
        return TensorRTOptions(build, capabilities)
    return tflite_options(c, table)


COMPUTE_CAPABILITIES = ("SM75", "SM80", "SM86", "SM87", "SM89", "SM120", "SM121")
"""What TensorRT-RTX 1.7 builds for, and SM87 (Orin), which classic TensorRT builds on the board."""
