"""Creates the manifest of a build."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

import numpy as np
import onnx_ir as ir

from edgec import __version__
from edgec.artifact.app import App
from edgec.artifact.files import sha256_of, size_of
from edgec.artifact.format import named_format
from edgec.artifact.manifest import (
    Accuracy,
    ArtifactFile,
    BranchInfo,
    FunctionInfo,
    GraphInfo,
    Kept,
    Latency,
    Manifest,
    NamesInfo,
    OffUnit,
    PlacementInfo,
    RangeInfo,
    Rewrite,
    SourceInfo,
    StateInfo,
    TensorInfo,
)
from edgec.backends.base import Backend, Program
from edgec.backends.placement import Placement
from edgec.compiler.app_interface import AppView
from edgec.compiler.input_ranges import with_ranges
from edgec.compiler.parameter_names import parameter_names
from edgec.diag import Place
from edgec.frontend.imported import ImportedModel
from edgec.ir.dims import dim_ranges
from edgec.ir.model import Model
from edgec.ir.states import states
from edgec.measure.accuracy import Verdict
from edgec.passes.remarks import Decided, KeptInFloat32, Remark, counted, only
from edgec.spec.backend import backend_specs
from edgec.spec.target import Target


@dataclass(frozen=True)
class Lowered:
    """One source in the course of a build: imported, canonical (`model`), legal, and as a program. `kernels` are the
    user's own operators for which it calls kernels.
    """

    imported: ImportedModel
    model: Model
    legal: Model
    program: Program
    remarks: list[Remark]
    kernels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Observed:
    """The results of running the artifact, and its predicted latency.

    `held`: the largest magnitude of each input on samples for which it agrees with the source.
    """

    verdict: Verdict
    latency: tuple[Latency, ...]
    held: Mapping[str, float]


def manifest(lowered: Lowered, seen: Observed, target: Target, chosen: Backend, path: Path) -> Manifest:
    """The manifest of an artifact with one function, which is at `path`."""
    model, program, remarks = lowered.model, lowered.program, lowered.remarks
    inputs, outputs, held = _interface(lowered)
    return Manifest(
        name=lowered.imported.name,
        target=target.name,
        format=chosen.format(target),
        artifact=ArtifactFile(path.name, sha256_of(path), size_of(path)),
        source=SourceInfo(**asdict(lowered.imported.source)),
        inputs=inputs,
        outputs=outputs,
        dimensions=_dimensions(model, (*inputs, *outputs)),
        graph=GraphInfo(histogram(program), _parameters(model), sum(chosen.macs(i) for i in program.every_instr())),
        rewrites=tuple(Rewrite(rule, count) for rule, count in counted(remarks).items()),
        accuracy=_accuracy(seen.verdict, chosen.format(target)),
        latency=seen.latency,
        float32=tuple(Kept(k.op, k.node, k.module, k.evidence) for k in only(KeptInFloat32, remarks)),
        placement=placement_info(chosen.placement(program, target, path)),
        decided={decided.section: dict(decided.table()) for decided in only(Decided, remarks)},
        tools={**tools(), **chosen.tools},
        branches=tuple(BranchInfo(_relative(b.place), b.how, b.sides, b.rounds) for b in lowered.imported.branches),
        states=held,
        ranges=_ranges(lowered, seen, target),
        names=_names(program, target, chosen),
        parameters=parameter_names(program, chosen.renamed(program, target).values),
        shown=chosen.shown(target),
        app=_app(lowered, target, chosen, path, None),
        accept=target.accept,
    )


def functions(
    parts: Mapping[str, tuple[Lowered, Observed]], target: Target, chosen: Backend, path: Path
) -> tuple[FunctionInfo, ...]:
    """The parts of the manifest that differ between the functions of one artifact."""
    found = []
    for name, (lowered, seen) in parts.items():
        source = SourceInfo(**asdict(lowered.imported.source))
        names = _names(lowered.program, target, chosen)
        shown = (_accuracy(seen.verdict, chosen.format(target)), seen.latency)
        found.append(
            FunctionInfo(
                name,
                source,
                *_interface(lowered),
                *shown,
                names=names,
                ranges=_ranges(lowered, seen, target),
                app=_app(lowered, target, chosen, path, name),
            )
        )
    return tuple(found)


def _app(lowered: Lowered, target: Target, chosen: Backend, path: Path, function: str | None) -> App:
    """The app's interface, read from the written file."""
    inputs, outputs, held = _interface(lowered)
    tensors = (*inputs, *outputs)
    names = chosen.renamed(lowered.program, target).interface
    sizes = _dimensions(lowered.model, tensors)
    return AppView(names, tensors, sizes, chosen.described(target), chosen.shown(target)).of(path, function, held)


def _ranges(lowered: Lowered, seen: Observed, target: Target) -> tuple[RangeInfo, ...]:
    """For each numeric input the declared range and the range verified; and the constant inputs."""
    known = {r.name: r for r in with_ranges(target, lowered.model, lowered.imported.ranges).ranges}
    found = []
    for value in lowered.model.graph.inputs:
        name = value.name or ""
        if value.dtype is None or value.dtype.numpy().kind not in "iuf":
            continue
        shown = seen.held.get(name)
        said = known.get(name)
        if said is None:
            found.append(RangeInfo(name, shown=shown))
        else:
            found.append(RangeInfo(name, said.low, said.high, said.origin, shown))
    found += [RangeInfo(r.name, r.low, r.high, r.origin) for r in lowered.imported.constants]
    return tuple(found)


def _names(program: Program, target: Target, chosen: Backend) -> NamesInfo:
    found, sources = chosen.renamed(program, target), dict(program.sources)
    values = {name: sources.get(own, own) for name, own in found.values.items()}
    again = set(found.values.values())
    values |= {name: source for name, source in sources.items() if name not in again}
    return NamesInfo(dict(found.interface), values)


def _interface(lowered: Lowered) -> tuple[tuple[TensorInfo, ...], tuple[TensorInfo, ...], tuple[StateInfo, ...]]:
    """The inputs, outputs and states; states kept by the artifact are neither inputs nor outputs."""
    graph, kept = lowered.model.graph, {ref.name for ref in lowered.program.states}
    held = tuple(StateInfo(s.input, s.output, "artifact" if s.input in kept else "app") for s in states(lowered.model))
    inside = {name for s in held if s.kept == "artifact" for name in (s.input, s.output)}
    inputs, outputs = (
        tuple(_tensor(v) for v in values if v.name not in inside) for values in (graph.inputs, graph.outputs)
    )
    return inputs, outputs, held


def _dimensions(model: Model, interface: Sequence[TensorInfo]) -> dict[str, tuple[int, int]]:
    """The ranges of the dimensions named in the interface, also in sums and products."""
    text = " ".join(str(d) for tensor in interface for d in tensor.shape)
    return {n: r for n, r in dim_ranges(model).items() if re.search(rf"(?<!\w){re.escape(n)}(?!\w)", text)}


def _relative(place: Place) -> str:
    """A manifest contains no absolute paths, so that a source gives the same manifest in any folder."""
    return f"{Path(place.file or '').name}:{place.line}"


def _tensor(value: ir.Value) -> TensorInfo:
    assert value.shape is not None
    assert value.dtype is not None
    dims = tuple(d if isinstance(d, int) else str(d.value) for d in value.shape)
    return TensorInfo(value.name or "", dims, value.dtype.numpy().name)


def histogram(program: Program) -> dict[str, int]:
    """The number of instructions of each operation."""
    return dict(sorted(Counter(instr.op for instr in program.every_instr()).items()))


def _parameters(model: Model) -> int:
    """The number of elements of floating-point constants."""
    tensors = (v.const_value for v in model.graph.initializers.values())
    return sum(
        int(np.prod(t.shape.numpy(), dtype=np.int64)) for t in tensors if t is not None and t.dtype.is_floating_point()
    )


def placement_info(found: Placement) -> PlacementInfo:
    """A placement in the form of the manifest."""
    off = tuple(OffUnit(p.op, p.name, p.place.module or "", p.unit, p.rule) for p in found.placed if p.rule)
    return PlacementInfo(found.kind, found.counts, found.switches, off, dict(found.evidence))


def _accuracy(verdict: Verdict, name: str) -> Accuracy:
    f = verdict.fidelity
    return Accuracy(
        verdict.status,
        verdict.runner,
        f.samples,
        f.max_abs,
        f.max_rel,
        f.cosine,
        f.psnr_db,
        f.worst_output,
        f.worst_index,
        "; ".join(note for note in (named_format(name).notes.get(verdict.runner, ""), verdict.note) if note),
        verdict.allowed_rel,
    )


_SHARED = ("torch", "onnx", "onnx-ir", "onnxruntime")
"""The packages used in every build, whatever the target."""


def tools() -> dict[str, str]:
    """The versions of the packages involved, as far as installed."""
    versions = {"edgec": __version__}
    for package in (*_SHARED, *(piece.distribution for spec in backend_specs() for piece in spec.packages)):
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return versions
