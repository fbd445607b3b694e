"""A source after everything that all targets share."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from edgec.calibration.calibration import Calibration
from edgec.calibration.data import CalibrationData
from edgec.frontend.imported import ImportedModel
from edgec.ir.model import Model
from edgec.ir.states import states
from edgec.measure.accuracy import Verdict, judge, verify
from edgec.measure.fidelity import Fidelity
from edgec.measure.rounding import SourceRounding
from edgec.measure.samples import Sample
from edgec.passes.remarks import Remark
from edgec.quantized.rounding import excused
from edgec.runners.base import Runner
from edgec.spec.target import Accept

_JUDGED = 4
"""Samples of the calibration data on which an artifact in integers is run and compared."""


@dataclass(frozen=True)
class KernelCalls:
    """The model with its calls of the user's own kernels, canonical, and one that holds what each computes."""

    model: Model
    bodies: Model


@dataclass(frozen=True)
class CanonicalModel:
    """A source after everything that all targets share: canonical, checked, with samples to verify by.

    `quantization`: how far a rounding moves the outputs of a model that quantizes. `rounding`: the source's own on the
    samples. `check_passes`: whether every pass of a legalization is to be checked, too. `calls`: the
    same model for backends that have kernels of the user's own.
    """

    imported: ImportedModel
    model: Model
    remarks: list[Remark]
    samples: list[Sample]
    rounding: SourceRounding
    quantization: Fidelity | None = None
    check_passes: bool = False
    calls: KernelCalls | None = None
    data: CalibrationData | None = None

    @property
    def typical(self) -> list[Sample]:
        """The samples that are like the example, or within declared ranges."""
        return [sample for sample in self.samples if not sample.beyond]

    @cached_property
    def calibration(self) -> Calibration:
        """What is known of the model's values: one for all targets of a build."""
        samples = tuple(sample.inputs for sample in self.typical)
        return Calibration(samples, self.data or CalibrationData("the example", samples, is_drawn=True))

    def judged_on_data(self) -> CanonicalModel:
        """The same, verified on the first of the samples that were given for calibration, where any were."""
        if self.data is None:
            return self
        first = itertools.islice(self.data.samples, _JUDGED)
        samples = [Sample(dict(inputs), self.imported.reference.run(inputs)) for inputs in first]
        return replace(self, samples=samples) if samples else self

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
        return replace(verdict, note=f"a single float32 rounding changes the source's outputs by {moved:.2g}")

    def held(self, verdict: Verdict, accept: Accept) -> dict[str, float]:
        """The largest finite magnitude of each input of numbers on the samples that an artifact stood."""
        found: dict[str, float] = {}
        for sample in () if verdict.failures else self.judging(accept):
            for name, array in sample.inputs.items():
                if array.dtype.kind in "iuf":
                    sizes = np.abs(array.astype(np.float64))
                    found[name] = max(found.get(name, 0.0), float(sizes[np.isfinite(sizes)].max(initial=0.0)))
        return found
