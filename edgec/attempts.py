"""One artifact for one target: made, verified, and made again with more in float32 where accuracy is missed."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edgec.backends.base import Backend
from edgec.declared import with_ranges
from edgec.diag import Diagnostic, EdgecError, Severity, warning
from edgec.frontend.captured import Captured
from edgec.ir.model import Model
from edgec.ir.states import states
from edgec.ledger.lint import lint
from edgec.measure.accuracy import Verdict, judge, verify
from edgec.measure.fidelity import Fidelity
from edgec.measure.rounding import SourceRounding
from edgec.measure.samples import Sample
from edgec.passes.log import RewriteLog
from edgec.quantized.rounding import excused
from edgec.record import Lowered
from edgec.runners.base import Runner
from edgec.spec.target import Accept, Target

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Prepared:
    """A source after everything that all targets share: canonical, checked, with samples to verify by.

    `quantization`: how far a rounding moves the outputs of a model that quantizes. `rounding`: the source's own on the
    samples.
    """

    captured: Captured
    model: Model
    log: RewriteLog
    samples: list[Sample]
    rounding: SourceRounding
    quantization: Fidelity | None = None

    @property
    def typical(self) -> list[Sample]:
        """The samples that are like the example, or within declared ranges."""
        return [sample for sample in self.samples if not sample.beyond]

    def judging(self, accept: Accept) -> list[Sample]:
        """The samples that an artifact has to stand: those that strain, too, where no signal-to-noise ratio is set."""
        return self.samples if accept.min_psnr_db is None else self.typical

    def verify(self, runner: Runner, accept: Accept) -> Verdict:
        """Run the samples and judge them by what the target asks for, as far as the model's own rounding allows."""
        excuse = excused(accept, self.quantization)
        verdict = verify(runner, self.judging(accept), excuse, self.rounding, states(self.model))
        if verdict.failures or self.quantization is None or not judge(verdict.fidelity, accept):
            return verdict
        moved = self.quantization.max_rel
        return replace(verdict, note=f"one float32 rounding moves the source's outputs by {moved:.2g}")

    def held(self, verdict: Verdict, accept: Accept) -> dict[str, float]:
        """The largest finite magnitude of each input of numbers on the samples that an artifact stood."""
        found: dict[str, float] = {}
        for sample in () if verdict.failures else self.judging(accept):
            for name, array in sample.inputs.items():
                if array.dtype.kind in "iuf":
                    sizes = np.abs(array.astype(np.float64))
                    found[name] = max(found.get(name, 0.0), float(sizes[np.isfinite(sizes)].max(initial=0.0)))
        return found


@dataclass(frozen=True)
class Made:
    """An artifact on disk, for the target as asked or one that keeps more in float32, and what running it showed.

    `told`: a warning (E0607) where it is not as asked. `findings`: what a device's loader would refuse (E0609) or run
    slowly (E0610).
    """

    target: Target
    lowered: Lowered
    path: Path
    verdict: Verdict
    told: tuple[Diagnostic, ...] = ()
    findings: tuple[Diagnostic, ...] = ()


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
    strained = [replace(d, message=f"target `{target.name}`: {d.message}") for d in made.verdict.strained]
    told = (*made.told, *made.lowered.log.told, *_by_rounding(prepared, made), *strained)
    return replace(made, path=folder / made.path.name, told=told)


def _made(prepared: Prepared, target: Target, chosen: Backend, folder: Path, progress: Progress) -> Made:
    folder.mkdir()
    progress(f"{target.name}: legalize and lower")
    lowered = lowered_for(prepared, target, chosen)
    path = folder / f"{prepared.captured.name}{chosen.suffix}"
    progress(f"{target.name}: assemble {path.name}")
    chosen.assemble(lowered.program, target, path)
    findings = tuple(found.diagnostic() for found in lint(path))
    progress(f"{target.name}: verify")
    with chosen.open(path, target) as runner:
        return Made(target, lowered, path, prepared.verify(runner, target.accept), findings=findings)


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


def _by_rounding(prepared: Prepared, made: Made) -> list[Diagnostic]:
    """The note (E0608) on an artifact of a quantized model that was accepted for what rounding does to that model."""
    if not made.verdict.note:
        return []
    f = made.verdict.fidelity
    message = f"`{prepared.captured.name}` quantizes what it computes; target `{made.target.name}` is judged by that"
    notes = (made.verdict.note, f"the artifact's are off by {f.max_rel:.2g}, {f.psnr_db:.1f} dB")
    return [Diagnostic("E0608", message, notes=notes, severity=Severity.NOTE)]


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
    target = with_ranges(target, prepared.model, prepared.captured.ranges)
    legal = chosen.legalize(prepared.model, target, log, [s.inputs for s in prepared.typical])
    return Lowered(prepared.captured, prepared.model, legal, chosen.lower(legal, target), log)
