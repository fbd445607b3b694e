"""Inputs with a single value (`--range sr=16000..16000`): they become constants of the model, not inputs of the app."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import onnx_ir as ir

from edgec.diag import Diagnostic, EdgecError, Severity, error
from edgec.frontend.imported import Array, ImportedModel, Reference
from edgec.ir.model import static_shape
from edgec.ir.states import states
from edgec.spec.ranges import InputRange


class _WithConstants:
    """A reference that passes fixed values for some of its inputs in every run."""

    def __init__(self, source: Reference, values: Mapping[str, Array]) -> None:
        self.name, self._source, self._values = source.name, source, values

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Run the reference with the fixed values added."""
        return self._source.run({**inputs, **self._values})

    def precise(self, inputs: Mapping[str, Array]) -> dict[str, Array] | None:
        """Run it in double precision with the fixed values added."""
        return self._source.precise({**inputs, **self._values})

    def rounded(self, inputs: Mapping[str, Array], roundings: float, seed: int) -> dict[str, Array] | None:
        """Run it with perturbed rounding and the fixed values added."""
        return self._source.rounded({**inputs, **self._values}, roundings, seed)


def with_constants(imported: ImportedModel) -> ImportedModel:
    """Turn each input whose range is a single value into a constant, with a note.

    Raises `EdgecError` E0107 if the input has a dynamic size, holds a state, its type cannot represent the value,
    or is the only input.
    """
    inputs = {value.name: value for value in imported.model.graph.inputs}
    single = tuple(r for r in imported.ranges if r.is_single and r.name in inputs)
    if not single:
        return imported
    if len(single) == len(inputs):
        raise _unfit(single[0], "no other input is left", "leave out the range of one that changes from run to run")
    kept = {s.input for s in states(imported.model)}
    values = {r.name: _constant(r, inputs[r.name], kept) for r in single}
    for name, array in values.items():
        value, graph = inputs[name], imported.model.graph
        graph.inputs.remove(value)
        value.const_value = ir.Tensor(array, name=name)
        value.shape = ir.Shape(array.shape)
        graph.initializers[name] = value
    notes = [
        Diagnostic("E0107", f"`{r.name}` is always {r.low:g}: artifacts have no such input", severity=Severity.NOTE)
        for r in single
    ]
    return replace(
        imported,
        reference=_WithConstants(imported.reference, values),
        examples=_without(imported.examples, values),
        extra_samples=tuple(_without(sample, values) for sample in imported.extra_samples),
        ranges=tuple(r for r in imported.ranges if r not in single),
        constants=single,
        warnings=(*imported.warnings, *notes),
    )


_EXACT = 2.0**53 - 1
"""The largest magnitude at which distinct integers are still distinct doubles; ends of ranges are doubles."""


def _constant(always: InputRange, value: ir.Value, kept: set[str]) -> Array:
    shape, dtype = static_shape(value), value.dtype
    if always.name in kept:
        raise _unfit(always, "a state is kept there", "leave out its range, or its `--state`")
    if shape is None:
        raise _unfit(always, "its size is open", f"fix the size as well: leave out `--dynamic {always.name}:…`")
    if dtype is None or dtype.numpy().kind not in "iuf":
        raise _unfit(always, f"it is {'?' if dtype is None else dtype.numpy().name}", "leave its range out")
    with np.errstate(invalid="ignore"):
        array = np.full(shape, always.low).astype(dtype.numpy())
    if dtype.numpy().kind in "iu" and not (abs(always.low) <= _EXACT and (array == always.low).all()):
        raise _unfit(always, f"no {dtype.numpy().name} is {always.low:g}", "give a value that its type holds")
    return array


def _without(sample: Mapping[str, Array], names: Mapping[str, Array]) -> dict[str, Array]:
    return {name: array for name, array in sample.items() if name not in names}


def _unfit(always: InputRange, why: str, advice: str) -> EdgecError:
    return error("E0107", f"input `{always.name}` cannot always be {always.low:g}: {why}", help=[advice])
