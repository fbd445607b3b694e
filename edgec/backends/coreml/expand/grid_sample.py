"""Samplings of an image that MIL's `resample` does not compute."""

from __future__ import annotations

import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ops.base import Reader
from edgec.ops.image import GridSample
from edgec.rules.base import NOT_HERE, Miss, Replacement
from edgec.rules.decompose.grid_sample import GridSampleToGather

MODES = {"linear": "bilinear", "nearest": "nearest"}
"""MIL's names."""


def is_resample(op: GridSample) -> bool:
    """Whether `resample` computes exactly this: two dimensions, not cubic."""
    return op.mode in MODES and len(op.x.shape or ()) == 4


def padding(op: GridSample) -> str:
    """MIL's name of what lies outside: ONNX reflects about the outer pixels' centres, or about their edges."""
    if op.padding == "reflection":
        return "reflection" if op.align_corners else "symmetric"
    return {"zeros": "constant", "border": "border"}[op.padding]


class UnsupportedGridSampleToGather(GridSampleToGather):
    """GridSample without an exact MIL operation -> Gather of each neighbouring pixel, weighted and added."""

    name = "unsupported-grid-sample-to-gather"

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        return NOT_HERE if is_resample(GridSample.decode(Reader(node))) else super().apply(node, g)
