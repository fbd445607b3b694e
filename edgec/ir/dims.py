"""Open dimensions of a model: their names and ranges of sizes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import onnx_ir as ir

from edgec.ir.model import Model, all_graphs

UNBOUNDED = 2**31 - 1
"""The largest size of a dimension whose range has no upper end: TFLite and Core ML store sizes in 32 bits."""

_KEY = "edgec.dim."
_LIST = "edgec.sizes."


def dim_ranges(model: Model) -> dict[str, tuple[int, int]]:
    """The smallest and largest size of each named dimension, both inclusive; empty for a static model."""
    found = {}
    for key, text in sorted(model.metadata_props.items()):
        if key.startswith(_KEY):
            low, _, high = text.partition("..")
            found[key.removeprefix(_KEY)] = (int(low), int(high))
    return found


def dim_choices(model: Model) -> dict[str, tuple[int, ...]]:
    """The sizes of each dimension that is limited to a list; sizes at the same position of all lists go together."""
    found = {}
    for key, text in sorted(model.metadata_props.items()):
        if key.startswith(_LIST):
            found[key.removeprefix(_LIST)] = tuple(int(size) for size in text.split(","))
    return found


def set_dim_range(model: Model, name: str, low: int, high: int, choices: Sequence[int] = ()) -> None:
    """Record the range of a dimension in the model, and its list of sizes if there is one."""
    model.metadata_props[f"{_KEY}{name}"] = f"{low}..{high}"
    if choices:
        model.metadata_props[f"{_LIST}{name}"] = ",".join(map(str, choices))


def forget_dim_range(model: Model, name: str) -> None:
    """Remove the record of a dimension."""
    model.metadata_props.pop(f"{_KEY}{name}", None)
    model.metadata_props.pop(f"{_LIST}{name}", None)


def rename_dims(model: Model, names: Mapping[str, str], whole: Mapping[str, str] | None = None) -> None:
    """Rename dimension symbols, also inside expressions such as `2*s77 + 1`; `whole` renames entire expressions."""
    known = whole or {}
    if not names:
        return
    pattern = re.compile(r"\b(" + "|".join(map(re.escape, names)) + r")\b")

    def renamed(dim: int | ir.SymbolicDim) -> int | ir.SymbolicDim:
        if isinstance(dim, int) or dim.value is None:
            return dim
        if str(dim.value) in known:
            return ir.SymbolicDim(known[str(dim.value)])
        return ir.SymbolicDim(pattern.sub(lambda found: names[found[1]], str(dim.value)))

    for graph in all_graphs(model):
        values = [*graph.inputs, *graph.outputs, *(out for node in graph for out in node.outputs)]
        for value in values:
            if value.shape is not None and not value.shape.is_static():
                value.shape = ir.Shape([renamed(dim) for dim in value.shape])
