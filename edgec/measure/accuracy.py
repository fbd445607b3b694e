"""Verification: the written artifact is reloaded, executed and compared with the source's own outputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgec.diag import Diagnostic
from edgec.measure.fidelity import Fidelity, compare_all, summarize
from edgec.runners.base import Runner
from edgec.spec.target import Accept

Array = NDArray[np.generic]

SAMPLES = 2
"""How many input samples a build verifies: the example and one seeded draw."""


@dataclass(frozen=True)
class Sample:
    """One set of inputs and what the source computes for them."""

    inputs: dict[str, Array]
    expected: dict[str, Array]


@dataclass(frozen=True)
class Verdict:
    """`status` is passed or failed; `failures` say by how much and where."""

    status: str
    runner: str
    fidelity: Fidelity
    failures: tuple[Diagnostic, ...]


def verify(runner: Runner, samples: Sequence[Sample], accept: Accept) -> Verdict:
    """Run every sample and judge the worst of them by the target's `accept`."""
    differences = [d for s in samples for d in compare_all(s.expected, runner.run(s.inputs))]
    fidelity = summarize(len(samples), differences)
    failures = judge(fidelity, accept)
    return Verdict("failed" if failures else "passed", runner.name, fidelity, failures)


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
