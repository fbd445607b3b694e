"""Inputs that may exceed the samples: pixels, ids and counts without a declared range."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
import onnx_ir as ir

from edgec.backends.base import Array
from edgec.backends.coreml.integers import Limit, limits
from edgec.backends.coreml.precision.value_ranges import CARRIES
from edgec.diag import Diagnostic, Severity
from edgec.ir.model import Model, is_constant
from edgec.ir.provenance import place_of
from edgec.ir.states import states
from edgec.rules.match import scalar
from edgec.spec.target import Target

_IMAGE_NAME = re.compile(r"image|img|pixel|photo|picture|frame|rgb|bgr", re.IGNORECASE)

_COLORS = (1, 3, 4)
"""Channels of an image."""

_SIDE = 16
"""The fewest rows and columns of an image."""

_BRIGHT = 64.0
"""Samples that reach this contain pixels of 0 to 255."""


def undeclared(model: Model, target: Target, samples: Sequence[Mapping[str, Array]]) -> list[Diagnostic]:
    """A note (E0218) on inputs whose kind suggests larger values than the samples have; none without samples."""
    known = {r.name for r in target.ranges} | {s.input for s in states(model)}
    inputs = [v for v in model.graph.inputs if v.name and v.name not in known]
    is_half = target.numerics.compute == "float16"
    bounds = limits(model, target.ranges) if samples else {}
    said: dict[str, str] = {}
    for value in inputs if samples else ():
        name = value.name or ""
        reached = _largest_magnitude(name, samples)
        if is_half and reached < _BRIGHT and _is_image(value):
            said[name] = f"`{name}` looks like an image, whose values may be 0 to 255; the samples reach {reached:.3g}"
        elif _is_integer(value) and _magnitude_matters(value) and not (_shows_flags(name, samples) and _is_gate(value)):
            said[name] = f"`{name}` contains integers; the samples reach {reached:.0f}{_bound(bounds.get(name))}"
    if not said:
        return []
    names = ", ".join(f"`{name}`" for name in said)
    first = next(v for v in inputs if v.name in said)
    example = f"{first.name}=0..{999 if _is_integer(first) else 255}"
    help_ = f"declare its range with `--range {example}`: the artifact is built for it and verified on it"
    message = f"target `{target.name}` has no declared range for {names}"
    return [Diagnostic("E0218", message, notes=tuple(said.values()), help=(help_,), severity=Severity.NOTE)]


def _bound(limit: Limit | None) -> str:
    if limit is None:
        return ""
    place = str(place_of(limit.node) or "")
    where = f" ({place})" if place else ""
    return f"; beyond {limit.size} `{limit.node.op_type}`{where} may leave Core ML's 32 bits"


def _largest_magnitude(name: str, samples: Sequence[Mapping[str, Array]]) -> float:
    return max((float(np.abs(s[name].astype(np.float64)).max(initial=0.0)) for s in samples if name in s), default=0.0)


def _is_integer(value: ir.Value) -> bool:
    return value.dtype is not None and value.dtype.numpy().kind in "iu"


def _magnitude_matters(value: ir.Value) -> bool:
    """Whether its magnitude matters, unlike that of flags that are compared and ids that index elements."""
    for use in value.uses():
        node, out = use.node, use.node.outputs[0]
        if node.op_type in CARRIES or (node.op_type == "Cast" and _is_integer(out)):
            if _magnitude_matters(out):
                return True
        elif node.op_type not in _COMPARES and not (node.op_type in _INDEXES and use.idx == 1) and not _is_bool(out):
            return True
    return False


_COMPARES = frozenset("Equal Greater GreaterOrEqual Less LessOrEqual".split())
_INDEXES = frozenset("Gather GatherElements GatherND ScatterElements ScatterND".split())


def _shows_flags(name: str, samples: Sequence[Mapping[str, Array]]) -> bool:
    """Whether the samples contain only 0 and 1, and more than one element."""
    shown = [sample[name] for sample in samples if name in sample]
    return all(array.size > 1 and bool(np.isin(array, (0, 1)).all()) for array in shown)


def _is_gate(value: ir.Value) -> bool:
    """Whether it is used as a mask: multiplied to keep or hide elements (`h * m`, `(1 - m) * -1e4`), or counted."""
    return all(
        _is_gate(use.node.outputs[0]) if _propagates_flags(use.node) else _consumes_flags(use.node)
        for use in value.uses()
    )


def _propagates_flags(node: ir.Node) -> bool:
    if node.op_type == "Mul":
        return _is_integer(node.outputs[0]) and not any(is_constant(v) for v in node.inputs)
    return node.op_type in CARRIES or (node.op_type == "Cast" and not _is_bool(node.outputs[0]))


def _consumes_flags(node: ir.Node) -> bool:
    """Whether the node is a comparison, a count of flags, a product with data, 1 - mask, or a cast to bool."""
    if node.op_type == "Sub":
        return any(scalar(v) == 1 for v in node.inputs)
    if node.op_type == "Mul":
        return not any(is_constant(v) for v in node.inputs)
    return node.op_type in _COMPARES or node.op_type in ("CumSum", "ReduceSum") or _is_bool(node.outputs[0])


def _is_bool(value: ir.Value) -> bool:
    return value.dtype == ir.DataType.BOOL


def _is_image(value: ir.Value) -> bool:
    """Whether it is an image by its name or its shape: channels first or last, rows and columns."""
    if value.dtype != ir.DataType.FLOAT or value.shape is None:
        return False
    sizes = [d if isinstance(d, int) else _SIDE for d in value.shape][-3:]
    if len(sizes) < 3:
        return False
    colors = _COLORS if len(value.shape) > 3 else _COLORS[1:]  # with 3 dimensions, a 1 is the batch
    first, last = sizes[0] in colors and min(sizes[1:]) >= _SIDE, sizes[-1] in colors and min(sizes[:2]) >= _SIDE
    return first or last or bool(_IMAGE_NAME.search(value.name or ""))
