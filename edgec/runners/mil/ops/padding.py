"""Padding and output sizes of convolutions and pools.

The rules are those of coremltools' `aggregated_pad` and `spatial_dimensions_out_shape` (ops/defs/_utils.py).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Window:
    """A window over the spatial dimensions: kernel, strides and dilations, one entry for each dimension."""

    kernel: list[int]
    strides: list[int]
    dilations: list[int]

    def extent(self, i: int) -> int:
        """The extent of the kernel in dimension i, including dilation."""
        return (self.kernel[i] - 1) * self.dilations[i] + 1


def resolve_padding(pad_type: str, pad: list[int], size: list[int], window: Window) -> list[tuple[int, int]]:
    """(before, after) for each spatial dimension of a tensor of spatial `size`.

    For an odd total, `same` pads more at the end, `same_lower` at the beginning; both give ceil(size / stride) outputs.
    """
    rank = len(size)
    if pad_type == "custom":
        if len(pad) != 2 * rank:
            raise ValueError(f"{len(pad)} pads for {rank} dimensions")
        return [(pad[2 * i], pad[2 * i + 1]) for i in range(rank)]
    if pad_type == "valid":
        return [(0, 0)] * rank
    if pad_type not in ("same", "same_lower"):
        raise ValueError(f"pad type `{pad_type}`")
    result = []
    for i in range(rank):
        count = -(-size[i] // window.strides[i])
        total = max((count - 1) * window.strides[i] + window.extent(i) - size[i], 0)
        half = total // 2
        result.append((half, total - half) if pad_type == "same" else (total - half, half))
    return result


def output_size(size: int, pad: tuple[int, int], extent: int, stride: int, ceil_mode: bool) -> int:
    """The number of window positions. With `ceil_mode` the last window may start inside and end outside,
    but not start in the padding after the end."""
    span = size + pad[0] + pad[1] - extent
    if not ceil_mode:
        return span // stride + 1
    count = (span + stride - 1) // stride + 1
    if (count - 1) * stride >= size + pad[0] and (pad[0] > 0 or pad[1] > 0):
        count -= 1
    return count
