"""The order of the stages. The only module that knows it; `compile_target` reads like the table in the design."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from edgec import record
from edgec.artifact.files import check_writable
from edgec.artifact.manifest import Latency, Manifest, PlacementInfo
from edgec.artifact.output import build_folder, check_owned, failed_folder, files_below, publish, remove_build
from edgec.attempts import Prepared, Progress, accurate, lowered_for
from edgec.backends.base import Backend, FunctionsBackend, Program
from edgec.backends.table import backend
from edgec.backends.traffic import bytes_moved
from edgec.declared import check_ranges
from edgec.diag import Diagnostic, EdgecError, Interrupted, Severity, error, warning
from edgec.frontend.captured import Captured
from edgec.frontend.source import SourceRequest, capture, source_name
from edgec.ir.save import save_onnx
from edgec.ledger.lint import lint
from edgec.measure.predict import Cost, instruction_ms, predict
from edgec.measure.rounding import SourceRounding
from edgec.passes.canonicalize import canonicalize
from edgec.passes.log import RewriteLog
from edgec.passes.verify import check_after_each
from edgec.quantized.check import check_model
from edgec.quantized.qdq import in_qdq_format
from edgec.quantized.rounding import quantizes
from edgec.record import Lowered, Observed
from edgec.rules.describe import check_rules
from edgec.sampling import sample, warned
from edgec.spec.device import load_device
from edgec.spec.target import Target, load_target, with_rewrites
from edgec.within import within_ranges


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
    """One artifact with its manifest. `failures` are checks that did not hold; the artifact then lies in TARGET.failed.

    `told` are warnings about it. The target's numerics are those that it was built with.
    """

    target: Target
    folder: Path
    manifest: Manifest
    failures: tuple[Diagnostic, ...] = ()
    told: tuple[Diagnostic, ...] = ()


@dataclass
class BuildReport:
    """What came out of a build: artifacts, and the targets that could not be built."""

    built: list[Built] = field(default_factory=list)
    errors: list[Diagnostic] = field(default_factory=list)
    warnings: list[Diagnostic] = field(default_factory=list)


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
    check_rules(name for target in loaded for name in (*target.rewrites.enable, *target.rewrites.disable))
    if unknown := [form for form in options.emit if form not in _EMITTED]:
        raise error("E0101", f"`--emit {unknown[0]}` is not known", help=[f"one of {', '.join(_EMITTED)}"])
    for name in {options.device or "", *(t.devices[0] for t in loaded if t.devices)} - {""}:
        load_device(name)  # a mistyped device is told before minutes of work, not after
    for target in loaded:
        check_owned(options.out / source_name(source) / target.name)
    prepared = prepare(source, options, progress)
    parts = {source_name(source): prepared, **{f: prepare(s, options, progress) for f, s in options.functions}}
    report = BuildReport(warnings=[w for part in parts.values() for w in part.captured.warnings])
    for target in loaded:
        try:
            report.built.append(_compiled(parts, target, options, progress))
            report.warnings += report.built[-1].told
        except EdgecError as refused:
            report.errors += [_for_target(d, target, len(loaded)) for d in refused.diagnostics]
        except KeyboardInterrupt:
            raise Interrupted([str(built.folder) for built in report.built]) from None
    return report


def _compiled(parts: Mapping[str, Prepared], target: Target, options: BuildOptions, progress: Progress) -> Built:
    if len(parts) > 1:
        return compile_functions(parts, target, options, progress)
    return compile_target(next(iter(parts.values())), target, options, progress)


_EMITTED = ("onnx", "program")


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
    """A predicted run: the total, its instructions from the dearest on, and the units that they lie on."""

    latency: Latency
    steps: list[Step]
    placement: PlacementInfo


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
    placement = record.placement_info(chosen.placement(program, target))
    return Forecast(latency, sorted(steps, key=lambda step: -step.ms), placement)


def prepare(source: SourceRequest, options: BuildOptions, progress: Progress) -> Prepared:
    """Frontend and canonicalization, checked against the source (E0205)."""
    progress(f"export {source.ref}")
    return prepare_captured(capture(source), options, progress)


def prepare_captured(captured: Captured, options: BuildOptions, progress: Progress) -> Prepared:
    """Canonicalize what a frontend gave and check it against the source (E0205)."""
    log = RewriteLog()
    check_ranges(captured.ranges, captured.model)
    captured = in_qdq_format(captured, log, options.disable)
    sampled = sample(captured)
    captured, samples = warned(captured, sampled.told), sampled.samples
    progress("canonicalize")
    exported = captured.model.clone() if quantizes(captured.model) else None
    if exported is not None:  # what strains a quantized model lies outside the ranges that it was given
        samples = [s for s in samples if not s.beyond]
    after = check_after_each(captured.model, samples[0].inputs) if options.check_passes else None
    model = canonicalize(captured.model, log, after, options.disable)
    model.graph.name = captured.name
    rounding = SourceRounding(captured.reference)
    quantization, told = check_model(model, exported, samples, rounding)
    return Prepared(warned(captured, told), model, log, samples, rounding, quantization)


def compile_target(prepared: Prepared, target: Target, options: BuildOptions, progress: Progress) -> Built:
    """Legalize, lower, assemble, verify, measure: one artifact in its folder, complete or not at all.

    Where the target's accuracy is missed, the backend may keep more in float32; a warning (E0607) says so.
    """
    chosen = backend(target.backend, options.via)
    name = prepared.captured.name
    folder = options.out / name / target.name
    check_ranges(target.ranges, prepared.model)
    prepared, untaken = within_ranges(prepared, target)
    with build_folder(folder) as scratch:
        made = accurate(prepared, target, chosen, scratch, progress)
        latency = _latency(chosen, made.lowered.program, target, options.device)
        seen = Observed(made.verdict, latency, prepared.held(made.verdict, target.accept))
        manifest = record.manifest(made.lowered, seen, made.target, chosen, made.path)
        _write_intermediates(scratch, {name: made.lowered}, options)
        refused, slower = _by_severity(made.findings)
        told = (*untaken, *made.told, *slower, *_called_otherwise(manifest))
        return _finished(Built(made.target, folder, manifest, (*refused, *made.verdict.failures), told), scratch)


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
    check_ranges(target.ranges, *(prepared.model for prepared in parts.values()))
    ranged = {function: within_ranges(prepared, target) for function, prepared in parts.items()}
    parts = {function: prepared for function, (prepared, _) in ranged.items()}
    with build_folder(folder) as scratch:
        progress(f"{target.name}: legalize and lower {len(parts)} functions")
        lowered = {function: lowered_for(prepared, target, chosen) for function, prepared in parts.items()}
        path = scratch / f"{name}{chosen.suffix}"
        progress(f"{target.name}: assemble {path.name}")
        chosen.assemble_functions({f: part.program for f, part in lowered.items()}, target, path)
        refused, slower = _by_severity([found.diagnostic() for found in lint(path)])
        progress(f"{target.name}: verify")
        seen = {}
        for function, prepared in parts.items():
            with chosen.open_function(path, target, function) as runner:
                verdict = prepared.verify(runner, target.accept)
            latency = _latency(chosen, lowered[function].program, target, options.device)
            seen[function] = Observed(verdict, latency, prepared.held(verdict, target.accept))
        both = {function: (lowered[function], seen[function]) for function in parts}
        manifest = record.manifest(*next(iter(both.values())), target, chosen, path)
        manifest = replace(manifest, functions=record.functions(both, target, chosen))
        _write_intermediates(scratch, lowered, options)
        failures = (*refused, *(f for found in seen.values() for f in found.verdict.failures))
        untaken = (d for _, found in ranged.values() for d in found)
        notes = (d for part in lowered.values() for d in part.log.told)
        told = (*untaken, *notes, *slower, *_called_otherwise(manifest))
        return _finished(Built(target, folder, manifest, failures, told), scratch)


def _latency(chosen: Backend, program: Program, target: Target, device: str | None) -> tuple[Latency, ...]:
    """Predicted on the asked-for device, or on the target's first; none where the target names no device."""
    name = device or (target.devices[0] if target.devices else None)
    if name is None:
        return ()
    costs = [Cost(chosen.macs(instr), bytes_moved(instr)) for instr in program.every_instr()]
    found = predict(costs, load_device(name), target.backend)
    return (Latency(name, "predicted", found.p50_ms, found.low_ms, found.high_ms, found.method),)


def _write_intermediates(folder: Path, parts: Mapping[str, Lowered], options: BuildOptions) -> None:
    """What was asked for beside the artifact, by the name of its function."""
    for name, lowered in parts.items():
        if "onnx" in options.emit:
            save_onnx(lowered.legal, folder / f"{name}.onnx")
        if "program" in options.emit:
            (folder / f"{name}.program.txt").write_text(lowered.program.text(), encoding="utf-8")


def _finished(made: Built, scratch: Path) -> Built:
    """The build in its place, with its manifest: a good one in its folder, a failed one beside it.

    A good one replaces what failed before it; a failed one replaces no good one.
    """
    folder = failed_folder(made.folder) if made.failures else made.folder
    manifest = replace(made.manifest, files=files_below(scratch))
    (scratch / "manifest.json").write_text(manifest.to_json(), encoding="utf-8")
    publish(scratch, folder)
    if not made.failures:
        remove_build(failed_folder(folder))
    return replace(made, folder=folder, manifest=manifest, told=(*made.told, *_handed_on(manifest)))


def _for_target(diagnostic: Diagnostic, target: Target, count: int) -> Diagnostic:
    """With several targets, each error says whose it is."""
    if count == 1 or f"`{target.name}`" in diagnostic.message:
        return diagnostic
    return replace(diagnostic, message=f"target `{target.name}`: {diagnostic.message}")


def _handed_on(manifest: Manifest) -> list[Diagnostic]:
    """States that the app has to hand on are told: forgetting it gives wrong results without an error."""
    pairs = [f"`{s.output}` to `{s.input}`" for s in manifest.states if s.kept == "app"]
    if not pairs:
        return []
    message = f"the app hands {', '.join(pairs)} from one run of target `{manifest.target}` to the next"
    keeps = any(s.kept == "artifact" for s in manifest.states)
    why = "what adds up needs float32, and the artifact keeps float16" if keeps else "the artifact keeps nothing"
    notes = (f"the model carries a state on; {why} between runs",)
    return [Diagnostic("E0212", message, notes=notes, severity=Severity.NOTE)]


def _by_severity(findings: Sequence[Diagnostic]) -> tuple[tuple[Diagnostic, ...], tuple[Diagnostic, ...]]:
    """What a device would refuse, and what it would run slowly."""
    refused = tuple(d for d in findings if d.severity is Severity.ERROR)
    return refused, tuple(d for d in findings if d.severity is not Severity.ERROR)


def _called_otherwise(manifest: Manifest) -> tuple[Diagnostic, ...]:
    """Inputs and outputs that the format cannot call as the source does: the app has to go by the artifact's names."""
    found = {f"function `{f.name}`: ": f.names.interface for f in manifest.functions}
    found = found or {"": manifest.names.interface}
    renamed = [f"{where}`{source}` is `{name}`" for where, names in found.items() for name, source in names.items()]
    if not renamed:
        return ()
    message = f"target `{manifest.target}` cannot call {len(renamed)} of the inputs and outputs as the source does"
    advice = "the app uses the artifact's names; edgec's own runners go on taking the source's"
    return (warning("E0402", message, notes=renamed, help=[advice]),)


def failed(report: BuildReport) -> list[Diagnostic]:
    """The checks that did not hold, as errors."""
    return [d for b in report.built for d in b.failures if d.severity is Severity.ERROR]


__all__ = ["BuildOptions", "BuildReport", "Built", "build", "compile_target", "failed", "prepare"]
