"""Rows about flexible input shapes: ranges, enumerated shapes, and their agreement with the program."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from edgec.diag import Severity
from edgec.ledger.coreml.features import SOURCE, array_of, features_of, typed_features, where_of
from edgec.ledger.coreml.package import Package
from edgec.ledger.row import Breach, Row

_IOS18 = 9
_MOST_LISTED = 128


def _ranges(feature: Any) -> list[tuple[int, int, int]]:
    """The default, the smallest and the largest size of each dimension; empty if the feature has no ranges."""
    array = array_of(feature)
    if array is not None:
        if array.WhichOneof("ShapeFlexibility") != "shapeRange":
            return []
        sides, shape = (
            array.shapeRange.sizeRanges,
            list(array.shape) or [s.lowerBound for s in array.shapeRange.sizeRanges],
        )
    elif feature.type.WhichOneof("Type") == "imageType":
        image = feature.type.imageType
        if image.WhichOneof("SizeFlexibility") != "imageSizeRange":
            return []
        sides, shape = [image.imageSizeRange.widthRange, image.imageSizeRange.heightRange], [image.width, image.height]
    else:
        return []
    return [(size, side.lowerBound, side.upperBound) for size, side in zip(shape, sides, strict=False)]


def _default_in_range(package: Package) -> Iterator[Breach]:
    for name, kind, feature in features_of(package):
        for i, (size, low, high) in enumerate(_ranges(feature)):
            if size < low or (0 <= high < size):
                yield Breach(where_of(name, kind, feature), f"dimension {i} is {size}, its range is {low} to {high}")


def _range_order(package: Package) -> Iterator[Breach]:
    for name, kind, feature in features_of(package):
        for i, (_, low, high) in enumerate(_ranges(feature)):
            if low < 1 or 0 <= high < low:
                yield Breach(where_of(name, kind, feature), f"dimension {i} is {low} to {high}")


def _range_end(package: Package) -> Iterator[Breach]:
    for name, kind, feature in features_of(package):
        if kind == "input" and any(high < 0 for _, _, high in _ranges(feature)):
            yield Breach(where_of(name, kind, feature), "a range without an end")


def _range_rank(package: Package) -> Iterator[Breach]:
    for name, kind, feature in features_of(package):
        array = array_of(feature)
        if array is None or array.WhichOneof("ShapeFlexibility") != "shapeRange":
            continue
        if array.shape and len(array.shape) != len(array.shapeRange.sizeRanges):
            told = f"{len(array.shapeRange.sizeRanges)} ranges for {len(array.shape)} dimensions"
            yield Breach(where_of(name, kind, feature), told)


def _listed(feature: Any) -> list[tuple[int, ...]]:
    array = array_of(feature)
    if array is not None:
        return [tuple(s.shape) for s in array.enumeratedShapes.shapes]
    if feature.type.WhichOneof("Type") == "imageType":
        return [(s.width, s.height) for s in feature.type.imageType.enumeratedSizes.sizes]
    return []


def _has_list(feature: Any) -> bool:
    array = array_of(feature)
    if array is not None:
        return bool(array.WhichOneof("ShapeFlexibility") == "enumeratedShapes")
    is_image = feature.type.WhichOneof("Type") == "imageType"
    return is_image and bool(feature.type.imageType.WhichOneof("SizeFlexibility") == "enumeratedSizes")


def _listed_default(package: Package) -> Iterator[Breach]:
    for name, kind, feature in features_of(package):
        shapes, array = _listed(feature), array_of(feature)
        image = feature.type.imageType
        default = tuple(array.shape) if array is not None else (image.width, image.height)
        if shapes and any(default) and default not in shapes:
            yield Breach(where_of(name, kind, feature), f"{list(default)} is none of the {len(shapes)} enumerated")


def _listed_well(package: Package) -> Iterator[Breach]:
    for name, kind, feature in features_of(package):
        shapes = _listed(feature)
        if _has_list(feature) and not shapes:
            yield Breach(where_of(name, kind, feature), "no shape is enumerated")
        if any(size < 1 for shape in shapes for size in shape):
            yield Breach(where_of(name, kind, feature), "a listed size is 0")
        if len(shapes) > _MOST_LISTED:
            yield Breach(where_of(name, kind, feature), f"{len(shapes)} shapes are enumerated")
        if len({len(shape) for shape in shapes}) > 1:
            yield Breach(where_of(name, kind, feature), "the enumerated shapes have different ranks")
        if package.version < _IOS18 and len(set(shapes)) < len(shapes):
            yield Breach(where_of(name, kind, feature), "a size is listed twice")


def _listed_inputs(package: Package) -> Iterator[Breach]:
    for name, description in package.descriptions:
        listed = [f.name for f in description.input if _listed(f)]
        if package.version < _IOS18 and len(listed) > 1:
            yield Breach(f"interface of {name}", f"{', '.join(f'`{n[:40]}`' for n in listed)} have enumerated shapes")


def _open_inside(package: Package) -> Iterator[Breach]:
    """A dimension is open in the interface if and only if it is open in the program."""
    for where, feature, kind in typed_features(package):
        array = array_of(feature)
        if array is None or kind.shape is None or where.split(": ")[1].startswith("output"):
            continue
        shapes = _listed(feature)
        spans = [(low, high) for _, low, high in _ranges(feature)]
        for i, inside in enumerate(kind.shape):
            sizes = {s[i] for s in shapes if i < len(s)}
            varies = len(sizes) > 1 or (i < len(spans) and spans[i][0] != spans[i][1])
            if varies and inside is not None:
                yield Breach(where, f"dimension {i} is open in the interface, {inside} in the program")
            elif inside is None and not shapes and not spans:
                yield Breach(where, f"dimension {i} is open in the program, {list(array.shape)} in the interface")


ROWS: tuple[Row[Package], ...] = (
    Row(
        "flexible-order",
        "the lower bound of a range is at least 1 and at most its upper bound",
        "Core ML's loader",
        f"{SOURCE}, SizeRange",
        _range_order,
    ),
    Row(
        "flexible-rank",
        "there is a range for each dimension",
        "Core ML's loader",
        f"{SOURCE}, ShapeRange: sizeRanges[d] specifies the allowed range for dimension d",
        _range_rank,
    ),
    Row(
        "flexible-default",
        "the default size lies within its range",
        "Core ML's loader",
        f"{SOURCE}, ShapeRange: If you specify shape above it must fall in the range",
        _default_in_range,
    ),
    Row(
        "flexible-end",
        "a range has an end",
        "Core ML's runtime",
        "coremltools, _converters_entry.py: For mlprogram, inputs with infinite upper_bound is not allowed",
        _range_end,
        severity=Severity.WARNING,
    ),
    Row(
        "flexible-listed-default",
        "the default shape is one of those enumerated",
        "Core ML's loader",
        f"{SOURCE}, EnumeratedShapes: If the shape field is specified then it must be one of the enumerated shapes",
        _listed_default,
    ),
    Row(
        "flexible-listed",
        f"between 1 and {_MOST_LISTED} shapes of the same rank are enumerated, before iOS 18 without duplicates",
        "Core ML's loader",
        f"{SOURCE}, EnumeratedShapes: Must be non-empty; coremltools guide, Flexible Input Shapes: 128 shapes at most; "
        "flexible_shape_utils.py, allow_duplicate_shapes",
        _listed_well,
    ),
    Row(
        "flexible-listed-inputs",
        "before iOS 18 at most one input has enumerated shapes",
        "Core ML's compiler",
        "coremltools, backend/mil/load.py, `supports_multiple_enumerated_shapes`",
        _listed_inputs,
        "before iOS 18",
    ),
    Row(
        "flexible-program",
        "a dimension is open in the interface if and only if it is open in the program",
        "Core ML's compiler",
        f"{SOURCE}, ShapeFlexibility; coremltools, backend/mil/load.py: symbolic dimensions get a flexibility",
        _open_inside,
    ),
)
