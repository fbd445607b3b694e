"""Disassembly of a flatbuffer into a program, so that files of other emitters are costed and placed alike."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir

from edgec.backends.base import Array, Const, Instr, Operand, Program, Ref, TensorType

_WEIGHTED = ("input", "filter", "bias")
_NAMES = {
    "BATCH_MATMUL": ("a", "b"), "CONV_2D": _WEIGHTED, "CONV_3D": _WEIGHTED, "DEPTHWISE_CONV_2D": _WEIGHTED,
    "FULLY_CONNECTED": ("input", "weights", "bias"), "PAD": ("input", "paddings"), "RESHAPE": ("input", "shape"),
    "SLICE": ("input", "begin", "size"), "TRANSPOSE": ("input", "perm"),
    "TRANSPOSE_CONV": ("output_shape", "filter", "input", "bias"),
}  # fmt: skip
"""Operands that costs and placement need by name."""


def disassemble(model: Any, schema: Any, name: str) -> Program:
    """The first subgraph of a `ModelT` as a program, without attributes: costs and placement need none."""
    graph = model.subgraphs[0]
    opcodes = {v: k for k, v in vars(schema.BuiltinOperator).items() if isinstance(v, int)}
    dtypes = {v: k.lower() for k, v in vars(schema.TensorType).items() if isinstance(v, int)}
    operands = [_operand(i, tensor, model, dtypes) for i, tensor in enumerate(graph.tensors)]
    instrs = tuple(_instr(op, model.operatorCodes, opcodes, operands) for op in graph.operators)
    inputs = tuple(_ref(operands[i]) for i in graph.inputs)
    outputs = tuple((operands[i].name, operands[i]) for i in graph.outputs)
    return Program(name, inputs, instrs, outputs)


def _instr(op: Any, codes: Any, opcodes: dict[int, str], operands: list[Operand]) -> Instr:
    code = codes[op.opcodeIndex]
    kind = opcodes[max(code.builtinCode, code.deprecatedBuiltinCode)]
    names = _NAMES.get(kind, ())
    inputs = tuple(
        (names[k] if k < len(names) else f"x{k}", operands[i] if i >= 0 else None) for k, i in enumerate(op.inputs)
    )
    return Instr(kind, inputs, (), tuple(_ref(operands[i]) for i in op.outputs))


def _operand(number: int, tensor: Any, model: Any, dtypes: dict[int, str]) -> Operand:
    name = f"{tensor.name.decode()}.{number}"
    shape = [] if tensor.shape is None else [int(d) for d in tensor.shape]
    signature = shape if tensor.shapeSignature is None else [int(d) for d in tensor.shapeSignature]
    kind = TensorType(dtypes[tensor.type], tuple(d if d >= 0 else "?" for d in signature))
    data = model.buffers[tensor.buffer].data
    if data is None or len(data) == 0:
        return Ref(name, kind)
    return Const(name, kind, ir.Tensor(_content(data, kind.dtype, shape), name=name))


def _content(data: Any, dtype: str, shape: list[int]) -> Array:
    """The constant, without a copy; for types that numpy lacks, its bytes."""
    raw = np.asarray(data, dtype=np.uint8)
    try:
        return raw.view(np.dtype(dtype)).reshape(shape)
    except (TypeError, ValueError):
        return raw


def _ref(operand: Operand) -> Ref:
    """The value as a computed one; an output may be a constant."""
    return Ref(operand.name, operand.type)
