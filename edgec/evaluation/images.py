"""Converts images to a source's inputs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgec.artifact.manifest import Manifest
from edgec.diag import error
from edgec.evaluation.evaluate import Images
from edgec.frontend.samples.files import Pixels
from edgec.measure.inspection import Feature
from edgec.spec.ranges import parse_ranges

Array = NDArray[np.generic]


def pixel_ranges(texts: Sequence[str], manifest: Manifest | None) -> Images:
    """Pixels by the scale and bias of an image input, else scaled to the requested range or that of the build.

    Images are resized bilinearly to the input's size. Without a known range, the result raises `EdgecError` E0107.
    """
    ends = {r.name: (r.low, r.high) for r in parse_ranges(tuple(texts))}
    for known in manifest.ranges if manifest else ():
        if known.low is not None and known.high is not None:
            ends.setdefault(known.input, (known.low, known.high))

    def arrange(pixels: Pixels, feature: Feature) -> Array:
        shape = [d if isinstance(d, int) and d >= 0 else None for d in feature.shape]
        shown = manifest.shown.image(feature.name) if manifest else None
        if shown is not None and feature.name not in ends:
            return shown.value(pixels.arranged(shape, None))
        if feature.dtype == "uint8":
            return pixels.arranged(shape, None)
        if feature.name not in ends:
            message = f"it is not known on which range input `{feature.name}` takes pixels"
            raise error("E0107", message, help=[f"add `--range {feature.name}=0..1`, or build with `--range`"])
        return pixels.arranged(shape, ends[feature.name])

    return arrange
