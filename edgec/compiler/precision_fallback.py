"""Precision fallback: an artifact that misses its target's accuracy is rebuilt with more operators in float32."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from edgec.backends.base import Backend
from edgec.compiler.canonical_model import CanonicalModel
from edgec.compiler.options import Progress
from edgec.compiler.stages import Candidate, candidate
from edgec.diag import Diagnostic, EdgecError, Severity, warning
from edgec.passes.remarks import KeptInFloat32, Told, only
from edgec.spec.target import Target


def accurate(canonical: CanonicalModel, target: Target, chosen: Backend, folder: Path, progress: Progress) -> Candidate:
    """The artifact in `folder`: the target's own if it or none is accurate enough, else the first wider one that is.

    Raises `EdgecError` E0412 if values do not fit the target's types.
    """
    with tempfile.TemporaryDirectory(dir=folder) as work:
        made = candidate(canonical, target, chosen, Path(work) / "asked", progress)
        if made.verdict.failures:
            made = _widened(canonical, made, chosen, Path(work), progress) or made
        for item in made.path.parent.iterdir():
            item.replace(folder / item.name)
    seen = (*made.verdict.strained, *made.verdict.unproven)
    strained = [replace(d, message=f"target `{target.name}`: {d.message}") for d in seen]
    said = [told.diagnostic for told in only(Told, made.lowered.remarks)]
    told = (*made.told, *said, *_by_rounding(canonical, made), *strained)
    return replace(made, path=folder / made.path.name, told=told)


def _widened(
    canonical: CanonicalModel, missed: Candidate, chosen: Backend, work: Path, progress: Progress
) -> Candidate | None:
    """The artifact of the first wider target that is accurate enough, or None."""
    for i, wider in enumerate(chosen.wider(missed.target)):
        progress(f"{wider.name}: accuracy missed, building again with more in float32")
        try:
            made = candidate(canonical, wider, chosen, work / f"wider{i}", progress)
        except EdgecError:  # float16 may support what float32 does not, such as states
            continue
        if not made.verdict.failures:
            return replace(made, told=(_told(missed, made),))
    return None


def _by_rounding(canonical: CanonicalModel, made: Candidate) -> list[Diagnostic]:
    """The note (E0608) on an artifact of a quantized model that is accepted because of the model's own rounding."""
    if not made.verdict.note:
        return []
    f = made.verdict.fidelity
    message = (
        f"`{canonical.imported.name}` is quantized; its own rounding sets the bounds of target `{made.target.name}`"
    )
    notes = (made.verdict.note, f"the artifact's outputs differ by {f.max_rel:.2g}, {f.psnr_db:.1f} dB")
    return [Diagnostic("E0608", message, notes=notes, severity=Severity.NOTE)]


def _told(missed: Candidate, made: Candidate) -> Diagnostic:
    everything = made.target.numerics.compute == "float32"
    what = "everything" if everything else f"{len(only(KeptInFloat32, made.lowered.remarks))} operators"
    return warning(
        "E0607",
        f"target `{made.target.name}` keeps {what} in float32: float16 is not accurate enough",
        notes=[d.message for d in missed.verdict.failures],
        help=["`--set numerics.float32=ranges` keeps float16 and lets the build fail"],
    )
