"""The Core ML backend's properties that are needed before it is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgec.backends.coreml.options import CoreMLOptions, Image, coreml_options
from edgec.spec.backend import BackendSpec, Rewriting
from edgec.spec.optional_package import OptionalPackage
from edgec.spec.ranges import InputRange
from edgec.spec.reader import Checker
from edgec.spec.target import Target

if TYPE_CHECKING:
    from edgec.backends.base import Backend

_BRIGHTEST = 255.0
"""The largest value of a pixel; the smallest is 0."""


def _load() -> Backend:
    from edgec.backends.coreml.backend import COREML

    return COREML


def _rewriting() -> Rewriting:
    from edgec.backends.coreml.legalize import OPTIONAL, OWN

    return Rewriting(OWN, OPTIONAL)


def _check(c: Checker, target: Target) -> None:
    """Check the combinations of numerics that Core ML supports."""
    options = target.options
    if target.numerics.quantizes:
        c.problem("a coreml target stores float16 or float32", "weights")
    stored = (target.numerics.compute, target.numerics.weights.type)
    if stored == ("float16", "float32"):
        c.problem("float32 weights would be rounded to `compute`, which is float16", "weights")
    narrow = stored == ("float32", "float16")
    if narrow and isinstance(options, CoreMLOptions) and options.is_before("iOS16"):
        c.problem("float16 weights of a float32 model need iOS 16", "weights")


def _images(options: object) -> list[InputRange]:
    """The ranges of the model's inputs that are images."""
    return [_of_image(image) for image in options.images] if isinstance(options, CoreMLOptions) else []


def _of_image(image: Image) -> InputRange:
    count = max(len(image.scale), len(image.bias))
    scale, bias = ((n if len(n) == count else n * count) for n in (image.scale, image.bias))
    ends = [end for s, b in zip(scale, bias, strict=True) for end in (b, _BRIGHTEST * s + b)]
    return InputRange(image.name, min(ends), max(ends), "image")


SPEC = BackendSpec(
    "coreml",
    "Core ML",
    coreml_options,
    _load,
    _rewriting,
    check=_check,
    ranges=_images,
    functions="Core ML from iOS 18 on",
    packages=(
        OptionalPackage(
            "coremltools", "coremltools", "Core ML packages (.mlpackage)", "coreml", "libmilstoragepython*"
        ),
    ),
)
