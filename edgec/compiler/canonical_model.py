"""A source after all steps that targets have in common."""

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
"""The number of calibration samples on which a quantized artifact is run and compared."""


@dataclass(frozen=True)
class KernelCalls:
    """The canonical model with calls of the user's own kernels, and a model with the computation of each call."""

    model: Model
    bodies: Model


@dataclass(frozen=True)
class CanonicalModel:
    """A source after all steps that targets have in common: canonical, checked, with samples for verification.

    `quantization`: how much rounding changes the outputs of a model that quantizes. `rounding`: the source's own
    rounding error on the samples. `check_passes`: whether every pass of a legalization is checked. `calls`: the same
    model for backends that support the user's own kernels.
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
        """The samples similar to the example, or within declared ranges."""
        return [sample for sample in self.samples if not sample.beyond]

    @cached_property
    def calibration(self) -> Calibration:
        """The statistics of the model's values, shared by all targets of a build."""
        samples = tuple(sample.inputs for sample in self.typical)
        return Calibration(samples, self.data or CalibrationData("the example", samples, is_drawn=True))

    def judged_on_data(self) -> CanonicalModel:
        """The same model, verified on the first calibration samples, if any were given."""
        if self.data is None:
            return self
        first = itertools.islice(self.data.samples, _JUDGED)
        samples = [Sample(dict(inputs), self.imported.reference.run(inputs)) for inputs in first]
        return replace(self, samples=samples) if samples else self

    def judging(self, accept: Accept) -> list[Sample]:
        """The samples that an artifact must pass; adversarial ones count unless a signal-to-noise ratio is set."""
        return self.samples if accept.min_psnr_db is None else self.typical

    def verify(self, runner: Runner, accept: Accept) -> Verdict:
        """Run the samples and compare by the target's criterion, as far as the model's own rounding allows."""
        excuse = excused(accept, self.quantization)
        verdict = verify(runner, self.judging(accept), excuse, self.rounding, states(self.model))
        if verdict.failures or self.quantization is None or not judge(verdict.fidelity, accept):
            return verdict
        moved = self.quantization.max_rel
        return replace(verdict, note=f"a single float32 rounding changes the source's outputs by {moved:.2g}")

    def held(self, verdict: Verdict, accept: Accept) -> dict[str, float]:
        """The largest finite magnitude of each numeric input on samples that an artifact passed."""
        found: dict[str, float] = {}
        for sample in () if verdict.failures else self.judging(accept):
            for name, array in sample.inputs.items():
                if array.dtype.kind in "iuf":
                    sizes = np.abs(array.astype(np.float64))
                    found[name] = max(found.get(name, 0.0), float(sizes[np.isfinite(sizes)].max(initial=0.0)))
        return found
