"""The interface of a package for the app: images, a classifier's labels, descriptions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from edgec.artifact.app import AppImage, Described
from edgec.artifact.shown import Shown, ShownImage, ShownScores
from edgec.backends.base import Dim, Program
from edgec.backends.coreml.options import COLORS, CoreMLOptions, Image
from edgec.diag import Diagnostic, EdgecError
from edgec.ledger.coreml.identifiers import Scope
from edgec.spec.target import Target

_COLOR_SPACES = {"grayscale": 10, "rgb": 20, "bgr": 30}
"""`ImageFeatureType.ColorSpace` in Core ML's FeatureTypes.proto."""


def check(program: Program, target: Target) -> None:
    """Raise `EdgecError` E0106 if the target's options do not fit the model's inputs and outputs."""
    options = target.options
    assert isinstance(options, CoreMLOptions)
    found = []
    inputs = {ref.name: ref.type.shape for ref in program.inputs}
    outputs = {name: operand.type.shape for name, operand in program.outputs}
    found += _unfit_images(options.images, "images", "input", inputs)
    found += _unfit_images(options.output_images, "output_images", "output", outputs)
    for image in options.output_images:
        if any(not isinstance(size, int) for size in outputs.get(image.name, ())):
            found.append(_wrong(f"image `{image.name}` has an open size, which only inputs support", {}))
        if options.classifier is not None and options.classifier.output == image.name:
            found.append(_wrong(f"`{image.name}` cannot be an image and a classifier's scores", {}))
    if options.classifier is not None:
        shape, count = outputs.get(options.classifier.output), len(options.classifier.labels)
        if shape is None:
            found.append(
                _wrong(f"`options.classifier` names `{options.classifier.output}`, which is not an output", outputs)
            )
        elif shape != (1, count):
            found.append(_wrong(f"`{options.classifier.output}` has shape {list(shape)} for {count} labels", {}))
    shown = {*inputs, *outputs, *([options.classifier.label_output] if options.classifier else [])}
    for name, _ in options.metadata.features:
        if name not in shown:
            found.append(_wrong(f"`options.metadata.features` describes `{name}`, not an input or output", shown))
    if found:
        raise EdgecError(found)


def _unfit_images(
    images: Sequence[Image], key: str, kind: str, shapes: Mapping[str, tuple[Dim, ...]]
) -> list[Diagnostic]:
    """Diagnostics for images whose name is unknown or whose tensor has another shape."""
    found = []
    for image in images:
        shape, wanted = shapes.get(image.name), f"(1, {COLORS[image.color]}, height, width)"
        if shape is None:
            found.append(_wrong(f"`options.{key}` names `{image.name}`, which is not an {kind}", shapes))
        elif len(shape) != 4 or shape[:2] != (1, COLORS[image.color]):
            found.append(_wrong(f"image `{image.name}` has shape {list(shape)}, not {wanted}", {}))
    return found


def shown(options: CoreMLOptions) -> Shown:
    """The source's inputs and outputs as the app sees them."""
    images, pictures = (
        tuple(ShownImage(image.name, image.scale, image.bias) for image in found)
        for found in (options.images, options.output_images)
    )
    given = options.classifier
    label = "" if given is None else given.label_output
    scores = () if given is None else (ShownScores(given.output, label, f"{label}_probs"),)
    return Shown(images, scores, pictures)


def described(options: CoreMLOptions) -> tuple[Described, ...]:
    """Images, which the package converts, and the labels of a classifier."""
    images = (
        Described(image.name, AppImage(image.color, image.scale, image.bias, "artifact"))
        for image in (*options.images, *options.output_images)
    )
    given = options.classifier
    return (*images, *([] if given is None else [Described(given.output, labels=given.labels)]))


def _wrong(message: str, known: Any) -> Diagnostic:
    return Diagnostic(
        "E0106", message, None, (f"there is {', '.join(f'`{k}`' for k in sorted(known))}",) if known else ()
    )


def from_image(mb: Any, pixels: Any, image: Image, scope: Scope) -> Any:
    """Convert an image to the model's input: `pixel * scale + bias`, per channel."""
    return _scaled(mb, pixels, image, scope)


def to_image(mb: Any, value: Any, image: Image, scope: Scope) -> Any:
    """Convert a float32 output to the image for the app: integers from 0 to 255, under the image's name.

    How Core ML converts other values to bytes is undocumented, so none remain.
    """
    value = _scaled(mb, value, image, scope)
    kept = mb.clip(x=value, alpha=np.float32(0), beta=np.float32(255), name=scope.new(f"{image.name}_kept"))
    return mb.round(x=kept, name=image.name)


def _scaled(mb: Any, value: Any, image: Image, scope: Scope) -> Any:
    for op, numbers, neutral in (("mul", image.scale, 1.0), ("add", image.bias, 0.0)):
        if any(n != neutral for n in numbers):
            column = np.asarray(numbers, dtype=np.float32).reshape(1, -1, 1, 1)
            factor = mb.const(val=column, name=scope.new(f"{image.name}_{op}"))
            value = getattr(mb, op)(x=value, y=factor, name=scope.new(f"{image.name}_pixel_{op}"))
    return value


def describe(description: Any, program: Program, options: CoreMLOptions) -> None:
    """Write image types and descriptions of inputs and outputs into the description of a model or function."""
    texts = dict(options.metadata.features)
    seen = [(feature, options.image(feature.name)) for feature in description.input]
    seen += [(feature, options.output_image(feature.name)) for feature in description.output]
    sizes = {name: operand.type.shape[-2:] for name, operand in program.outputs}
    for feature, image in seen:
        feature.shortDescription = texts.get(feature.name, "")
        if image is not None:
            height, width = feature.type.multiArrayType.shape[-2:] or sizes[feature.name]
            kind = feature.type.imageType
            kind.height, kind.width, kind.colorSpace = height, width, _COLOR_SPACES[image.color]


def describe_model(metadata: Any, options: CoreMLOptions) -> None:
    """Write the model's metadata that Xcode shows."""
    said = options.metadata
    metadata.author = said.author
    metadata.license = said.license
    metadata.versionString = said.version
    metadata.shortDescription = said.description
