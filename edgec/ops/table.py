"""The table of decoders by operator, and `view`, which decodes a node."""

from __future__ import annotations

from collections.abc import Callable

import onnx_ir as ir

from edgec.ops import control, conv, elementwise, gather, image, linear, norm, pool, quantize, recurrent, reduce, shape
from edgec.ops.base import Op, Reader

Decoder = Callable[[Reader], Op]

DECODERS: dict[str, Decoder] = {
    **dict.fromkeys(elementwise.UNARY, elementwise.Unary.decode),
    **dict.fromkeys(elementwise.BINARY, elementwise.Binary.decode),
    **dict.fromkeys(elementwise.VARIADIC, elementwise.Variadic.decode),
    **dict.fromkeys(elementwise.ACTIVATIONS, elementwise.Activation.decode),
    **dict.fromkeys(reduce.REDUCTIONS, reduce.Reduce.decode),
    **dict.fromkeys(("Softmax", "LogSoftmax", "Hardmax"), norm.Softmax.decode),
    **dict.fromkeys(("ArgMax", "ArgMin"), reduce.ArgReduce.decode),
    **dict.fromkeys(("LSTM", "GRU", "RNN"), recurrent.Recurrent.decode),
    "Attention": linear.Attention.decode,
    "AveragePool": pool.AveragePool.decode,
    "BatchNormalization": norm.BatchNormalization.decode,
    "BitShift": elementwise.BitShift.decode,
    "Cast": elementwise.Cast.decode,
    "Clip": elementwise.Clip.decode,
    "Concat": shape.Concat.decode,
    "Constant": shape.Constant.decode,
    "ConstantOfShape": shape.ConstantOfShape.decode,
    "Conv": conv.Conv.decode,
    "ConvTranspose": conv.ConvTranspose.decode,
    "CumSum": reduce.CumSum.decode,
    "DepthToSpace": shape.DepthToSpace.decode,
    "DequantizeLinear": quantize.DequantizeLinear.decode,
    "Einsum": linear.Einsum.decode,
    "Expand": shape.Expand.decode,
    "Flatten": shape.Flatten.decode,
    "Gather": gather.Gather.decode,
    "GatherElements": gather.GatherElements.decode,
    "GatherND": gather.GatherND.decode,
    "Gelu": elementwise.Gelu.decode,
    "Gemm": linear.Gemm.decode,
    "GridSample": image.GridSample.decode,
    "GroupNormalization": norm.GroupNormalization.decode,
    "If": control.If.decode,
    "InstanceNormalization": norm.InstanceNormalization.decode,
    "IsInf": elementwise.IsInf.decode,
    "LRN": norm.LRN.decode,
    "LayerNormalization": norm.LayerNormalization.decode,
    "Loop": control.Loop.decode,
    "LpNormalization": norm.LpNormalization.decode,
    "LpPool": pool.LpPool.decode,
    "MatMul": linear.MatMul.decode,
    "MaxPool": pool.MaxPool.decode,
    "Mod": elementwise.Mod.decode,
    "NonMaxSuppression": gather.NonMaxSuppression.decode,
    "NonZero": gather.NonZero.decode,
    "OneHot": gather.OneHot.decode,
    "Pad": shape.Pad.decode,
    "QuantizeLinear": quantize.QuantizeLinear.decode,
    "RMSNormalization": norm.RMSNormalization.decode,
    "Range": shape.Range.decode,
    "Reshape": shape.Reshape.decode,
    "Resize": image.Resize.decode,
    "ReverseSequence": shape.ReverseSequence.decode,
    "Scan": control.Scan.decode,
    "ScatterElements": gather.ScatterElements.decode,
    "ScatterND": gather.ScatterND.decode,
    "Shape": shape.Shape.decode,
    "Shrink": elementwise.Shrink.decode,
    "Slice": shape.Slice.decode,
    "SpaceToDepth": shape.SpaceToDepth.decode,
    "Split": shape.Split.decode,
    "Squeeze": shape.Squeeze.decode,
    "Tile": shape.Tile.decode,
    "TopK": reduce.TopK.decode,
    "Transpose": shape.Transpose.decode,
    "Trilu": shape.Trilu.decode,
    "Unsqueeze": shape.Unsqueeze.decode,
    "Where": elementwise.Where.decode,
}


def view(node: ir.Node) -> Op | None:
    """The node's decoded view, or None if edgec has no view of the operator.

    Raises `EdgecError` E0301 if the node violates its operator's definition.
    """
    decoder = DECODERS.get(node.op_type) if node.domain == "" else None
    return None if decoder is None else decoder(Reader(node))
