"""Samplings of an image that MIL's `resample` does not compute."""

from __future__ import annotations

import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ops.base import Reader
from edgec.ops.image import GridSample
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement
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
    examples = (
        Example(
            "float[1,1,2,2,2] x, float[1,1,1,1,3] z",
            'y = GridSample<mode = "nearest", padding_mode = "border">(x, z)',
            "t = Reshape(z, c)  v = Gather<axis = 2>(t, d)  o = Add(v, e)  k = Mul(o, f)  l = Sub(k, g)  "
            "m = Gather<axis = 2>(t, h)  n = Add(m, p)  aa = Mul(n, q)  ab = Sub(aa, r)  "
            "ac = Gather<axis = 2>(t, s)  ad = Add(ac, w)  ae = Mul(ad, c0)  af = Sub(ae, c1)  ag = Round(l)  "
            "ah = Clip(ag, c2, c3)  ai = Round(ab)  aj = Clip(ai, c4, c5)  ak = Round(af)  "
            "al = Clip(ak, c6, c7)  am = Reshape(x, c8)  an = Clip(ah, c9, c10)  ao = Cast<to = 6>(an)  "
            "ap = Clip(aj, c11, c12)  aq = Cast<to = 6>(ap)  ar = Clip(al, c13, c14)  at = Cast<to = 6>(ar)  "
            "au = Mul(ao, c15)  av = Add(au, aq)  aw = Mul(av, c16)  ax = Add(aw, at)  ay = Reshape(ax, c17)  "
            "az = Gather<axis = 1>(am, ay)  ba = Reshape(az, c18)  y = Reshape(ba, c19)",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        return NOT_HERE if is_resample(GridSample.decode(Reader(node))) else super().apply(node, g)
