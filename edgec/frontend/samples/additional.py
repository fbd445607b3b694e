"""Further samples, from files given by `--input` and `samples`, which are judged like the random samples."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgec.diag import error
from edgec.frontend.imported import Array, ImportedModel
from edgec.frontend.samples.inputs import InputSpec, Known


def further_samples(imported: ImportedModel, specs: Sequence[InputSpec]) -> tuple[dict[str, Array], ...]:
    """Every sample after the first; an input with a single sample has the same value in all of them.

    Raises `EdgecError` E0107 if two inputs have different numbers of samples, or a sample leaves the declared range.
    """
    given: dict[str, list[Array]] = {}
    for spec in specs:
        if spec.gives_values and spec.name in imported.examples:
            given[spec.name] = spec.samples(np.random.default_rng(0), known_of(imported, spec.name))
            _check_range(spec, given[spec.name])
    counts = {name: len(arrays) for name, arrays in given.items() if len(arrays) > 1}
    if len(set(counts.values())) > 1:
        told = [f"`{name}` has {count}" for name, count in counts.items()]
        raise error("E0107", "the inputs have different numbers of samples", notes=[", ".join(told)])
    several = {name: given[name] for name in counts}
    return tuple(
        {**imported.examples, **{name: arrays[i] for name, arrays in several.items()}}
        for i in range(1, max(counts.values(), default=1))
    )


def known_of(imported: ImportedModel, name: str) -> Known:
    """The example's shape, with dynamic dimensions open, and its type."""
    example = imported.examples[name]
    open_axes = {dim.axis for dim in imported.dynamic if dim.input == name}
    shape = tuple(None if i in open_axes else size for i, size in enumerate(example.shape))
    return Known(shape, str(example.dtype), fixed=True)


def _check_range(spec: InputSpec, arrays: Sequence[Array]) -> None:
    if (within := spec.within) is None:
        return
    for i, array in enumerate(arrays):
        numbers = array.astype(np.float64)
        if numbers.size and not (within.low <= numbers.min() and numbers.max() <= within.high):
            raise error(
                "E0107",
                f"sample {i} of input `{spec.name}` exceeds its range",
                notes=[f"it is {numbers.min():g} to {numbers.max():g}, the range {within.low:g} to {within.high:g}"],
                help=["widen `--range`, or give values that the app passes"],
            )
