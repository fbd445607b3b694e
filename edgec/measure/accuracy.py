"""Verification: the written artifact is reloaded, executed and compared with the source's own outputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgec.diag import Diagnostic
from edgec.ir.states import State
from edgec.measure.fidelity import Fidelity, compare_all, summarize
from edgec.runners.base import Runner, StatefulRunner
from edgec.spec.target import Accept

Array = NDArray[np.generic]

SAMPLES = 2
"""How many input samples a build verifies: the example and one seeded draw."""


STEPS = 4
"""How many runs in a row verify a model that keeps states."""


@dataclass(frozen=True)
class Sample:
    """One set of inputs and what the source computes for them.

    `continues`: the states among the inputs are what the sample before left.
    """

    inputs: dict[str, Array]
    expected: dict[str, Array]
    continues: bool = False


@dataclass(frozen=True)
class Verdict:
    """`status` is passed or failed; `failures` say by how much and where, `note` what excused a miss."""

    status: str
    runner: str
    fidelity: Fidelity
    failures: tuple[Diagnostic, ...]
    note: str = ""


def verify(runner: Runner, samples: Sequence[Sample], accept: Accept, states: Sequence[State] = ()) -> Verdict:
    """Run every sample and judge the worst of them by the target's `accept`.

    An artifact that keeps `states` itself keeps them: they are set only where the samples begin anew, and what it holds
    after each run is compared too.
    """
    differences = [d for s in samples for d in compare_all(s.expected, _run(runner, s, states))]
    fidelity = summarize(len(samples), differences)
    failures = judge(fidelity, accept)
    return Verdict("failed" if failures else "passed", runner.name, fidelity, failures)


def _run(runner: Runner, sample: Sample, states: Sequence[State]) -> dict[str, Array]:
    held = runner.state_values() if states and isinstance(runner, StatefulRunner) else {}
    kept = {s.input: s.output for s in states if s.input in held}
    if not kept or not isinstance(runner, StatefulRunner):
        return runner.run(sample.inputs)
    if not sample.continues:
        runner.set_states({name: sample.inputs[name] for name in kept})
    found = runner.run({name: value for name, value in sample.inputs.items() if name not in kept})
    return {**found, **{kept[name]: value for name, value in runner.state_values().items()}}


def judge(fidelity: Fidelity, accept: Accept) -> tuple[Diagnostic, ...]:
    """A diagnostic (E0601) for each bound that does not hold."""
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
                f"the signal-to-noise ratio is {fidelity.psnr_db:.1f} dB, the target asks for {accept.min_psnr_db:.1f}",
                notes=(f"worst element: {where}", f"largest absolute error {fidelity.max_abs:.3g}"),
                help=("`--set numerics.compute=float32` shows whether precision is the cause",),
            )
        )
    return tuple(found)
