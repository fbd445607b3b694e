"""Views of the channels-last operators: the private domain of a legalized TFLite graph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TypeVar

import onnx_ir as ir

from edgec.ir.kernels import Kernel, kernel_of
from edgec.ops.base import Op, Reader
from edgec.ops.conv import Conv, ConvTranspose
from edgec.ops.image import Resize
from edgec.ops.pool import AveragePool, MaxPool
from edgec.ops.shape import DepthToSpace, SpaceToDepth
from edgec.ops.table import view

NHWC = "edgec.nhwc"
"""The domain of operators on channels-last data. Weights keep ONNX's order; attributes are explicit."""


class ConvNHWC(Conv):
    """Conv on (N, spatial…, C)."""


class ConvTransposeNHWC(ConvTranspose):
    """ConvTranspose on (N, spatial…, C)."""


class MaxPoolNHWC(MaxPool):
    """MaxPool on (N, H, W, C)."""


class AveragePoolNHWC(AveragePool):
    """AveragePool on (N, H, W, C)."""


class ResizeNHWC(Resize):
    """Resize of (N, H, W, C) to `out_shape`."""


class DepthToSpaceNHWC(DepthToSpace):
    """DepthToSpace on (N, H, W, C)."""


class SpaceToDepthNHWC(SpaceToDepth):
    """SpaceToDepth on (N, H, W, C)."""


@dataclass(frozen=True, eq=False)
class CustomCall(Op):
    """A call of a custom kernel."""

    kernel: Kernel


OpT = TypeVar("OpT", bound=Op)


def _decoder(decode: Callable[[Reader], Op], kind: type[OpT]) -> Callable[[Reader], OpT]:
    def decode_as(r: Reader) -> OpT:
        plain = decode(r)
        return kind(**{f.name: getattr(plain, f.name) for f in fields(plain)})

    return decode_as


DECODERS: dict[str, Callable[[Reader], Op]] = {
    "Conv": _decoder(Conv.decode, ConvNHWC),
    "ConvTranspose": _decoder(ConvTranspose.decode, ConvTransposeNHWC),
    "MaxPool": _decoder(MaxPool.decode, MaxPoolNHWC),
    "AveragePool": _decoder(AveragePool.decode, AveragePoolNHWC),
    "Resize": _decoder(Resize.decode, ResizeNHWC),
    "DepthToSpace": _decoder(DepthToSpace.decode, DepthToSpaceNHWC),
    "SpaceToDepth": _decoder(SpaceToDepth.decode, SpaceToDepthNHWC),
}


def view_tflite(node: ir.Node) -> Op | None:
    """The view of a node of a legalized TFLite graph."""
    if node.domain == NHWC:
        return DECODERS[node.op_type](Reader(node))
    if (own := kernel_of(node)) is not None:
        return CustomCall(node, own[1])
    return view(node)
