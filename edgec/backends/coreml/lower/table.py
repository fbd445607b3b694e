"""Every lowering of the Core ML backend."""

from __future__ import annotations

from edgec.backends.base import table
from edgec.backends.coreml.lower import (
    attention,
    channels,
    control,
    conv,
    dynamic,
    elementwise,
    gather,
    linear,
    recurrent,
    reduce,
    selection,
    shape,
    slice,
    window,
)

LOWERINGS = table(
    *attention.LOWERINGS,
    *channels.LOWERINGS,
    *control.LOWERINGS,
    *conv.LOWERINGS,
    *dynamic.LOWERINGS,
    *elementwise.LOWERINGS,
    *gather.LOWERINGS,
    *linear.LOWERINGS,
    *recurrent.LOWERINGS,
    *reduce.LOWERINGS,
    *selection.LOWERINGS,
    *shape.LOWERINGS,
    *slice.LOWERINGS,
    *window.LOWERINGS,
)
