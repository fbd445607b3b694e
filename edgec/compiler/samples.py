"""The samples for verification: drawn around the example, and run by the source itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from edgec.diag import Diagnostic, EdgecError, warning
from edgec.frontend.dynamic import resized, sizes
from edgec.frontend.imported import ImportedModel
from edgec.frontend.samples.draws import STRAINS, samples_like, strained, varies
from edgec.frontend.samples.ranged import clipped
from edgec.ir.model import Model, static_shape
from edgec.ir.states import states
from edgec.measure.samples import SAMPLES, Sample
from edgec.runners.base import Array

VARIED = 4
"""Replaces `SAMPLES` if there are inputs of integers, booleans or single numbers, which are drawn in several ways."""

STEPS = 64
"""Consecutive runs that verify a stateful model."""

_LIGHT, _MEDIUM = 1_000_000, 20_000_000
"""Elements computed in a run up to which a model is strained in all ways, and in two ways; larger models in one."""


@dataclass(frozen=True)
class Sampled:
    """The samples, the example first, and a warning if the source itself fails on some."""

    samples: list[Sample]
    told: tuple[Diagnostic, ...] = ()


def sample(imported: ImportedModel) -> Sampled:
    """Draw typical inputs, inputs for sides of branches and for other sizes, then those that strain the model.

    Inputs on which the source fails are left out, except for its own example; for a typical draw, a side of a branch or
    another size, a warning (E0211) reports it.
    """
    count = STEPS if states(imported.model) else VARIED if varies(imported.examples) else SAMPLES
    example, *others = samples_like(imported.examples, 1 if _knows_features(imported) else count)
    drawn = [example, *(clipped(inputs, imported.ranges) for inputs in others)]
    others = [resized(drawn[:2][-1], imported.dynamic, size) for size in sizes(imported.dynamic, imported.examples)]
    expected = [*drawn[:SAMPLES], *imported.extra_samples, *others]
    taken = _in_turn(imported, expected)
    told = (_untaken(len(expected) - len(taken), len(expected)),) if len(taken) < len(expected) else ()
    more = _in_turn(imported, drawn[SAMPLES:], taken[-1])
    varied = more if states(imported.model) else [replace(s, kind=_VARIED) for s in more]
    return Sampled([*taken, *varied, *_strained(imported)], told)


_VARIED = "integers in runs, whole rows of masks"


def _in_turn(imported: ImportedModel, drawn: Sequence[dict[str, Array]], last: Sample | None = None) -> list[Sample]:
    """The source's outputs for each, beginning with the example, or after `last`; states are carried from run to run.

    If masks hide everything, the source gives NaN; such samples prove nothing and are left out.
    """
    held = states(imported.model)
    samples = [last] if last else [Sample(drawn[0], imported.reference.run(drawn[0]))]
    masks = varies(imported.examples) and not _has_nan(samples[0].expected)
    for inputs in drawn if last else drawn[1:]:
        going_on = {**inputs, **{s.input: samples[-1].expected[s.output] for s in held}}
        expected = _outputs(imported, going_on)
        if expected is not None and not (masks and _has_nan(expected)):
            samples.append(Sample(going_on, expected, continues=bool(held)))
    return samples[1:] if last else samples


def _has_nan(outputs: Mapping[str, Array]) -> bool:
    return any(array.dtype.kind == "f" and bool(np.isnan(array).any()) for array in outputs.values())


def _knows_features(imported: ImportedModel) -> bool:
    """Whether the frontend draws the samples: estimators know their features, and refuse what is no category."""
    return imported.source.kind == "skops"


def _strained(imported: ImportedModel) -> Iterator[Sample]:
    """No samples for loops that data end, which may not terminate on made-up inputs, nor for estimators."""
    if any(branch.rounds is not None for branch in imported.branches) or _knows_features(imported):
        return
    held = {s.input: imported.examples[s.input] for s in states(imported.model)}
    for strain in STRAINS[: _strains(imported.model)]:
        inputs = {**clipped(strained(imported.examples, strain), imported.ranges), **held}
        expected = _outputs(imported, inputs)
        if expected is None:  # mostly an index out of bounds
            inputs |= {name: array for name, array in imported.examples.items() if array.dtype.kind in "iu"}
            expected = _outputs(imported, inputs)
        if expected is not None:
            yield Sample(inputs, expected, kind=strain.name, beyond=True)


def _outputs(imported: ImportedModel, inputs: Mapping[str, Array]) -> dict[str, Array] | None:
    try:
        return imported.reference.run(inputs)
    except EdgecError:
        return None


def _strains(model: Model) -> int:
    work = computed_elements(model)
    return len(STRAINS) if work <= _LIGHT else 2 if work <= _MEDIUM else 1


def computed_elements(model: Model) -> int:
    """Elements of all values that one run computes, if static: a rough measure of its duration."""
    shapes = (static_shape(value) for node in model.graph for value in node.outputs)
    return sum(prod(shape) for shape in shapes if shape is not None)


def _untaken(count: int, total: int) -> Diagnostic:
    return warning(
        "E0211",
        f"the source itself fails on {count} of {total} samples, which are excluded from the verification",
        help=["give a typical example, or narrow the ranges of `--dynamic`"],
    )


def warned(imported: ImportedModel, told: tuple[Diagnostic, ...]) -> ImportedModel:
    """A copy with further warnings."""
    return replace(imported, warnings=(*imported.warnings, *told)) if told else imported
