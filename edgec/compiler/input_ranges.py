"""Ranges of inputs known before anything runs: declared, or implied by the use or type of an input."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import onnx_ir as ir

from edgec.diag import EdgecError, error
from edgec.diag.suggest import suggest
from edgec.ir.model import Model, constant, is_constant, static_shape
from edgec.spec.backend import backend_spec
from edgec.spec.ranges import InputRange
from edgec.spec.target import Target

_NARROW = 16
"""Bits of an integer type up to which its whole range counts as the range of an input."""

_HANDS_ON = frozenset("Cast Expand Flatten Identity Reshape Squeeze Tile Transpose Unsqueeze".split())


def with_ranges(target: Target, model: Model, requested: Sequence[InputRange]) -> Target:
    """The target with the known ranges of all inputs.

    The request's take precedence over the target's own, those of an image, a table, and the element type.
    """
    found: dict[str, InputRange] = {}
    for known in (
        requested,
        target.ranges,
        backend_spec(target.backend).ranges(target.options),
        _tables(model),
        _types(model),
    ):
        for item in known:
            found.setdefault(item.name, item)
    order = [value.name for value in model.graph.inputs if value.name in found]
    return replace(target, ranges=tuple(found[name] for name in order if name is not None))


def check_ranges(ranges: Iterable[InputRange], *models: Model) -> None:
    """Raises `EdgecError` E0107 for a range of an unknown or non-numeric input, or one that exceeds its type."""
    inputs = {value.name or "": value for model in models for value in model.graph.inputs}
    for item in ranges:
        if item.name not in inputs:
            raise _unknown(item, list(inputs))
        dtype = inputs[item.name].dtype
        kind = "?" if dtype is None else dtype.numpy().name
        if dtype is None or dtype.numpy().kind not in "iuf":
            raise error("E0107", f"input `{item.name}` is {kind} and cannot have a range", help=["remove its range"])
        limits = np.iinfo(kind) if dtype.numpy().kind in "iu" else np.finfo(kind)
        if item.low < float(limits.min) or item.high > float(limits.max):
            raise error(
                "E0107", f"the range of `{item.name}` is {item.low:g} to {item.high:g}, which {kind} cannot represent"
            )


def _unknown(item: InputRange, known: list[str]) -> EdgecError:
    near = suggest(item.name, known)
    where = "a target's `[ranges]` names" if item.origin == "target" else "`--range` names"
    return error(
        "E0107",
        f"{where} input `{item.name}`, which the model does not have",
        notes=[f"its inputs are {', '.join(known)}"],
        help=[f"did you mean `{near}`?"] if near else [],
    )


def _types(model: Model) -> list[InputRange]:
    found = []
    for value in model.graph.inputs:
        kind = None if value.dtype is None else value.dtype.numpy()
        if kind is not None and kind.kind in "iu" and kind.itemsize * 8 <= _NARROW:
            limits = np.iinfo(kind.name)
            found.append(InputRange(value.name or "", float(limits.min), float(limits.max), "type"))
    return found


def _tables(model: Model) -> list[InputRange]:
    """Inputs that index tables: their range ends at the last row of the smallest table."""
    rows: dict[str, int] = {}
    for node in model.graph:
        if node.op_type != "Gather" or node.domain or not is_constant(node.inputs[0]):
            continue
        table, source = node.inputs[0], _source(node.inputs[1])
        shape = None if table is None else static_shape(table)
        axis = node.attributes["axis"].as_int() if "axis" in node.attributes else 0
        if source is not None and shape and source.name:
            rows[source.name] = min(rows.get(source.name, shape[axis]), shape[axis])
    return [InputRange(name, 0.0, float(count - 1), "table") for name, count in rows.items() if count > 1]


def _source(value: ir.Value | None) -> ir.Value | None:
    """The input that these elements come from, moved or made non-negative at most; else None."""
    while value is not None and not value.is_graph_input():
        node = value.producer()
        if node is None or node.domain or constant(value) is not None:
            return None
        value = node.inputs[0] if node.op_type in _HANDS_ON else None
    return value
