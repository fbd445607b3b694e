"""`manifest.json`, schema 1: what was built, from what, and how it was verified. Keys may be added, never renamed."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from edgec.artifact.app import App, load_app
from edgec.artifact.evaluation import EvaluationInfo
from edgec.artifact.provenance import Provenance, load_provenance
from edgec.artifact.shown import Shown, load_shown
from edgec.diag import Place, error
from edgec.diag.foreign import said
from edgec.spec.target import Accept

SCHEMA = 1


@dataclass(frozen=True)
class ArtifactFile:
    """The artifact beside the manifest; hash and size of a package (a folder) are over its files in order."""

    path: str
    sha256: str
    bytes: int


@dataclass(frozen=True)
class TensorInfo:
    """One input or output of the interface."""

    name: str
    shape: tuple[int | str, ...]
    dtype: str


@dataclass(frozen=True)
class GraphInfo:
    """The content of the artifact: instructions by name, parameters and multiply-accumulates."""

    ops: dict[str, int]
    parameters: int
    macs: int


@dataclass(frozen=True)
class Rewrite:
    """A rule or pass that changed the graph, and the number of changes."""

    rule: str
    count: int


@dataclass(frozen=True)
class Kept:
    """An operator that stays in float32 in a program of lower precision, its module's path, and the evidence."""

    op: str
    node: str
    module: str
    evidence: str


@dataclass(frozen=True)
class OffUnit:
    """An instruction that a rule excludes from the preferred unit."""

    op: str
    node: str
    module: str
    unit: str
    rule: str


@dataclass(frozen=True)
class PlacementInfo:
    """The predicted placement of instructions: how many run on each unit, and how often execution switches units.

    `off` lists those that are not on the preferred unit; `evidence` gives the published source of each rule.
    """

    kind: str = "predicted"
    units: dict[str, int] = field(default_factory=dict)
    switches: int = 0
    off: tuple[OffUnit, ...] = ()
    evidence: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Accuracy:
    """The verdict of verification. `note` says what was not executed. Infinite values are written as null.

    `allowed_rel`: if an output exceeded the target's tolerance but was within 8 times the source's own float32
    rounding, that bound, relative to the output's largest magnitude; null if no output needed it.
    """

    status: str
    runner: str
    samples: int = 0
    max_abs: float | None = None
    max_rel: float | None = None
    cosine: float | None = None
    psnr_db: float | None = None
    worst_output: str = ""
    worst_index: tuple[int, ...] = ()
    note: str = ""
    allowed_rel: float | None = None


@dataclass(frozen=True)
class Latency:
    """Milliseconds on one device: `kind` is measured or predicted, `method` how.

    `confidence` of a prediction: `fitted`, `extrapolated` from another device, or `outside` of what was measured, with
    why in `reasons`.
    """

    device: str
    kind: str
    p50_ms: float
    low_ms: float
    high_ms: float
    method: str
    confidence: str = ""
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class SourceInfo:
    """The source of the model."""

    kind: str
    ref: str
    sha256: str


@dataclass(frozen=True)
class BranchInfo:
    """A branch on data: its place, how it was converted, and the sides (true, false) that verification took.

    `steps`, for a loop of the graph: the numbers of iterations in verification: 0, 1 or (2) several.
    """

    place: str
    how: str
    covered: tuple[bool, ...]
    steps: tuple[int, ...] | None = None


@dataclass(frozen=True)
class StateInfo:
    """A state carried from one run to the next, from `output` to `input`.

    `kept` by the `artifact` itself, or by the `app`, which passes the output of one run to the input of the next.
    """

    input: str
    output: str
    kept: str


@dataclass(frozen=True)
class NamesInfo:
    """The source's names where the artifact's differ, by the artifact's names.

    `interface`: inputs, outputs and states, which the app uses; `values`: all inner values.
    """

    interface: dict[str, str] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RangeInfo:
    """The range of a numeric input, `low` to `high` if known, and its origin.

    `origin` is request, target, image, type or table; empty if no range is known. `shown`: the largest magnitude at
    which the artifact was run and agreed with the source; null if there is none.
    """

    input: str
    low: float | None = None
    high: float | None = None
    origin: str = ""
    shown: float | None = None


@dataclass(frozen=True)
class DeviceLoaded:
    """Whether a device's own loader accepted the artifact: `never` tried, `loaded` or `refused`.

    `system` and `when` (YYYY-MM-DD) are those of the last attempt, `said` is the error message.
    """

    status: str = "never"
    system: str = ""
    when: str = ""
    said: str = ""


@dataclass(frozen=True)
class FunctionInfo:
    """One function of an artifact with several, with its own interface; the first is the default."""

    name: str
    source: SourceInfo
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    states: tuple[StateInfo, ...]
    accuracy: Accuracy
    latency: tuple[Latency, ...]
    names: NamesInfo = field(default_factory=NamesInfo)
    ranges: tuple[RangeInfo, ...] = ()
    app: App = field(default_factory=App)


@dataclass(frozen=True)
class Settings:
    """The build's changes to its target: `--set`, `--io-layout`, rules enabled and disabled, and another emitter."""

    set: tuple[str, ...] = ()
    io_layout: tuple[str, ...] = ()
    enable: tuple[str, ...] = ()
    disable: tuple[str, ...] = ()
    via: str | None = None


@dataclass(frozen=True)
class Manifest:
    """Everything known about one artifact."""

    name: str
    target: str
    format: str
    artifact: ArtifactFile
    source: SourceInfo
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    graph: GraphInfo
    rewrites: tuple[Rewrite, ...]
    accuracy: Accuracy
    latency: tuple[Latency, ...]
    float32: tuple[Kept, ...] = ()
    placement: PlacementInfo = field(default_factory=PlacementInfo)
    decided: dict[str, dict[str, Any]] = field(default_factory=dict)
    """A backend's decisions about the whole artifact, by key; each is a table at the top level of the document."""
    tools: dict[str, str] = field(default_factory=dict)
    branches: tuple[BranchInfo, ...] = ()
    states: tuple[StateInfo, ...] = ()
    functions: tuple[FunctionInfo, ...] = ()
    dimensions: dict[str, tuple[int, int]] = field(default_factory=dict)
    """The smallest and largest size of each dimension that is named in `inputs` and `outputs`."""
    ranges: tuple[RangeInfo, ...] = ()
    files: tuple[str, ...] = ()
    """All files that the build wrote into its folder except the manifest; the next build may replace only these."""
    names: NamesInfo = field(default_factory=NamesInfo)
    parameters: dict[str, str] = field(default_factory=dict)
    """The source's names of the constants, by the artifact's: the module that uses one, and what it is there."""
    shown: Shown = field(default_factory=Shown)
    accept: Accept | None = None
    """The tolerance of verification; absent from older manifests."""
    settings: Settings = field(default_factory=Settings)
    device_loaded: DeviceLoaded = field(default_factory=DeviceLoaded)
    evaluation: tuple[EvaluationInfo, ...] = ()
    app: App = field(default_factory=App)
    """The interface as the app sees it; of several functions, that of the first."""
    provenance: Provenance = field(default_factory=Provenance)
    schema: int = SCHEMA

    def to_json(self) -> str:
        """The document: `schema` first; numbers that JSON cannot express as null."""
        own = {k: v for k, v in asdict(self).items() if k not in ("schema", "decided")}
        document = {"schema": self.schema, **own, **self.decided}
        return json.dumps(_plain(document), indent=1) + "\n"


_KEYS = frozenset(f.name for f in fields(Manifest))


def read_manifest(path: Path) -> Manifest:
    """Read a manifest. Raises `EdgecError` E0604 if it is invalid."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document.get("schema") != SCHEMA:
            raise ValueError(f"its schema is {document.get('schema')}, this version of edgec reads {SCHEMA}")
        return _manifest(document)
    except (OSError, ValueError, KeyError, TypeError) as failure:
        why = f"it has no {failure}" if isinstance(failure, KeyError) else said("the reader", failure)
        raise error("E0604", f"`{path}` is not a manifest", place=Place(str(path)), notes=[why]) from failure


def rewrite_manifest(path: Path, manifest: Manifest) -> None:
    """Replace the manifest at `path`, completely or not at all.

    Raises `EdgecError` E0108 if that fails.
    """
    beside = path.with_name(f".{path.name}.new")
    try:
        beside.write_text(manifest.to_json(), encoding="utf-8")
        beside.replace(path)
    except OSError as failure:
        raise error("E0108", f"`{path}` cannot be written: {failure.strerror}") from failure


def _manifest(document: Mapping[str, Any]) -> Manifest:
    return Manifest(
        name=document["name"],
        target=document["target"],
        format=document["format"],
        artifact=_load(ArtifactFile, document["artifact"]),
        source=_load(SourceInfo, document["source"]),
        inputs=tuple(_load(TensorInfo, t) for t in document["inputs"]),
        outputs=tuple(_load(TensorInfo, t) for t in document["outputs"]),
        graph=_load(GraphInfo, document["graph"]),
        rewrites=tuple(_load(Rewrite, r) for r in document["rewrites"]),
        accuracy=_load(Accuracy, document["accuracy"]),
        latency=tuple(_load(Latency, entry) for entry in document["latency"]),
        float32=tuple(_load(Kept, entry) for entry in document.get("float32", ())),
        placement=_placement(document.get("placement", {})),
        decided={key: table for key, table in document.items() if key not in _KEYS and isinstance(table, dict)},
        tools=dict(document["tools"]),
        branches=tuple(_load(BranchInfo, b) for b in document.get("branches", ())),
        states=tuple(_load(StateInfo, s) for s in document.get("states", ())),
        ranges=tuple(_load(RangeInfo, r) for r in document.get("ranges", ())),
        dimensions={name: (int(low), int(high)) for name, (low, high) in document.get("dimensions", {}).items()},
        functions=tuple(_function(f) for f in document.get("functions", ())),
        files=tuple(str(name) for name in document.get("files", ())),
        names=_load(NamesInfo, document.get("names", {})),
        parameters=dict(document.get("parameters", {})),
        device_loaded=_load(DeviceLoaded, document.get("device_loaded", {})),
        shown=load_shown(document.get("shown", {})),
        accept=_load(Accept, document["accept"]) if document.get("accept") else None,
        settings=_load(Settings, document.get("settings", {})),
        evaluation=tuple(_load(EvaluationInfo, e) for e in document.get("evaluation", ())),
        app=load_app(document.get("app", {})),
        provenance=load_provenance(document.get("provenance", {})),
    )


def _function(table: Mapping[str, Any]) -> FunctionInfo:
    return FunctionInfo(
        name=table["name"],
        source=_load(SourceInfo, table["source"]),
        inputs=tuple(_load(TensorInfo, t) for t in table["inputs"]),
        outputs=tuple(_load(TensorInfo, t) for t in table["outputs"]),
        states=tuple(_load(StateInfo, s) for s in table["states"]),
        accuracy=_load(Accuracy, table["accuracy"]),
        latency=tuple(_load(Latency, entry) for entry in table["latency"]),
        names=_load(NamesInfo, table.get("names", {})),
        ranges=tuple(_load(RangeInfo, r) for r in table.get("ranges", ())),
        app=load_app(table.get("app", {})),
    )


def _placement(table: Mapping[str, Any]) -> PlacementInfo:
    off = tuple(_load(OffUnit, entry) for entry in table.get("off", ()))
    loaded: PlacementInfo = _load(PlacementInfo, {k: v for k, v in table.items() if k != "off"})
    return replace(loaded, off=off)


def _load(kind: Any, table: Mapping[str, Any]) -> Any:
    """A dataclass from a table, ignoring keys of later versions of edgec."""
    known = {f.name for f in fields(kind)}
    return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in table.items() if k in known})


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
