"""Normalizations that show more than MIL's operation gives."""

from __future__ import annotations

import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.rules.base import NOT_HERE, Miss, Replacement
from edgec.rules.decompose.normalizations import LayerNormToReduce, statistics_are_used


class LayerNormWithStatistics(LayerNormToReduce):
    """LayerNormalization whose mean or deviation is used -> reductions."""

    name = "layer-norm-with-statistics"

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        return super().apply(node, g) if statistics_are_used(node) else NOT_HERE
