"""Core ML's dialect: MIL's operations under ONNX names, as of the oldest system of the target."""

from __future__ import annotations

from dataclasses import replace

from edgec.backends import control_flow
from edgec.backends.coreml.legality import (
    attention,
    channels,
    conv,
    dynamic,
    elementwise,
    gather,
    image,
    linear,
    recurrent,
    reduce,
    selection,
    shape,
    slice,
    window,
)
from edgec.backends.coreml.ops import view_coreml
from edgec.backends.coreml.options import CoreMLOptions
from edgec.backends.coreml.types import without_type
from edgec.backends.legality import dialect_of, no_objection
from edgec.dialect.base import Dialect
from edgec.spec.target import Target

SINCE_IOS15 = (
    *channels.FAMILIES,
    *control_flow.FAMILIES,
    *conv.FAMILIES,
    *dynamic.FAMILIES,
    *elementwise.FAMILIES,
    *gather.FAMILIES,
    *image.FAMILIES,
    *linear.FAMILIES,
    *recurrent.FAMILIES,
    *reduce.FAMILIES,
    *selection.FAMILIES,
    *shape.FAMILIES,
    *slice.FAMILIES,
)
SINCE_IOS18 = (*attention.FAMILIES, *window.FAMILIES)


def dialect(target: Target) -> Dialect:
    """The dialect of a legalized Core ML graph."""
    assert isinstance(target.options, CoreMLOptions)
    newer = () if target.options.is_before("iOS18") else SINCE_IOS18
    return dialect_of("coreml", (*SINCE_IOS15, *newer), target, view_coreml, without_type)


def on_the_way(target: Target) -> Dialect:
    """The dialect before the channels-first layout is applied, which supports attention in any form."""
    final = dialect(target)
    return (
        replace(final, ops=final.ops | {"Attention"}, predicates={**final.predicates, "Attention": no_objection})
        if takes_channels(target)
        else final
    )


def takes_channels(target: Target) -> bool:
    """Whether tokens, and attention on them, become channels-first."""
    assert isinstance(target.options, CoreMLOptions)
    return target.options.neural_engine == "on"
