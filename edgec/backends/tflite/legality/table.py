"""TFLite's dialect: builtins of LiteRT 2.3 under ONNX's names, and the channels-last operators."""

from __future__ import annotations

from typing import Any

from edgec.backends import control_flow
from edgec.backends.legality import Family, dialect_of
from edgec.backends.tflite.legality import (
    conv,
    elementwise,
    gather,
    image,
    linear,
    pool,
    reduce,
    selection,
    shape,
    slice,
    windows,
)
from edgec.backends.tflite.ops import view_tflite
from edgec.dialect.base import Dialect
from edgec.spec.target import Target

FAMILIES: tuple[Family[Any], ...] = (
    *control_flow.FAMILIES,
    *conv.FAMILIES,
    *elementwise.FAMILIES,
    *gather.FAMILIES,
    *image.FAMILIES,
    *linear.FAMILIES,
    *pool.FAMILIES,
    *reduce.FAMILIES,
    *selection.FAMILIES,
    *shape.FAMILIES,
    *slice.FAMILIES,
    *windows.FAMILIES,
)


def dialect(target: Target) -> Dialect:
    """The dialect of a legalized TFLite graph."""
    return dialect_of("tflite", FAMILIES, target, view_tflite)
