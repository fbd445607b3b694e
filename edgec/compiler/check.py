"""Checks an existing artifact: its hash, its accuracy against its source, its budgets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from edgec.artifact.device_result import DeviceResult, read_result
from edgec.artifact.files import sha256_of, size_of
from edgec.artifact.format import format_of
from edgec.artifact.locate import Located, locate
from edgec.artifact.manifest import DeviceLoaded, Latency, rewrite_manifest
from edgec.artifact.shown import Shown
from edgec.compiler import notebook
from edgec.compiler.options import BuildOptions, as_built
from edgec.compiler.provenance import as_asked
from edgec.compiler.stages import prepare
from edgec.compiler.staleness import compared
from edgec.diag import Diagnostic, error
from edgec.frontend.request import SourceRequest
from edgec.frontend.requested import sources_of
from edgec.measure.arrays import draw_arrays
from edgec.measure.inspection import inputs_of
from edgec.measure.source_view import common_inputs
from edgec.runners.base import StatefulRunner
from edgec.runners.open import open_runner
from edgec.spec.project import ModelRequest
from edgec.spec.ranges import InputRange
from edgec.spec.reads import Reads, recorded
from edgec.spec.target import Accept, load_target

DEFAULT_ACCEPT = Accept(max_rel=1e-4)
"""The tolerance for an artifact without a manifest: that of float32 artifacts (DESIGN §8)."""


@dataclass(frozen=True)
class Budget:
    """Limits for an artifact; None means no limit. Milliseconds are those predicted in its manifest."""

    max_bytes: int | None = None
    max_ms: float | None = None


@dataclass(frozen=True)
class Execution:
    """How an artifact is run: `function` of a package that has several, on `local` or under `qemu`.

    `others` are the sources of further functions, by name, that are compared as well. `settings` are changes of the
    target's settings since the build, such as `accept.max_rel=0.01`.
    """

    function: str | None = None
    on: str = "local"
    others: tuple[tuple[str, SourceRequest], ...] = ()
    settings: tuple[str, ...] = ()


HERE = Execution()
"""The default function, on this machine."""


@dataclass(repr=False)
class CheckReport:
    """The checks in order, each with its result as text, and all failures."""

    checks: dict[str, str] = field(default_factory=dict)
    failures: list[Diagnostic] = field(default_factory=list)
    warnings: list[Diagnostic] = field(default_factory=list)

    def __repr__(self) -> str:
        return "\n".join([*(f"{name}: {result}" for name, result in self.checks.items()), *map(str, self._told)])

    def _repr_html_(self) -> str:
        """HTML for notebooks."""
        return notebook.table(("check", "result"), self.checks.items()) + notebook.told(self._told)

    @property
    def _told(self) -> list[Diagnostic]:
        return [*self.warnings, *self.failures]

    def note(self, name: str, result: str, failures: Sequence[Diagnostic] = ()) -> None:
        """Record a check."""
        self.checks[name] = result
        self.failures += failures


def check_model(
    path: Path, model: ModelRequest, budget: Budget, way: Execution = HERE, result: Path | None = None
) -> CheckReport:
    """Like `check_artifact`, with the source as given on the command line or in a project file.

    What it does not say of its inputs is as it was for the build. A function that is to be run and is one of the
    model's is compared with its own source.
    """
    known = locate(path).manifest
    options = as_asked(model.options, known.provenance) if known else model.options
    sources = sources_of(replace(model, options=options))
    functions = dict(sources.functions)
    if way.function in functions:
        return check_artifact(path, functions[way.function], budget, way, result)
    others = sources.functions if way.function is None else ()
    return check_artifact(path, sources.main, budget, replace(way, others=others), result)


def check_artifact(
    path: Path, source: SourceRequest | None, budget: Budget, way: Execution = HERE, result: Path | None = None
) -> CheckReport:
    """Run all possible checks: the manifest's hash, that it runs, its accuracy against the source, its budgets.

    `result`: a device's answer, which is recorded in the manifest (`device_loaded`).
    """
    found, report = locate(path), CheckReport()
    _check_hash(found, report)
    if result is not None:
        _take_in(found, read_result(result), report)
    with recorded() as reads:
        if source is not None:
            for function, each in ((way.function, source), *way.others):
                _check_numbers(found, each, replace(way, function=function), report)
        else:
            _check_runs(found, way, report)
    _check_source(found, reads, report)
    _check_budget(found, budget, report)
    return report


def _check_hash(found: Located, report: CheckReport) -> None:
    if found.manifest is None:
        report.note("manifest", "there is none")
        return
    same = sha256_of(found.path) == found.manifest.artifact.sha256
    changed = Diagnostic(
        "E0605",
        f"`{found.path.name}` is not the artifact that its manifest describes",
        notes=("its sha256 differs from the manifest's",),
        help=("build it again",),
    )
    report.note(
        "manifest", "describes this artifact" if same else "describes another artifact", [] if same else [changed]
    )


def _take_in(found: Located, result: DeviceResult, report: CheckReport) -> None:
    """Record a device's answer about this artifact in its manifest. Raises `EdgecError` E0605 if there is none."""
    answer = result.of(sha256_of(found.path))
    if answer is None:
        raise error(
            "E0605",
            f"the device's result is not for `{found.path.name}`",
            notes=[f"none of the {len(result.answers)} artifacts that {result.system} tried has its content"],
            help=["run `load_all.py` on the latest build"],
        )
    status = "loaded" if answer.loaded else "refused"
    told = DeviceLoaded(status, result.system, result.when, answer.said)
    if found.manifest is not None:
        rewrite_manifest(found.path.parent / "manifest.json", replace(found.manifest, device_loaded=told))
    message = f"{result.system} refused `{found.path.name}`"
    refused = Diagnostic("E0609", message, notes=(answer.said,), help=("`edgec lint` lists the known causes",))
    report.note("device", f"{status} by {result.system} on {result.when}", [] if answer.loaded else [refused])


def _check_runs(found: Located, way: Execution, report: CheckReport) -> None:
    arrays = draw_arrays(common_inputs(found, found) if way.function is None else inputs_of(found.path, way.function))
    shown = found.manifest.shown if found.manifest else Shown()
    with open_runner(found.path, as_source=shown, function=way.function, on=way.on) as runner:
        kept = runner.state_values() if isinstance(runner, StatefulRunner) else {}
        results = runner.run({name: array for name, array in arrays.items() if name not in kept})
    report.note("runs", f"yes, by {runner.name}: {len(results)} outputs; not compared, because no source was given")


def _check_numbers(found: Located, source: SourceRequest, way: Execution, report: CheckReport) -> None:
    known = [f for f in found.manifest.functions if f.name == way.function] if found.manifest else []
    held = known[0].states if known else found.manifest.states if found.manifest else ()
    pairs = tuple((s.input, s.output) for s in held)
    options = as_built(found.manifest.settings) if found.manifest else BuildOptions()
    known_ranges = known[0].ranges if known else found.manifest.ranges if found.manifest else ()
    always = tuple(InputRange(r.input, r.low, r.high) for r in known_ranges if r.low is not None and r.low == r.high)
    asked = replace(source, states=source.states or pairs, ranges=source.ranges or always)
    prepared = prepare(asked, options, lambda step: None).judged_on_data()
    shown = (
        found.manifest.shown
        if found.manifest
        else format_of(found.path).labelled(found.path, [v.name or "" for v in prepared.model.graph.outputs])
    )
    accept = accepted(found, way.settings)
    with open_runner(found.path, as_source=shown, function=way.function, on=way.on) as runner:
        verdict = prepared.verify(runner, accept)
    f = verdict.fidelity
    result = f"{verdict.status} by {runner.name} on {f.samples} samples: rel {f.max_rel:.2e}, {f.psnr_db:.1f} dB"
    name = "accuracy" if not way.others or way.function is None else f"accuracy of {way.function}"
    report.note(name, result, verdict.failures)


def accepted(found: Located, changed: Sequence[str] = ()) -> Accept:
    """The tolerance of the build, or that of the target with the settings that changed since."""
    if found.manifest is None:
        return DEFAULT_ACCEPT
    if found.manifest.accept is not None and not changed:
        return found.manifest.accept
    return load_target(found.manifest.target, (*found.manifest.settings.set, *changed)).accept


def _check_source(found: Located, reads: Reads, report: CheckReport) -> None:
    """Check that the files of the build are unchanged; a comparison with the source is valid for the files it read."""
    files = compared(found, reads.found.values())
    if files is not None:
        report.note("source", files.said)
        report.warnings += files.warnings(found.path.name)


def _check_budget(found: Located, budget: Budget, report: CheckReport) -> None:
    if budget.max_bytes is not None:
        size = size_of(found.path)
        over = _over("bytes", size, budget.max_bytes) if size > budget.max_bytes else []
        report.note("size", f"{size:,} of {budget.max_bytes:,} bytes", over)
    if budget.max_ms is not None:
        known: Sequence[Latency] = found.manifest.latency if found.manifest else ()
        if not known:
            raise error(
                "E0702", "this artifact has no predicted latency", help=["build it for a target that names a device"]
            )
        slow = _over("ms", known[0].p50_ms, budget.max_ms) if known[0].p50_ms > budget.max_ms else []
        text = f"{known[0].p50_ms:.2f} of {budget.max_ms:.2f} ms, {known[0].kind} for {known[0].device}"
        if known[0].low_ms <= budget.max_ms <= known[0].high_ms:
            interval = f"{known[0].low_ms:.2f} to {known[0].high_ms:.2f} ms"
            text += f"; the budget lies inside the interval of {interval}: it cannot be told whether it holds"
        report.note("latency", text, slow)


def _over(unit: str, found: float, limit: float) -> list[Diagnostic]:
    return [Diagnostic("E0606", f"the artifact exceeds its budget: {found:,.6g} {unit}, the limit is {limit:,.6g}")]
