"""Flexible input shapes in the package's description: ranges and enumerated shapes."""

from __future__ import annotations

from typing import Any

from edgec.backends.base import Dim, Program
from edgec.backends.coreml.options import CoreMLOptions
from edgec.diag import Diagnostic, EdgecError
from edgec.ir.dims import UNBOUNDED
from edgec.spec.target import Target

Shape = tuple[Dim, ...]


def check_flexible(program: Program, target: Target) -> None:
    """Raise `EdgecError` E0401 if Core ML cannot describe the sizes of an input."""
    options = target.options
    assert isinstance(options, CoreMLOptions)
    names = dict(program.choices)
    shapes = {ref.name: ref.type.shape for ref in program.inputs}
    listed = [name for name, shape in shapes.items() if any(d in names for d in shape)]
    found = [
        _refusal(
            f"input `{name}` has dimensions with listed sizes and with a range", "sizes-mixed", "list the sizes of all"
        )
        for name in listed
        if any(not isinstance(d, int) and d not in names for d in shapes[name])
    ]
    if len(listed) > 1 and options.is_before("iOS18"):
        what = f"{len(listed)} inputs have lists of sizes, which needs iOS 18"
        found.append(_refusal(what, "sizes-of-several-inputs", "give ranges, or build for iOS 18"))
    if found:
        raise EdgecError(found)


def _refusal(what: str, label: str, advice: str) -> Diagnostic:
    return Diagnostic("E0401", what, None, (f"rejected by `{label}`",), (advice,))


def open_dimensions(description: Any, program: Program) -> None:
    """Write the sizes of each open input: the first listed one, or the smallest of a range, is the default."""
    shapes = {ref.name: ref.type.shape for ref in program.inputs}
    for feature in description.input:
        shape = shapes.get(feature.name, ())
        if all(isinstance(d, int) for d in shape):
            continue
        rows, spans = _rows(shape, program), _spans(shape, program)
        if feature.type.WhichOneof("Type") == "imageType":
            _describe_image(feature.type.imageType, rows, spans)
        else:
            _describe_array(feature.type.multiArrayType, rows, spans)


def _rows(shape: Shape, program: Program) -> list[list[int]]:
    """The shapes of an input with listed sizes, without duplicates."""
    choices = dict(program.choices)
    count = max((len(choices[d]) for d in shape if isinstance(d, str) and d in choices), default=0)
    rows = [[d if isinstance(d, int) else choices[d][i] for d in shape] for i in range(count)]
    return [row for i, row in enumerate(rows) if row not in rows[:i]]


def _spans(shape: Shape, program: Program) -> list[tuple[int, int]]:
    ranges = {name: (low, high) for name, low, high in program.dims}
    return [(d, d) if isinstance(d, int) else ranges.get(d, (1, UNBOUNDED)) for d in shape]


def _describe_array(kind: Any, rows: list[list[int]], spans: list[tuple[int, int]]) -> None:
    kind.ClearField("shape")
    kind.ClearField("ShapeFlexibility")
    kind.shape.extend(rows[0] if rows else [low for low, _ in spans])
    for row in rows:
        kind.enumeratedShapes.shapes.add().shape.extend(row)
    for low, high in () if rows else spans:
        kind.shapeRange.sizeRanges.add(lowerBound=low, upperBound=_bound(high))


def _describe_image(kind: Any, rows: list[list[int]], spans: list[tuple[int, int]]) -> None:
    kind.ClearField("SizeFlexibility")
    kind.height, kind.width = rows[0][-2:] if rows else (low for low, _ in spans[-2:])
    for row in rows:
        kind.enumeratedSizes.sizes.add(height=row[-2], width=row[-1])
    if not rows:
        sides = (kind.imageSizeRange.heightRange, kind.imageSizeRange.widthRange)
        for side, (low, high) in zip(sides, spans[-2:], strict=True):
            side.lowerBound, side.upperBound = low, _bound(high)


def _bound(high: int) -> int:
    return -1 if high == UNBOUNDED else high
