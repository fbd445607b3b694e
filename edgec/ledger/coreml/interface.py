"""Rows about the interface of a package: agreement with the program, types, images, labels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from edgec.ledger.coreml.features import ARRAYS, SOURCE, array_of, features_of, given_by, typed_features, where_of
from edgec.ledger.coreml.package import Package, kind_of
from edgec.ledger.row import Breach, Row

_CHANNELS = {10: 1, 20: 3, 30: 3, 40: 1}
"""Channels of each `ImageFeatureType.ColorSpace`: grayscale, RGB, BGR, grayscale in float16."""
_GRAYSCALE_FLOAT16 = 40
_IOS16, _IOS26 = 7, 10
_KINDS = {
    "input": {"multiArrayType", "imageType"},
    "output": {"multiArrayType", "imageType", "stringType", "int64Type", "dictionaryType"},
    "state": {"stateType"},
}
_INTERFACE = frozenset({"fp16", "fp32", "int32", "int8", "string", "int64"})
"""Types of a program's inputs and outputs; strings and 64-bit integers are a classifier's labels."""


def _agrees(package: Package) -> Iterator[Breach]:
    for name, description in package.descriptions:
        function = package.function(name)
        if function is None:
            yield Breach(f"interface of {name}", "the program has no such function")
            continue
        described = {f.name for f in (*description.input, *description.state)}
        taken = {v.name for v in function.message.inputs}
        yield from (Breach(name, f"input `{n[:80]}` is only in the interface") for n in sorted(described - taken))
        yield from (Breach(name, f"input `{n[:80]}` is only in the program") for n in sorted(taken - described))
        if function.block is not None:
            shown, made = {f.name for f in description.output}, set(function.block.outputs)
            yield from (Breach(name, f"output `{n[:80]}` is only in the interface") for n in sorted(shown - made))
            yield from (Breach(name, f"output `{n[:80]}` is only in the program") for n in sorted(made - shown))


def _same_types(package: Package) -> Iterator[Breach]:
    for where, feature, kind in typed_features(package):
        array = array_of(feature)
        if array is not None and kind.dtype in ARRAYS.values() and ARRAYS.get(array.dataType) != kind.dtype:
            told = ARRAYS.get(array.dataType, "no type")
            yield Breach(where, f"{told} in the interface, {kind.dtype} in the program")


def _same_shapes(package: Package) -> Iterator[Breach]:
    for where, feature, kind in typed_features(package):
        array = array_of(feature)
        if array is None or kind.shape is None or not array.shape:
            continue
        shape = tuple(array.shape)
        fits = len(shape) == max(len(kind.shape), 1) and all(
            w is None or w == s for s, w in zip(shape, kind.shape, strict=False)
        )
        if not fits:
            yield Breach(where, f"{list(shape)} in the interface, {list(kind.shape)} in the program")


def _array_types(package: Package) -> Iterator[Breach]:
    for name, kind, feature in features_of(package):
        array = array_of(feature)
        if array is None:
            continue
        dtype = ARRAYS.get(array.dataType)
        since = {"fp16": _IOS16, "int8": _IOS26}.get(dtype or "", 0)
        if dtype is None or dtype == "fp64":
            yield Breach(where_of(name, kind, feature), "no type" if dtype is None else "double")
        elif package.version < since:
            yield Breach(where_of(name, kind, feature), f"{dtype} before specification version {since}")


def _program_types(package: Package) -> Iterator[Breach]:
    """Inputs and outputs of the program itself."""
    for function in package.functions:
        values = [(v.name, kind_of(v.type)) for v in function.message.inputs] + given_by(package, function.name)
        for value, kind in values:
            if kind.shape is not None and kind.dtype not in _INTERFACE:
                yield Breach(f"{function.name}: `{value[:80]}`", kind.dtype)


def _kinds(package: Package) -> Iterator[Breach]:
    for name, kind, feature in features_of(package):
        which = feature.type.WhichOneof("Type")
        if which is None or which not in _KINDS[kind]:
            yield Breach(where_of(name, kind, feature), which or "no type")


def _dimensions(package: Package) -> Iterator[Breach]:
    for name, kind, feature in features_of(package):
        array = array_of(feature)
        if array is None or kind == "output":
            continue
        if not array.shape and not array.WhichOneof("ShapeFlexibility"):
            yield Breach(where_of(name, kind, feature), "no shape")
        elif any(d < 1 for d in array.shape) or len(array.shape) > 5:
            yield Breach(where_of(name, kind, feature), f"shape {list(array.shape)}")


def _images(package: Package) -> Iterator[Breach]:
    for where, feature, kind in typed_features(package):
        if feature.type.WhichOneof("Type") != "imageType":
            continue
        image = feature.type.imageType
        channels = _CHANNELS.get(image.colorSpace)
        if channels is None:
            yield Breach(where, "no color space")
        elif kind.shape is not None and (len(kind.shape) != 4 or kind.shape[:2] != (1, channels)):
            yield Breach(where, f"in the program it is {list(kind.shape)}, not (1, {channels}, height, width)")
        elif kind.dtype not in ("fp32", "fp16"):
            yield Breach(where, f"inside it is {kind.dtype}")
        elif kind.shape is not None and not _is_flexible(image):
            inside = (kind.shape[3], kind.shape[2])
            if inside not in ((image.width, image.height), (None, None)):
                yield Breach(where, f"{image.width} x {image.height}, inside {inside[0]} x {inside[1]}")


def _is_flexible(image: Any) -> bool:
    return image.WhichOneof("SizeFlexibility") is not None


def _image_versions(package: Package) -> Iterator[Breach]:
    for where, feature, kind in typed_features(package):
        if feature.type.WhichOneof("Type") == "imageType" and package.version < _IOS16:
            if feature.type.imageType.colorSpace == _GRAYSCALE_FLOAT16:
                yield Breach(where, "grayscale in float16")
            elif kind.dtype == "fp16":
                yield Breach(where, "float16 inside")


def _labels(package: Package) -> Iterator[Breach]:
    classifying = {op.function for op in package.operations if op.message.type == "classify"}
    for name, description in package.descriptions:
        where = f"interface of {name}"
        named, scores = description.predictedFeatureName, description.predictedProbabilitiesName
        outputs = {f.name: f.type.WhichOneof("Type") for f in description.output}
        if named and outputs.get(named) not in ("stringType", "int64Type"):
            yield Breach(where, f"the predicted feature `{named[:80]}` is {outputs.get(named, 'no output')}")
        if scores and outputs.get(scores) != "dictionaryType":
            yield Breach(where, f"the probabilities `{scores[:80]}` are {outputs.get(scores, 'no output')}")
        if not named and (scores or name in classifying):
            yield Breach(where, "a classifier without a predicted feature")


def _optional(package: Package) -> Iterator[Breach]:
    """The type of a default is not checked: coremltools writes defaults of any type as floats."""
    for name, kind, feature in features_of(package):
        array = array_of(feature)
        has_default = array is not None and array.WhichOneof("defaultOptionalValue") is not None
        if feature.type.isOptional and (kind != "input" or not has_default):
            told = "it is optional and has no default" if kind == "input" else "it is optional"
            yield Breach(where_of(name, kind, feature), told)


def _image_sizes(package: Package) -> Iterator[Breach]:
    for name, kind, feature in features_of(package):
        if feature.type.WhichOneof("Type") == "imageType":
            image = feature.type.imageType
            if not _is_flexible(image) and min(image.width, image.height) < 1:
                yield Breach(where_of(name, kind, feature), f"{image.width} x {image.height}")


def _classes(package: Package) -> Iterator[Breach]:
    for op in package.operations:
        if op.message.type != "classify" or "classes" not in op.message.inputs:
            continue
        (first, *_) = op.message.inputs["classes"].arguments or [None]
        if first is None or first.WhichOneof("binding") != "value":
            yield Breach(op.where, "`classes` is not a literal")
            continue
        count = len(first.value.immediateValue.list.values)
        given = [op.kind(b) for n, b in op.arguments() if n == "probabilities"]
        sizes = [kind.shape for kind in given if kind is not None and kind.shape is not None and None not in kind.shape]
        if sizes and _elements(sizes[0]) != count:
            yield Breach(op.where, f"{count} classes for {list(sizes[0])} probabilities")


def _elements(shape: tuple[int | None, ...]) -> int:
    count = 1
    for size in shape:
        count *= size or 1
    return count


ROWS: tuple[Row[Package], ...] = (
    Row(
        "interface-agrees",
        "the interface has the inputs, outputs and states of the program's function",
        "Core ML's compiler",
        "coremltools, backend/mil/load.py: descriptions are created from a function's inputs and outputs, by name",
        _agrees,
    ),
    Row(
        "interface-kind",
        "inputs are arrays or images, states are states",
        "Core ML's loader",
        f"{SOURCE}, FeatureType; coremltools, backend/mil/load.py, `get_func_input`",
        _kinds,
    ),
    Row(
        "interface-type",
        "an array has the same type in the interface and in the program",
        "Core ML's compiler",
        "coremltools, backend/mil/helper.py, `cast_to_framework_io_dtype`",
        _same_types,
    ),
    Row(
        "interface-shape",
        "an array has the same shape in the interface and in the program, if it is fixed",
        "Core ML's compiler",
        f"{SOURCE}, ArrayFeatureType.shape; coremltools, backend/mil/load.py",
        _same_shapes,
    ),
    Row(
        "interface-array-type",
        "arrays are float32 or int32, from iOS 16 also float16, from iOS 26 also int8",
        "Core ML's loader",
        f"{SOURCE}, ArrayDataType; coremltools `mil_backend::adjust_io_to_supported_types`",
        _array_types,
    ),
    Row(
        "interface-program-type",
        "inputs and outputs of a program are float32, float16 or int32, not bool",
        "Core ML's compiler",
        "coremltools `mil_backend::adjust_io_to_supported_types`: main's interface is mapped to Core ML's",
        _program_types,
    ),
    Row(
        "interface-dimensions",
        "an input has 1 to 5 dimensions, each of size 1 or more",
        "Core ML's loader",
        f"{SOURCE}, ArrayFeatureType.shape: the required or default shape; MLMultiArray has no empty shape",
        _dimensions,
    ),
    Row(
        "image-program",
        "in the program an image is (1, channels of its color space, height, width), of floats",
        "Core ML's loader",
        "mlmodel/format/MIL.proto, Function.inputs: rank-4 Float32 tensors, NCHW, N == 1, C 1 or 3",
        _images,
    ),
    Row(
        "image-size",
        "an image has a size",
        "Core ML's loader",
        f"{SOURCE}, ImageFeatureType: The required or default image size is width x height",
        _image_sizes,
    ),
    Row(
        "image-version",
        "float16 images need iOS 16",
        "Core ML's loader",
        f"{SOURCE}, GRAYSCALE_FLOAT16; coremltools: float16 images need minimum_deployment_target iOS16",
        _image_versions,
    ),
    Row(
        "interface-optional",
        "an optional feature is an array input with a default",
        "Core ML's loader",
        f"{SOURCE}, ArrayFeatureType.defaultOptionalValue; coremltools, backend/mil/test_load.py, TestMILDefaultValues",
        _optional,
    ),
    Row(
        "classifier-features",
        "a classifier's label is a string or integer output, its probabilities are a dictionary output",
        "Core ML's loader",
        "mlmodel/format/Model.proto, ModelDescription.predictedFeatureName and predictedProbabilitiesName",
        _labels,
    ),
    Row(
        "classifier-classes",
        "the classes of `classify` are a literal, with as many elements as there are probabilities",
        "Core ML's compiler",
        "coremltools, backend/mil/load.py: classes are serialized as a value literal bound directly to the param",
        _classes,
    ),
)
