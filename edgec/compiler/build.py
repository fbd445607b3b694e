"""Builds artifacts of one source for several targets, each in its own folder, written completely or not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from edgec.artifact.files import check_writable
from edgec.artifact.manifest import Manifest
from edgec.artifact.output import build_folder, check_owned, failed_folder, files_below, publish, remove_build
from edgec.backends.base import FunctionsBackend
from edgec.backends.table import backend
from edgec.compiler import manifest as manifests
from edgec.compiler import notebook
from edgec.compiler.canonical_model import CanonicalModel
from edgec.compiler.input_ranges import check_ranges
from edgec.compiler.latency import predicted
from edgec.compiler.manifest import Lowered, Observed
from edgec.compiler.options import BuildOptions, Progress, options_of, targets_of
from edgec.compiler.precision_fallback import accurate
from edgec.compiler.preflight import check_request, device_for, elsewhere
from edgec.compiler.provenance import Origin
from edgec.compiler.range_samples import within_ranges
from edgec.compiler.stages import lower, prepare
from edgec.diag import Diagnostic, EdgecError, Interrupted, Severity, error, warning
from edgec.frontend.request import SourceRequest, source_name
from edgec.frontend.requested import sources_of
from edgec.ir.save import save_onnx
from edgec.ledger.lint import lint_built
from edgec.passes.base import Timed
from edgec.passes.remarks import Told, only
from edgec.spec.backend import backend_specs
from edgec.spec.project import ModelRequest
from edgec.spec.reads import Reads, note, recorded
from edgec.spec.target import Target


@dataclass(frozen=True, repr=False)
class Built:
    """An artifact with its manifest. `failures` are checks that failed; the artifact is then in TARGET.failed.

    `told` are warnings about it, `timings` the duration of each pass. `target` has the numerics it was built with.
    """

    target: Target
    folder: Path
    manifest: Manifest
    failures: tuple[Diagnostic, ...] = ()
    told: tuple[Diagnostic, ...] = ()
    timings: tuple[Timed, ...] = ()

    @property
    def path(self) -> Path:
        """The artifact: a file, or a package folder."""
        return self.folder / self.manifest.artifact.path

    def __repr__(self) -> str:
        return f"<{self.path} for {self.target.name}, {self._accuracy()}>"

    def _repr_html_(self) -> str:
        """HTML for notebooks."""
        m = self.manifest
        rows = [("artifact", self.path), ("target", self.target.name), ("bytes", f"{m.artifact.bytes:,}")]
        rows += [("accuracy", f"{self._accuracy()}, by {m.accuracy.runner}")]
        for kind, tensors in (("input", m.app.inputs), ("output", m.app.outputs)):
            rows += [(kind, f"{t.name}: {t.dtype}{list(t.shape)}") for t in tensors]
        rows += [
            (f"{t.kind} latency", f"{t.p50_ms:.2f} ms ({t.low_ms:.2f} to {t.high_ms:.2f}) {t.device}")
            for t in m.latency
        ]
        return notebook.table((), rows) + notebook.told((*self.failures, *self.told))

    def _accuracy(self) -> str:
        found = self.manifest.accuracy
        worst = "" if found.max_rel is None else f" (rel {found.max_rel:.1e})"
        return f"{found.status}{worst}"


@dataclass
class BuildReport:
    """The result of a build: artifacts, the targets that could not be built, and all files that were read."""

    built: list[Built] = field(default_factory=list)
    errors: list[Diagnostic] = field(default_factory=list)
    warnings: list[Diagnostic] = field(default_factory=list)
    reads: Reads = field(default_factory=Reads)

    @property
    def is_incomplete(self) -> bool:
        """Whether a target could not be built, or an artifact failed a check."""
        return bool(self.errors) or any(built.failures for built in self.built)

    @property
    def artifacts(self) -> list[Path]:
        """The files and packages."""
        return [built.path for built in self.built]

    def add(self, other: BuildReport) -> None:
        """Append the results of another model's build."""
        self.built += other.built
        self.errors += other.errors
        self.warnings += other.warnings
        self.reads.found |= other.reads.found


def build_models(models: Sequence[ModelRequest], progress: Progress, *, check_passes: bool = False) -> BuildReport:
    """Build each model for its targets. A model that cannot be built does not affect the others.

    Raises `EdgecError` if the only model cannot be built, or if a model has no targets (E0101).
    """
    for model in models:
        if not model.target:
            which = f" for `{model.name}`" if len(models) > 1 else ""
            raise error("E0101", f"no target was given{which}", help=["add `--target`; `edgec targets` lists them"])
    report = BuildReport()
    for model in models:
        try:
            sources = sources_of(model)
            options = options_of(model, sources, check_passes=check_passes)
            report.add(build(sources.main, model.target, options, progress))
        except EdgecError as refused:
            if len(models) == 1:
                raise
            report.errors += [replace(d, message=f"model `{model.name}`: {d.message}") for d in refused.diagnostics]
        except Interrupted as stopped:
            raise Interrupted([*(str(b.folder) for b in report.built), *stopped.written]) from None
        except KeyboardInterrupt:
            raise Interrupted([str(b.folder) for b in report.built]) from None
    return report


def build(source: SourceRequest, targets: Sequence[str], options: BuildOptions, progress: Progress) -> BuildReport:
    """Import once, then build every target. A target that cannot be built does not affect the others.

    With `options.functions`, the source and each of those functions become functions of the artifacts.

    Raises `EdgecError` for errors that affect all targets: an invalid request or a source that cannot be exported.
    """
    with recorded() as reads:
        origin = Origin(source, reads, options.asked, options.settings)
        report = _build(source, targets, replace(options, origin=origin), progress)
    return replace(report, reads=reads)


def _build(source: SourceRequest, targets: Sequence[str], options: BuildOptions, progress: Progress) -> BuildReport:
    loaded = targets_of(targets, options)
    for path, kind in ((source.project, "project"), (source.extension.file, "extension")):
        if path is not None:
            note(path, kind)
    check_request([source, *(s for _, s in options.functions)], loaded, options.device)
    check_writable(options.out)
    for target in loaded:
        check_owned(options.out / source_name(source) / target.name)
    report = BuildReport()
    here = [target for target in loaded if not elsewhere(target)]
    report.errors += [_for_target(d, t, len(loaded)) for t in loaded for d in elsewhere(t)]
    if not here:
        return report
    prepared = prepare(source, options, progress, () if options.functions else here)
    parts = {source_name(source): prepared, **{f: prepare(s, options, progress) for f, s in options.functions}}
    report.warnings += [w for part in parts.values() for w in part.imported.warnings]
    for target in here:
        try:
            report.built.append(_compiled(parts, target, options, progress))
            report.warnings += report.built[-1].told
        except EdgecError as refused:
            report.errors += [_for_target(d, target, len(loaded)) for d in refused.diagnostics]
        except KeyboardInterrupt:
            raise Interrupted([str(built.folder) for built in report.built]) from None
    return report


def _compiled(parts: Mapping[str, CanonicalModel], target: Target, options: BuildOptions, progress: Progress) -> Built:
    if len(parts) > 1:
        return compile_functions(parts, target, options, progress)
    return compile_target(next(iter(parts.values())), target, options, progress)


def compile_target(prepared: CanonicalModel, target: Target, options: BuildOptions, progress: Progress) -> Built:
    """Legalize, lower, assemble, verify, measure: one artifact in its folder, written completely or not at all.

    If the target's accuracy is missed, the backend may keep more in float32, with a warning (E0607).
    """
    chosen = backend(target.backend, options.via)
    name = prepared.imported.name
    folder = options.out / name / target.name
    check_ranges(target.ranges, prepared.model)
    prepared, untaken = within_ranges(prepared, target)
    if target.numerics.activations is not None:
        prepared = prepared.judged_on_data()
    with build_folder(folder) as scratch:
        made = accurate(prepared, target, chosen, scratch, progress)
        latency = predicted(chosen, made.lowered.program, target, device_for(target, options.device))
        seen = Observed(made.verdict, latency, prepared.held(made.verdict, target.accept))
        manifest = manifests.manifest(made.lowered, seen, made.target, chosen, made.path)
        _write_intermediates(scratch, {name: made.lowered}, options)
        refused, slower = _by_severity(made.findings)
        told = (*untaken, *made.told, *slower, *_called_otherwise(manifest))
        timings = tuple(only(Timed, made.lowered.remarks))
        built = Built(made.target, folder, manifest, (*refused, *made.verdict.failures), told, timings)
        return _finished(built, scratch, options)


def compile_functions(
    parts: Mapping[str, CanonicalModel], target: Target, options: BuildOptions, progress: Progress
) -> Built:
    """Like `compile_target`, for several functions in one artifact that share weights; the first is the default.

    Raises `EdgecError` E0401 if the target supports a single function only.
    """
    chosen = backend(target.backend, options.via)
    if not isinstance(chosen, FunctionsBackend):
        holders = ", ".join(spec.functions for spec in backend_specs() if spec.functions)
        raise error(
            "E0401",
            f"target `{target.name}` supports one function per artifact, not {len(parts)}",
            notes=["rejected by `functions`"],
            help=[f"build each source separately; several functions are supported by {holders}"],
        )
    name = next(iter(parts.values())).imported.name
    folder = options.out / name / target.name
    check_ranges(target.ranges, *(prepared.model for prepared in parts.values()))
    ranged = {function: within_ranges(prepared, target) for function, prepared in parts.items()}
    parts = {function: prepared for function, (prepared, _) in ranged.items()}
    with build_folder(folder) as scratch:
        progress(f"{target.name}: legalize and lower {len(parts)} functions")
        lowered = {function: lower(prepared, target, chosen) for function, prepared in parts.items()}
        path = scratch / f"{name}.{chosen.format(target)}"
        progress(f"{target.name}: assemble {path.name}")
        chosen.assemble_functions({f: part.program for f, part in lowered.items()}, target, path)
        refused, slower = _by_severity([found.diagnostic() for found in lint_built(path)])
        progress(f"{target.name}: verify")
        seen = {}
        for function, prepared in parts.items():
            with chosen.open_function(path, target, function) as runner:
                verdict = prepared.verify(runner, target.accept)
            latency = predicted(chosen, lowered[function].program, target, device_for(target, options.device))
            seen[function] = Observed(verdict, latency, prepared.held(verdict, target.accept))
        both = {function: (lowered[function], seen[function]) for function in parts}
        manifest = manifests.manifest(*next(iter(both.values())), target, chosen, path)
        manifest = replace(manifest, functions=manifests.functions(both, target, chosen, path))
        _write_intermediates(scratch, lowered, options)
        failures = (*refused, *(f for found in seen.values() for f in found.verdict.failures))
        untaken = (d for _, found in ranged.values() for d in found)
        notes = (told.diagnostic for part in lowered.values() for told in only(Told, part.remarks))
        told = (*untaken, *notes, *slower, *_called_otherwise(manifest))
        timings = tuple(timed for part in lowered.values() for timed in only(Timed, part.remarks))
        return _finished(Built(target, folder, manifest, failures, told, timings), scratch, options)


def _write_intermediates(folder: Path, parts: Mapping[str, Lowered], options: BuildOptions) -> None:
    """Write the requested intermediate results beside the artifact, by function name."""
    for name, lowered in parts.items():
        if "onnx" in options.emit:
            save_onnx(lowered.legal, folder / f"{name}.onnx")
        if "program" in options.emit:
            (folder / f"{name}.program.txt").write_text(lowered.program.text(), encoding="utf-8")


def _finished(made: Built, scratch: Path, options: BuildOptions) -> Built:
    """Move the build to its final location, with its manifest: TARGET if it passed, TARGET.failed otherwise.

    A passing build removes an earlier failed one; a failed build does not replace a passing one.
    """
    folder = failed_folder(made.folder) if made.failures else made.folder
    manifest = replace(made.manifest, files=files_below(scratch), settings=options.recorded())
    if options.origin is not None:
        manifest = _with_origin(manifest, options.origin, device_for(made.target, options.device), folder)
    (scratch / "manifest.json").write_text(manifest.to_json(), encoding="utf-8")
    publish(scratch, folder)
    if not made.failures:
        remove_build(failed_folder(folder))
    return replace(made, folder=folder, manifest=manifest, told=(*made.told, *_handed_on(manifest)))


def _with_origin(manifest: Manifest, origin: Origin, device: str | None, folder: Path) -> Manifest:
    """The manifest with the information about the request, and its names for the sources."""
    functions = (replace(f, source=replace(f.source, ref=origin.told(f.source.ref))) for f in manifest.functions)
    return replace(
        manifest,
        source=replace(manifest.source, ref=origin.told(manifest.source.ref)),
        functions=tuple(functions),
        provenance=origin.provenance(manifest.target, device, folder),
    )


def _for_target(diagnostic: Diagnostic, target: Target, count: int) -> Diagnostic:
    """With several targets, prefix each error with its target."""
    if count == 1 or f"`{target.name}`" in diagnostic.message:
        return diagnostic
    return replace(diagnostic, message=f"target `{target.name}`: {diagnostic.message}")


def _handed_on(manifest: Manifest) -> list[Diagnostic]:
    """A note on states that the app must pass to the next run: omitting one gives wrong results without an error."""
    pairs = [f"`{s.output}` to `{s.input}`" for s in manifest.states if s.kept == "app"]
    if not pairs:
        return []
    message = f"target `{manifest.target}`: the app must pass {', '.join(pairs)} between runs"
    keeps = any(s.kept == "artifact" for s in manifest.states)
    why = (
        "the artifact stores states in float16, which is not precise enough for sums and integers"
        if keeps
        else "the artifact stores no states"
    )
    notes = (f"the model keeps state between runs; {why}",)
    return [Diagnostic("E0212", message, notes=notes, severity=Severity.NOTE)]


def _by_severity(findings: Sequence[Diagnostic]) -> tuple[tuple[Diagnostic, ...], tuple[Diagnostic, ...]]:
    """The findings that a device would reject, and those that only make it slow."""
    refused = tuple(d for d in findings if d.severity is Severity.ERROR)
    return refused, tuple(d for d in findings if d.severity is not Severity.ERROR)


def _called_otherwise(manifest: Manifest) -> tuple[Diagnostic, ...]:
    """A warning on inputs and outputs with names illegal in the format: the app must use the artifact's names."""
    found = {f"function `{f.name}`: ": f.names.interface for f in manifest.functions}
    found = found or {"": manifest.names.interface}
    renamed = [f"{where}`{source}` is `{name}`" for where, names in found.items() for name, source in names.items()]
    if not renamed:
        return ()
    message = (
        f"target `{manifest.target}` renames {len(renamed)} inputs and outputs whose names are illegal in its format"
    )
    advice = "use the artifact's names in the app; edgec's commands still accept the source's names"
    return (warning("E0402", message, notes=renamed, help=[advice]),)


def failed(report: BuildReport) -> list[Diagnostic]:
    """The failed checks, as errors."""
    return [d for b in report.built for d in b.failures if d.severity is Severity.ERROR]
