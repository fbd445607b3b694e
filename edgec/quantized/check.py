"""Checks the canonical graph against the source, for quantized and other models."""

from __future__ import annotations

from collections.abc import Sequence

from edgec.diag import Diagnostic, EdgecError
from edgec.ir.model import Model
from edgec.measure.canonical_check import CANONICAL_ACCEPT, CANONICAL_REL, check_canonical
from edgec.measure.fidelity import Fidelity
from edgec.measure.rounding import SourceRounding
from edgec.measure.samples import Sample
from edgec.quantized.equivalence import compare_pieces, quantized_values
from edgec.quantized.rounding import excused, rounding_of


def check_model(
    model: Model, exported: Model | None, samples: Sequence[Sample], rounding: SourceRounding
) -> tuple[Fidelity | None, tuple[Diagnostic, ...]]:
    """Check the canonical graph by its outputs; returns how far a rounding moves a quantized graph (else None), and
    warnings about inputs that strain it.

    If that is more than `CANONICAL_REL`, the outputs may differ by as much, but each quantized value must equal that of
    `exported`, which is quantized already, given the same values before it. Raises `EdgecError` E0205.
    """
    quantization = rounding_of(model, samples)
    if quantization is None:
        return None, check_canonical(model, samples, rounding)
    try:
        told = check_canonical(model, samples, rounding)
    except EdgecError:
        told = check_canonical(model, samples, rounding, excused(CANONICAL_ACCEPT, quantization))
        if exported is not None:
            _check_pieces(model, exported, samples)
    return quantization, told


def _check_pieces(model: Model, exported: Model, samples: Sequence[Sample]) -> None:
    known = set(quantized_values(model))
    names = [name for name in quantized_values(exported) if name in known]
    for sample in samples:
        compare_pieces(exported, model, names, sample.inputs).check(model.graph.name or "model", CANONICAL_REL)
