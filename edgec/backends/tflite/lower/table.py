"""Every lowering of the TFLite backend."""

from __future__ import annotations

from edgec.backends.base import table
from edgec.backends.tflite.lower import (
    control,
    conv,
    custom,
    elementwise,
    gather,
    image,
    linear,
    pool,
    reduce,
    selection,
    shape,
    slice,
)

LOWERINGS = table(
    *control.LOWERINGS,
    *conv.LOWERINGS,
    *custom.LOWERINGS,
    *elementwise.LOWERINGS,
    *gather.LOWERINGS,
    *image.LOWERINGS,
    *linear.LOWERINGS,
    *pool.LOWERINGS,
    *reduce.LOWERINGS,
    *selection.LOWERINGS,
    *shape.LOWERINGS,
    *slice.LOWERINGS,
)
