"""The order of the stages. The only module that knows it; `compile_target` reads like the table in the design."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from pathlib import Path

import onnx_ir as ir

from edgec import record
from edgec.artifact.files import atomic_folder, check_writable
from edgec.artifact.manifest import Latency, Manifest
from edgec.backends.base import Backend, FunctionsBackend, Program
from edgec.backends.table import backend
from edgec.backends.traffic import bytes_moved
from edgec.diag import Diagnostic, EdgecError, Severity, error, warning
from edgec.frontend.captured import Captured
from edgec.frontend.dynamic import resized, sizes
from edgec.frontend.inputs import samples_like
from edgec.frontend.source import SourceRequest, capture, source_name
from edgec.ir.model import Model
from edgec.ir.states import states
from edgec.measure.accuracy import SAMPLES, STEPS, Sample, judge, verify
from edgec.measure.fidelity import Fidelity, compare_all, summarize
from edgec.measure.predict import Cost, instruction_ms, predict
from edgec.passes.canonicalize import canonicalize
from edgec.passes.log import RewriteLog
from edgec.passes.verify import check_after_each, evaluate
from edgec.record import Lowered, Observed
from edgec.runners.base import Array
from edgec.runners.onnxruntime import OnnxRuntimeRunner
from edgec.spec.device import load_device
from edgec.spec.target import Accept, Target, load_target, with_rewrites

CANONICAL_ACCEPT = Accept(max_rel=1e-5)
"""What the canonical graph must show against the source (DESIGN §8)."""

Progress = Callable[[str], None]


@dataclass(frozen=True)
class BuildOptions:
    """What a build is asked for beside its source and targets.

    `io_layout` is for TFLite targets: `nhwc` or `source` for the whole interface, `NAME=nhwc` for one input or output.
    `via` names another emitter: `onnx2tf`.
    `functions` are further sources, by the name of the function that each becomes in the same artifact.
    """

    out: Path = Path("build")
    device: str | None = None
    settings: tuple[str, ...] = ()
    enable: tuple[str, ...] = ()
    disable: tuple[str, ...] = ()
    emit: tuple[str, ...] = ()
    check_passes: bool = False
    io_layout: tuple[str, ...] = ()
    via: str | None = None
    functions: tuple[tuple[str, SourceRequest], ...] = ()


@dataclass(frozen=True)
class Built:
    """One artifact with its manifest. `failures` are checks that did not hold; the artifact is there all the same."""

    target: Target
    folder: Path
    manifest: Manifest
    failures: tuple[Diagnostic, ...] = ()


@dataclass
class BuildReport:
    """What came out of a build: artifacts, and the targets that could not be built."""

    built: list[Built] = field(default_factory=list)
    errors: list[Diagnostic] = field(default_factory=list)
    warnings: list[Diagnostic] = field(default_factory=list)


@dataclass(frozen=True)
class Prepared:
    """A source after everything that all targets share: canonical, checked, with samples to verify by."""

    captured: Captured
    model: Model
    log: RewriteLog
    samples: list[Sample]


def build(source: SourceRequest, targets: Sequence[str], options: BuildOptions, progress: Progress) -> BuildReport:
    """Export once, then build every target. A target that cannot be built does not stop the others.

    With `options.functions` the source and each of those become one function of the artifacts.

    Raises `EdgecError` for what stops all of them: a wrong request or a source that cannot be exported.
    """
    check_writable(options.out)
    loaded = [with_rewrites(_load(t, options), options.enable, options.disable) for t in targets]
    if options.io_layout and all(target.backend != "tflite" for target in loaded):
        raise error("E0101", "`--io-layout` is for TFLite targets", notes=[f"there is {', '.join(targets)}"])
    for target in loaded:
        backend(target.backend, options.via)
    for name in {options.device or "", *(t.devices[0] for t in loaded if t.devices)} - {""}:
        load_device(name)  # a mistyped device is told before minutes of work, not after
    prepared = prepare(source, options, progress)
    parts = {source_name(source): prepared, **{f: prepare(s, options, progress) for f, s in options.functions}}
    report = BuildReport(warnings=[w for part in parts.values() for w in part.captured.warnings])
    for target in loaded:
        try:
            several = len(parts) > 1
            report.built.append(
                compile_functions(parts, target, options, progress)
                if several
                else compile_target(prepared, target, options, progress)
            )
            report.warnings += _handed_on(report.built[-1])
        except EdgecError as refused:
            report.errors += [_for_target(d, target, len(loaded)) for d in refused.diagnostics]
    return report


def _load(name: str, options: BuildOptions) -> Target:
    """The target with `--set` and, for TFLite, `--io-layout`."""
    target = load_target(name, options.settings)
    if target.backend != "tflite" or not options.io_layout:
        return target
    layouts = [text.rpartition("=") for text in options.io_layout]
    settings = [f"options.layouts.{n}={layout}" if n else f"options.io_layout={layout}" for n, _, layout in layouts]
    return load_target(name, (*options.settings, *settings))


@dataclass(frozen=True)
class Step:
    """One instruction's share of a predicted run, in milliseconds, and where it comes from."""

    op: str
    place: str
    ms: float


@dataclass(frozen=True)
class Forecast:
    """A predicted run: the total, and its instructions from the dearest on."""

    latency: Latency
    steps: list[Step]


def predict_source(source: SourceRequest, name: str, options: BuildOptions, progress: Progress) -> Forecast:
    """Predict the latency of a source as built for a target. Raises `EdgecError` E0702 where no device is known."""
    target = load_target(name, options.settings)
    device_name = options.device or (target.devices[0] if target.devices else None)
    if device_name is None:
        raise error("E0702", f"target `{target.name}` names no device", help=["add `--device`; `edgec devices` lists"])
    device = load_device(device_name)
    prepared = prepare(source, options, progress)
    chosen = backend(target.backend)
    progress(f"{target.name}: legalize and lower")
    program = chosen.lower(chosen.legalize(prepared.model, target, RewriteLog()), target)
    (latency,) = _latency(chosen, program, target, device_name)
    model = device.latency[target.backend]
    steps = [
        Step(i.op, str(i.place or ""), instruction_ms(Cost(chosen.macs(i), bytes_moved(i)), model))
        for i in program.every_instr()
    ]
    return Forecast(latency, sorted(steps, key=lambda step: -step.ms))


def prepare(source: SourceRequest, options: BuildOptions, progress: Progress) -> Prepared:
    """Frontend and canonicalization, checked against the source (E0205)."""
    progress(f"export {source.ref}")
    return prepare_captured(capture(source), options, progress)


def prepare_captured(captured: Captured, options: BuildOptions, progress: Progress) -> Prepared:
    """Canonicalize what a frontend gave and check it against the source (E0205)."""
    count = STEPS if states(captured.model) else SAMPLES
    drawn = [*samples_like(captured.examples, count), *captured.extra_samples]
    drawn += [resized(drawn[1], captured.dynamic, size) for size in sizes(captured.dynamic, captured.examples)]
    samples = _samples(captured, drawn)
    if len(samples) < len(drawn):
        captured = replace(captured, warnings=(*captured.warnings, _untaken(len(drawn) - len(samples), len(drawn))))
    progress("canonicalize")
    log = RewriteLog()
    after = check_after_each(captured.model, samples[0].inputs) if options.check_passes else None
    model = canonicalize(captured.model, log, after, options.disable)
    model.graph.name = captured.name
    _check_canonical(model, samples)
    return Prepared(captured, model, log, samples)


def _samples(captured: Captured, drawn: Sequence[dict[str, Array]]) -> list[Sample]:
    """The source's outputs for each; what it does not take, other than its own example, is left out.

    States go on from one sample to the next.
    """
    held = states(captured.model)
    samples = [Sample(drawn[0], captured.reference.run(drawn[0]))]
    for inputs in drawn[1:]:
        going_on = {**inputs, **{s.input: samples[-1].expected[s.output] for s in held}}
        try:
            samples.append(Sample(going_on, captured.reference.run(going_on), continues=bool(held)))
        except EdgecError:
            continue
    return samples


def _untaken(count: int, total: int) -> Diagnostic:
    return warning(
        "E0211",
        f"the source itself fails on {count} of {total} samples, which are left out of the verification",
        help=["give an example that is typical, or narrow the ranges of `--dynamic`"],
    )


def compile_target(prepared: Prepared, target: Target, options: BuildOptions, progress: Progress) -> Built:
    """Legalize, lower, assemble, verify, measure: one artifact in its folder, complete or not at all."""
    chosen = backend(target.backend, options.via)
    name = prepared.captured.name
    folder = options.out / name / target.name
    with atomic_folder(folder) as scratch:
        progress(f"{target.name}: legalize and lower")
        lowered = _lowered(prepared, target, chosen)
        path = scratch / f"{name}{chosen.suffix}"
        progress(f"{target.name}: assemble {path.name}")
        chosen.assemble(lowered.program, target, path)
        progress(f"{target.name}: verify")
        with chosen.open(path, target) as runner:
            verdict = verify(runner, prepared.samples, target.accept, states(prepared.model))
        seen = Observed(verdict, _latency(chosen, lowered.program, target, options.device))
        manifest = record.manifest(lowered, seen, target, chosen, path)
        _write(scratch, name, lowered, manifest, options)
    return Built(target, folder, manifest, verdict.failures)


def compile_functions(
    parts: Mapping[str, Prepared], target: Target, options: BuildOptions, progress: Progress
) -> Built:
    """As `compile_target`, several functions in one artifact that share their weights; the first is the default.

    Raises `EdgecError` E0401 where the target holds one function alone.
    """
    chosen = backend(target.backend, options.via)
    if not isinstance(chosen, FunctionsBackend):
        raise error(
            "E0401",
            f"target `{target.name}` holds one function, not {len(parts)}",
            notes=["rejected by `functions`"],
            help=["build each source by itself; a Core ML target for iOS 18 holds several functions"],
        )
    name = next(iter(parts.values())).captured.name
    folder = options.out / name / target.name
    with atomic_folder(folder) as scratch:
        progress(f"{target.name}: legalize and lower {len(parts)} functions")
        lowered = {function: _lowered(prepared, target, chosen) for function, prepared in parts.items()}
        path = scratch / f"{name}{chosen.suffix}"
        progress(f"{target.name}: assemble {path.name}")
        chosen.assemble_functions({f: part.program for f, part in lowered.items()}, target, path)
        progress(f"{target.name}: verify")
        seen = {}
        for function, prepared in parts.items():
            with chosen.open_function(path, target, function) as runner:
                verdict = verify(runner, prepared.samples, target.accept, states(prepared.model))
            latency = _latency(chosen, lowered[function].program, target, options.device)
            seen[function] = Observed(verdict, latency)
        both = {function: (lowered[function], seen[function]) for function in parts}
        manifest = record.manifest(*next(iter(both.values())), target, chosen, path)
        manifest = replace(manifest, functions=record.functions(both))
        for function, part in lowered.items():
            _write(scratch, function, part, manifest, options)
    return Built(target, folder, manifest, tuple(f for found in seen.values() for f in found.verdict.failures))


def _lowered(prepared: Prepared, target: Target, chosen: Backend) -> Lowered:
    log = RewriteLog(Counter(prepared.log.counts))
    legal = chosen.legalize(prepared.model, target, log, [s.inputs for s in prepared.samples])
    return Lowered(prepared.captured, prepared.model, legal, chosen.lower(legal, target), log)


def _check_canonical(model: Model, samples: Sequence[Sample]) -> None:
    fidelity = _fidelity(samples, _canonical_outputs(model, samples))
    if judge(fidelity, CANONICAL_ACCEPT) and _is_small(model):  # ONNX Runtime's kernels are loose near zero
        fidelity = _fidelity(samples, _reference_outputs(model, samples))
    if judge(fidelity, CANONICAL_ACCEPT):
        raise error(
            "E0205",
            f"the exported graph differs from the source by {fidelity.max_rel:.3g} relative",
            notes=[
                f"worst element: output `{fidelity.worst_output}` at index {list(fidelity.worst_index)}",
                f"largest absolute error {fidelity.max_abs:.3g}",
            ],
            help=["a model that draws random numbers or is still in training mode cannot be verified"],
        )


def _fidelity(samples: Sequence[Sample], found: Sequence[dict[str, Array]]) -> Fidelity:
    differences = [d for s, f in zip(samples, found, strict=True) for d in compare_all(s.expected, f)]
    return summarize(len(samples), differences)


_SMALL = 100_000
"""Elements of a graph's values, weights included, up to which onnx's slow reference may be asked as well."""


def _is_small(model: Model) -> bool:
    values = [*model.graph.initializers.values(), *(v for node in model.graph for v in node.outputs)]
    shapes = [v.shape for v in values if v.shape is not None and v.shape.is_static()]
    return len(shapes) == len(values) and sum(prod(s.numpy()) for s in shapes) <= _SMALL


def _reference_outputs(model: Model, samples: Sequence[Sample]) -> list[dict[str, Array]]:
    names = [v.name or "" for v in model.graph.outputs]
    return [dict(zip(names, evaluate(model, s.inputs), strict=True)) for s in samples]


def _canonical_outputs(model: Model, samples: Sequence[Sample]) -> list[dict[str, Array]]:
    """By ONNX Runtime, or by onnx's slow reference where that lacks a kernel. Raises `EdgecError` E0202."""
    try:
        with OnnxRuntimeRunner(model) as runner:
            return [runner.run(s.inputs) for s in samples]
    except EdgecError as refused:
        try:
            return _reference_outputs(model, samples)
        except Exception as failure:  # the reference raises whatever numpy does
            raise error(
                "E0202",
                "the exported graph cannot be run",
                notes=[*refused.diagnostics[0].notes[:1], "rejected by `graph-does-not-run`"],
                help=["`--verify` says whether a rewrite broke it; otherwise the exporter's ONNX is not valid"],
            ) from failure


def _latency(chosen: Backend, program: Program, target: Target, device: str | None) -> tuple[Latency, ...]:
    """Predicted on the asked-for device, or on the target's first; none where the target names no device."""
    name = device or (target.devices[0] if target.devices else None)
    if name is None:
        return ()
    costs = [Cost(chosen.macs(instr), bytes_moved(instr)) for instr in program.every_instr()]
    found = predict(costs, load_device(name), target.backend)
    return (Latency(name, "predicted", found.p50_ms, found.low_ms, found.high_ms, found.method),)


def _write(folder: Path, name: str, lowered: Lowered, manifest: Manifest, options: BuildOptions) -> None:
    """The manifest, and the intermediates that were asked for."""
    if "onnx" in options.emit:
        ir.save(lowered.legal, folder / f"{name}.onnx")
    if "program" in options.emit:
        (folder / f"{name}.program.txt").write_text(lowered.program.text(), encoding="utf-8")
    (folder / "manifest.json").write_text(manifest.to_json(), encoding="utf-8")


def _for_target(diagnostic: Diagnostic, target: Target, count: int) -> Diagnostic:
    """With several targets, each error says whose it is."""
    if count == 1 or f"`{target.name}`" in diagnostic.message:
        return diagnostic
    return replace(diagnostic, message=f"target `{target.name}`: {diagnostic.message}")


def _handed_on(built: Built) -> list[Diagnostic]:
    """States that the app has to hand on are told: forgetting it gives wrong results without an error."""
    pairs = [f"`{s.output}` to `{s.input}`" for s in built.manifest.states if s.kept == "app"]
    if not pairs:
        return []
    message = f"the app hands {', '.join(pairs)} from one run of target `{built.target.name}` to the next"
    notes = ("the model updates buffers in place, and this artifact keeps nothing between runs",)
    return [Diagnostic("E0212", message, notes=notes, severity=Severity.NOTE)]


def failed(report: BuildReport) -> list[Diagnostic]:
    """The checks that did not hold, as errors."""
    return [d for b in report.built for d in b.failures if d.severity is Severity.ERROR]


__all__ = ["BuildOptions", "BuildReport", "Built", "build", "compile_target", "failed", "prepare"]
