"""Verification: the written artifact is reloaded, run, and compared with the outputs of the source."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgec.diag import Diagnostic, warning
from edgec.ir.states import State
from edgec.measure.fidelity import Difference, Fidelity, compare_all, summarize
from edgec.measure.rounding import TIMES, OutputRounding, SourceRounding
from edgec.measure.samples import Sample
from edgec.runners.base import Runner, StatefulRunner
from edgec.spec.target import Accept

Array = NDArray[np.generic]
Outputs = Mapping[str, Array]


@dataclass(frozen=True)
class Judgement:
    """The result of comparing outputs with those of the source.

    `fidelity` is of the samples like the example, as computed. `failures` are of those samples, after allowing for the
    source's own rounding; `strained` are warnings (E0611) from samples that strain the model, which may be far from an
    app's inputs. `unproven` are warnings (E0614) about outputs for which, on every sample, any other result would have
    passed as well. `allowed_rel`: the largest error, relative to an output's peak, that was allowed for rounding; None
    if none was needed.
    """

    fidelity: Fidelity
    failures: tuple[Diagnostic, ...]
    strained: tuple[Diagnostic, ...] = ()
    unproven: tuple[Diagnostic, ...] = ()
    allowed_rel: float | None = None


@dataclass(frozen=True)
class Verdict:
    """`status` is passed or failed; `failures` say by how much and where, `note` why a miss was accepted.

    `strained`, `unproven` and `allowed_rel` as in `Judgement`.
    """

    status: str
    runner: str
    fidelity: Fidelity
    failures: tuple[Diagnostic, ...]
    note: str = ""
    strained: tuple[Diagnostic, ...] = ()
    unproven: tuple[Diagnostic, ...] = ()
    allowed_rel: float | None = None


def verify(
    runner: Runner, samples: Sequence[Sample], accept: Accept, rounding: SourceRounding, states: Sequence[State] = ()
) -> Verdict:
    """Run every sample and judge the worst of them by the target's `accept`.

    If the artifact keeps `states` itself, they are set only where the samples begin anew, and their values after each
    run are compared too.
    """
    found = [_run(runner, s, states) for s in samples]
    seen = judged(samples, found, accept, rounding)
    status = "failed" if seen.failures else "passed"
    told = (seen.strained, seen.unproven, seen.allowed_rel)
    return Verdict(status, runner.name, seen.fidelity, seen.failures, "", *told)


def _run(runner: Runner, sample: Sample, states: Sequence[State]) -> dict[str, Array]:
    held = runner.state_values() if states and isinstance(runner, StatefulRunner) else {}
    kept = {s.input: s.output for s in states if s.input in held}
    if not kept or not isinstance(runner, StatefulRunner):
        return runner.run(sample.inputs)
    if not sample.continues:
        runner.set_states({name: sample.inputs[name] for name in kept})
    found = runner.run({name: value for name, value in sample.inputs.items() if name not in kept})
    return {**found, **{kept[name]: value for name, value in runner.state_values().items()}}


def judged(samples: Sequence[Sample], found: Sequence[Outputs], accept: Accept, rounding: SourceRounding) -> Judgement:
    """Compare outputs with the source's; where they miss `accept`, after allowing for the source's own rounding.

    An output that is only rounding on all samples like the example is judged by those that strain the model.
    """
    raw: list[Difference] = []
    typical: list[Difference] = []
    varied: list[Diagnostic] = []
    strained: list[Diagnostic] = []
    seen = [_compared(sample, outputs, accept, rounding) for sample, outputs in zip(samples, found, strict=True)]
    unjudged = _unjudged(samples, seen)
    for sample, one in zip(samples, seen, strict=True):
        if sample.beyond:
            strained += _as_warnings(sample.kind, judge(summarize(1, one.counted), accept))
            varied += _on_kind(
                sample.kind, judge(summarize(1, [d for d in one.counted if d.output in unjudged]), accept)
            )
        elif sample.kind:
            varied += _on_kind(sample.kind, judge(summarize(1, one.counted), accept))
        else:
            raw += one.raw
            typical += one.counted
    count = sum(not sample.kind for sample in samples)
    failures = (*judge(summarize(count, typical), accept), *varied[:_MOST_REPORTED])
    allowed = max((a for one in seen for a in one.allowed.values()), default=None)
    others = [one for sample, one in zip(samples, seen, strict=True) if sample.kind]
    unproven = _unproven(unjudged - {name for one in others for name in one.telling}, seen)
    return Judgement(summarize(count, raw), failures, tuple(strained[:_MOST_REPORTED]), unproven, allowed)


@dataclass(frozen=True)
class _Compared:
    """A sample's differences as computed, and those that count; what was `allowed` by output, relative to its peak.

    `telling` are outputs that are not all zeros, and for which not every other result would have been allowed.
    """

    raw: list[Difference]
    counted: list[Difference]
    allowed: Mapping[str, float]
    telling: frozenset[str]


def _compared(sample: Sample, outputs: Outputs, accept: Accept, rounding: SourceRounding) -> _Compared:
    differences, shown = (
        compare_all(sample.expected, outputs),
        {n for n, array in sample.expected.items() if array.any()},
    )
    if not _missed(differences, accept):
        return _Compared(differences, differences, {}, frozenset(shown))
    known = rounding.of(sample)
    counted = compare_all(sample.expected, _excused(sample, outputs, known, accept))
    allowed = {} if _missed(counted, accept) else _allowances(sample, known)
    return _Compared(differences, counted, allowed, frozenset(shown - _uninformative(allowed)))


def _uninformative(allowed: Mapping[str, float]) -> set[str]:
    """Outputs for which the sample proves nothing: zeros, or any other numbers, would pass as well."""
    return {name for name, rel in allowed.items() if rel >= 1}


def _unjudged(samples: Sequence[Sample], seen: Sequence[_Compared]) -> set[str]:
    """Outputs about which no sample like the example proves anything."""
    typical = [one for sample, one in zip(samples, seen, strict=True) if not sample.beyond]
    return {name for one in typical for name in _uninformative(one.allowed)} - {
        n for one in typical for n in one.telling
    }


def _unproven(names: Collection[str], seen: Sequence[_Compared]) -> tuple[Diagnostic, ...]:
    found = []
    for name in sorted(names):
        least = min(one.allowed[name] for one in seen if name in one.allowed) / TIMES
        found.append(
            warning(
                "E0614",
                f"nothing is proven about output `{name}`: on every sample the source's own rounding changes it by "
                f"{least:.0%} of its largest number or more",
                help=("if it depends on the order of nearly equal numbers, give typical inputs: `--samples`",),
            )
        )
    return tuple(found)


_MOST_REPORTED = 3
"""How many kinds of inputs are reported."""


def _missed(differences: Sequence[Difference], accept: Accept) -> bool:
    return bool(judge(summarize(1, list(differences)), accept))


def _excused(sample: Sample, outputs: Outputs, known: Mapping[str, OutputRounding], accept: Accept) -> dict[str, Array]:
    rel = accept.max_rel or 0.0
    return {
        name: known[name].excused(sample.expected[name], array, rel, lenient=bool(sample.kind))
        if name in known and name in sample.expected
        else array
        for name, array in outputs.items()
    }


def _allowances(sample: Sample, known: Mapping[str, OutputRounding]) -> dict[str, float]:
    found = {}
    for name, rounding in known.items():
        expected = sample.expected[name].astype(np.float64)
        peak = float(np.abs(expected[np.isfinite(expected)]).max(initial=0.0))
        if peak > 0:
            found[name] = rounding.bound(peak, 0.0) / peak
    return found


UNLIKE = "on inputs unlike the example"
"""Prefix of failures on samples that are unlike the example."""


def _on_kind(kind: str, failures: Sequence[Diagnostic]) -> list[Diagnostic]:
    return [Diagnostic(d.code, f"{UNLIKE} ({kind}) {d.message}", notes=d.notes) for d in failures]


def _as_warnings(kind: str, failures: Sequence[Diagnostic]) -> list[Diagnostic]:
    advice = "if an app passes such inputs, verify on real ones with `--samples`"
    return [warning("E0611", d.message, notes=d.notes, help=[advice]) for d in _on_kind(kind, failures)]


def judge(fidelity: Fidelity, accept: Accept) -> tuple[Diagnostic, ...]:
    """A diagnostic (E0601) for each violated bound."""
    found = []
    where = f"output `{fidelity.worst_output}` at index {list(fidelity.worst_index)}"
    if accept.max_rel is not None and not fidelity.max_rel <= accept.max_rel:
        found.append(
            Diagnostic(
                "E0601",
                f"the largest relative error is {fidelity.max_rel:.3g}, the target accepts {accept.max_rel:.3g}",
                notes=(f"worst element: {where}", f"largest absolute error {fidelity.max_abs:.3g}"),
            )
        )
    if accept.min_psnr_db is not None and not fidelity.psnr_db >= accept.min_psnr_db:
        found.append(
            Diagnostic(
                "E0601",
                f"the signal-to-noise ratio is {fidelity.psnr_db:.1f} dB, the target requires {accept.min_psnr_db:.1f}",
                notes=(f"worst element: {where}", f"largest absolute error {fidelity.max_abs:.3g}"),
                help=("`--set numerics.compute=float32` shows whether precision is the cause",),
            )
        )
    return tuple(found)
