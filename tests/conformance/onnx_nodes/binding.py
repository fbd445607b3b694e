"""Binds inputs that are parameters of an operator rather than data to the test's values, as constants."""

from __future__ import annotations

from dataclasses import replace

import onnx
from onnx import numpy_helper

from tests.conformance.onnx_nodes.cases import Case

LEVELS = ("parameters", "weights")
"""First the parameters of operators (axes, shapes, pads, counts), then trained weights as well."""

PARAMETERS: dict[str, tuple[int, ...]] = {
    "AffineGrid": (1,),
    "BlackmanWindow": (0,),
    "CenterCropPad": (1,),
    "Clip": (1, 2),
    "Col2Im": (1, 2),
    "ConstantOfShape": (0,),
    "ConvInteger": (2, 3),
    "CumProd": (1,),
    "CumSum": (1,),
    "DFT": (1, 2),
    "DequantizeLinear": (1, 2),
    "Dropout": (1, 2),
    "Expand": (1,),
    "HammingWindow": (0,),
    "HannWindow": (0,),
    "If": (0,),
    "Loop": (0, 1),
    "MatMulInteger": (2, 3),
    "MaxUnpool": (2,),
    "MelWeightMatrix": (0, 1, 2, 3, 4),
    "NonMaxSuppression": (2, 3, 4),
    "OneHot": (1, 2),
    "Pad": (1, 2, 3),
    "QLinearConv": (1, 2, 4, 5, 6, 7),
    "QLinearMatMul": (1, 2, 4, 5, 6, 7),
    "QuantizeLinear": (1, 2),
    "Range": (0, 1, 2),
    "Reshape": (1,),
    "Resize": (1, 2, 3),
    **dict.fromkeys(("ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean"), (1,)),
    **dict.fromkeys(("ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare"), (1,)),
    "RoiAlign": (2,),
    "STFT": (1, 2, 3),
    "SequenceAt": (1,),
    "SequenceErase": (1,),
    "SequenceInsert": (2,),
    "Slice": (1, 2, 3, 4),
    "Split": (1,),
    "SplitToSequence": (1,),
    "Squeeze": (1,),
    "Tile": (1,),
    "TopK": (1,),
    "Trilu": (1,),
    "Unsqueeze": (1,),
    "Upsample": (1,),
}

WEIGHTS: dict[str, tuple[int, ...]] = {
    "BatchNormalization": (1, 2, 3, 4),
    "CausalConvWithState": (1, 2),
    "Conv": (1, 2),
    "ConvInteger": (1,),
    "ConvTranspose": (1, 2),
    "DeformConv": (1, 3),
    "GRU": (1, 2, 3, 4),
    "Gather": (1,),
    "Gemm": (1, 2),
    "GroupNormalization": (1, 2),
    "InstanceNormalization": (1, 2),
    "LSTM": (1, 2, 3, 4, 7),
    "LayerNormalization": (1, 2),
    "MatMul": (1,),
    "PRelu": (1,),
    "QLinearConv": (3, 8),
    "QLinearMatMul": (3,),
    "RMSNormalization": (1,),
    "RNN": (1, 2, 3, 4),
    "RotaryEmbedding": (1, 2, 3),
}


def bind(case: Case, level: str) -> Case:
    """The case with its parameters (at level `weights`, its weights too) as initializers; unchanged if it has none."""
    names = _names(case.model, PARAMETERS)
    if level == "weights":
        names |= _names(case.model, WEIGHTS)
    bound = {n: case.inputs[n] for n in names & set(case.inputs) if hasattr(case.inputs[n], "dtype")}
    if not bound:
        return case
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    kept = [v for v in model.graph.input if v.name not in bound]
    del model.graph.input[:]
    model.graph.input.extend(kept)
    model.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in bound.items())
    return replace(case, model=model, inputs={n: v for n, v in case.inputs.items() if n not in bound})


def _names(model: onnx.ModelProto, table: dict[str, tuple[int, ...]]) -> set[str]:
    """The names that some node uses as a parameter."""
    found: set[str] = set()
    for node in model.graph.node:
        found |= {node.input[i] for i in table.get(node.op_type, ()) if i < len(node.input)}
    return found - {""}
