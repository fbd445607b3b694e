"""A package's model description: its inputs, outputs and states, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from edgec.runners.mil.arrays import Array

# `ArrayFeatureType.ArrayDataType` in FeatureTypes.proto.
_ARRAY_TYPES: dict[int, str] = {65552: "float16", 65568: "float32", 65600: "float64", 131080: "int8", 131104: "int32"}
_COLOURS: dict[int, str] = {10: "grayscale", 20: "rgb", 30: "bgr", 40: "grayscale_float16"}


@dataclass(frozen=True)
class Feature:
    """An input or output as the package describes it.

    `shape` is the default shape of a flexible one, and empty if none is declared. An image is given as its tensor,
    [1, channels, height, width] with values from 0 to 255, in the order of `colour`. `default` is the value of an
    optional input that is not given; `shapes` are all allowed shapes, if they are enumerated. `kind` is
    `array`, `image`, `state`, `label` or `probabilities`.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    kind: str = "array"
    colour: str | None = None
    optional: bool = False
    default: float = 0.0
    shapes: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True)
class Interface:
    """The inputs, outputs and states of a model, or of one of its functions."""

    function: str
    inputs: tuple[Feature, ...]
    outputs: tuple[Feature, ...]
    states: tuple[Feature, ...]

    def called(self, names: Mapping[str, str]) -> Interface:
        """A copy with other names."""
        inputs, outputs, states = (
            tuple(replace(f, name=names.get(f.name, f.name)) for f in features)
            for features in (self.inputs, self.outputs, self.states)
        )
        return Interface(self.function, inputs, outputs, states)


def read_interface(description: Any, function: str | None) -> Interface:
    """`description` is a `ModelDescription`. Raises ValueError if it has no such function."""
    if not description.functions:
        if function not in (None, "main"):
            raise ValueError(f"there is no function `{function}`, only `main`")
        return _interface("main", description)
    name = function or description.defaultFunctionName
    for candidate in description.functions:
        if candidate.name == name:
            return _interface(name, candidate)
    known = ", ".join(f"`{candidate.name}`" for candidate in description.functions)
    raise ValueError(f"there is no function `{name}`, only {known}")


def _interface(name: str, message: Any) -> Interface:
    return Interface(
        name,
        tuple(_feature(item) for item in message.input),
        tuple(_feature(item) for item in message.output),
        tuple(_feature(item) for item in message.state),
    )


def _feature(message: Any) -> Feature:
    kind = message.type.WhichOneof("Type")
    optional = bool(message.type.isOptional)
    if kind == "stateType":
        array = message.type.stateType.arrayType
        return Feature(message.name, tuple(array.shape), _dtype(array.dataType), "state")
    if kind == "multiArrayType":
        array = message.type.multiArrayType
        value = array.WhichOneof("defaultOptionalValue")
        default = float(getattr(array, value)) if value else 0.0
        shapes = tuple(tuple(entry.shape) for entry in array.enumeratedShapes.shapes)
        dtype = _dtype(array.dataType)
        return Feature(message.name, tuple(array.shape), dtype, "array", None, optional, default, shapes)
    if kind == "imageType":
        image = message.type.imageType
        colour = _COLOURS.get(image.colorSpace)
        if colour is None:
            raise ValueError(f"`{message.name}` has a colour space that is not known ({image.colorSpace})")
        channels = 1 if colour.startswith("gray") else 3
        sizes = tuple((1, channels, entry.height, entry.width) for entry in image.enumeratedSizes.sizes)
        shape = (1, channels, image.height, image.width)
        return Feature(message.name, shape, "float32", "image", colour, optional, shapes=sizes)
    if kind == "dictionaryType":
        return Feature(message.name, (), "float32", "probabilities")
    if kind in ("stringType", "int64Type"):
        return Feature(message.name, (), "str" if kind == "stringType" else "int64", "label")
    raise ValueError(f"`{message.name}` is a feature of kind {kind}")


def _dtype(number: int) -> str:
    if number not in _ARRAY_TYPES:
        raise ValueError(f"the array type number {number} is not known")
    return _ARRAY_TYPES[number]


def default_array(feature: Feature) -> Array:
    """The value of an optional input that is not given."""
    return np.full(feature.shape, feature.default, feature.dtype)
