"""One artifact for one target: made, verified, and made again with more in float32 where accuracy is missed."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from edgec.backends.base import Backend
from edgec.diag import Diagnostic, EdgecError, warning
from edgec.frontend.captured import Captured
from edgec.ir.model import Model
from edgec.ir.states import states
from edgec.measure.accuracy import Sample, Verdict, verify
from edgec.passes.log import RewriteLog
from edgec.record import Lowered
from edgec.spec.target import Target

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Prepared:
    """A source after everything that all targets share: canonical, checked, with samples to verify by."""

    captured: Captured
    model: Model
    log: RewriteLog
    samples: list[Sample]


@dataclass(frozen=True)
class Made:
    """An artifact on disk, for the target as asked or one that keeps more in float32, and what running it showed.

    `told`: a warning (E0607) where it is not as asked.
    """

    target: Target
    lowered: Lowered
    path: Path
    verdict: Verdict
    told: tuple[Diagnostic, ...] = ()


def accurate(prepared: Prepared, target: Target, chosen: Backend, folder: Path, progress: Progress) -> Made:
    """The artifact in `folder`: the target's own if it is accurate enough or none is, else the first wider one.

    Raises `EdgecError` E0412 for what the target cannot hold.
    """
    with tempfile.TemporaryDirectory(dir=folder) as work:
        made = _made(prepared, target, chosen, Path(work) / "asked", progress)
        if made.verdict.failures:
            made = _widened(prepared, made, chosen, Path(work), progress) or made
        for item in made.path.parent.iterdir():
            item.replace(folder / item.name)
    return replace(made, path=folder / made.path.name)


def _made(prepared: Prepared, target: Target, chosen: Backend, folder: Path, progress: Progress) -> Made:
    folder.mkdir()
    progress(f"{target.name}: legalize and lower")
    lowered = lowered_for(prepared, target, chosen)
    path = folder / f"{prepared.captured.name}{chosen.suffix}"
    progress(f"{target.name}: assemble {path.name}")
    chosen.assemble(lowered.program, target, path)
    progress(f"{target.name}: verify")
    with chosen.open(path, target) as runner:
        return Made(target, lowered, path, verify(runner, prepared.samples, target.accept, states(prepared.model)))


def _widened(prepared: Prepared, missed: Made, chosen: Backend, work: Path, progress: Progress) -> Made | None:
    """The artifact of the first wider target that is accurate enough. None if there is none."""
    for i, wider in enumerate(chosen.wider(missed.target)):
        progress(f"{wider.name}: accuracy missed, again with more in float32")
        try:
            made = _made(prepared, wider, chosen, work / f"wider{i}", progress)
        except EdgecError:  # what float16 can hold, such as states, float32 may not
            continue
        if not made.verdict.failures:
            return replace(made, told=(_told(missed, made),))
    return None


def _told(missed: Made, made: Made) -> Diagnostic:
    everything = made.target.numerics.compute == "float32"
    what = "everything" if everything else f"{len(made.lowered.log.kept_wide)} operators"
    return warning(
        "E0607",
        f"target `{made.target.name}` keeps {what} in float32: float16 is not accurate enough",
        notes=[d.message for d in missed.verdict.failures],
        help=["`--set numerics.float32=ranges` keeps float16 and lets the build fail"],
    )


def lowered_for(prepared: Prepared, target: Target, chosen: Backend) -> Lowered:
    """Legal, and as a program. Raises `EdgecError` E0412 with every refusal."""
    log = RewriteLog(Counter(prepared.log.counts))
    legal = chosen.legalize(prepared.model, target, log, [s.inputs for s in prepared.samples])
    return Lowered(prepared.captured, prepared.model, legal, chosen.lower(legal, target), log)
