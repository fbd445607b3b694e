"""Write a program as a flatbuffer with the schema's object classes: without TensorFlow, and deterministically."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np

from edgec.backends.base import Array, Const, Instr, Operand, Program
from edgec.backends.tflite.blobs import Blobs
from edgec.backends.tflite.interface import Interface, channels_last_names, options_of
from edgec.backends.tflite.metadata import associated_files, entries
from edgec.backends.tflite.scales import Scales
from edgec.backends.tflite.versions import minimum_runtime, version_of
from edgec.diag import error
from edgec.spec.target import Target

IDENTIFIER = b"TFL3"
_OPTIONS = {
    "ADD": "AddOptions", "ARG_MAX": "ArgMaxOptions", "ARG_MIN": "ArgMinOptions", "AVERAGE_POOL_2D": "Pool2DOptions",
    "BATCH_MATMUL": "BatchMatMulOptions", "BROADCAST_TO": "BroadcastToOptions", "CAST": "CastOptions",
    "CONCATENATION": "ConcatenationOptions", "CONV_2D": "Conv2DOptions", "CONV_3D": "Conv3DOptions",
    "CONV_3D_TRANSPOSE": "Conv3DOptions",
    "CUMSUM": "CumsumOptions", "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions", "DEPTH_TO_SPACE": "DepthToSpaceOptions",
    "DIV": "DivOptions", "FULLY_CONNECTED": "FullyConnectedOptions", "GATHER": "GatherOptions", "GELU": "GeluOptions",
    "LEAKY_RELU": "LeakyReluOptions", "MAX_POOL_2D": "Pool2DOptions", "MEAN": "ReducerOptions",
    "MIRROR_PAD": "MirrorPadOptions", "MUL": "MulOptions", "ONE_HOT": "OneHotOptions", "REDUCE_MAX": "ReducerOptions",
    "REDUCE_MIN": "ReducerOptions", "REDUCE_PROD": "ReducerOptions", "RESHAPE": "ReshapeOptions",
    "REVERSE_SEQUENCE": "ReverseSequenceOptions",
    "RESIZE_BILINEAR": "ResizeBilinearOptions", "RESIZE_NEAREST_NEIGHBOR": "ResizeNearestNeighborOptions",
    "SHAPE": "ShapeOptions", "SQUEEZE": "SqueezeOptions",
    "SOFTMAX": "SoftmaxOptions", "SPACE_TO_DEPTH": "SpaceToDepthOptions", "SPLIT": "SplitOptions",
    "SPLIT_V": "SplitVOptions",
    "STRIDED_SLICE": "StridedSliceOptions", "SUB": "SubOptions", "SUM": "ReducerOptions",
    "TRANSPOSE_CONV": "TransposeConvOptions", "IF": "IfOptions", "WHILE": "WhileOptions",
}  # fmt: skip
"""The options table of each builtin that needs one; the fields are the instruction's attributes."""

_BLOCKS = {
    "IF": ("thenSubgraphIndex", "elseSubgraphIndex"),
    "WHILE": ("condSubgraphIndex", "bodySubgraphIndex"),
}
"""The fields that contain the indices of an instruction's subgraphs."""


def assemble(program: Program, target: Target, path: Path) -> None:
    """Write the `.tflite` file. Raises `EdgecError` E0502 if the schema's package is not installed."""
    schema, flatbuffers = libraries()
    sizes = {name: max(low, 1) for name, low, _ in program.dims}
    writer = _Writer(schema, target.numerics.weights.type == "float16", sizes, Scales(schema))
    model = writer.model(program)
    interface = Interface(
        {ref.name: ref.type.shape for ref in program.inputs},
        {name: operand.type.shape for name, operand in program.outputs},
    )
    runtime = minimum_runtime(program.every_instr(), outside=writer.blobs.outside)
    turned = channels_last_names(interface, target)
    for name, content in entries(interface, target, runtime, turned, program.name):
        writer.metadata(model, name, content)
    model.buffers = writer.blobs.tables(schema, outside=writer.blobs.outside)
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), IDENTIFIER)
    with path.open("wb") as file:
        writer.blobs.write(bytearray(builder.Output()), schema, file)
        file.write(associated_files(options_of(target).metadata))


def libraries() -> tuple[Any, Any]:
    """The schema's classes and the flatbuffers library. Raises `EdgecError` E0502."""
    try:
        import flatbuffers
        from ai_edge_litert import schema_py_generated as schema
    except ImportError as missing:
        raise error(
            "E0502", "LiteRT is not installed", notes=[str(missing)], help=["pip install 'edgec[tflite]'"]
        ) from missing
    return schema, flatbuffers


@dataclass
class _Writer:
    """Builds the schema's objects; buffers are written after them."""

    schema: Any
    half_weights: bool
    sizes: Mapping[str, int]
    """Initial sizes of open dimensions, until the app resizes them: the smallest, as kernels may not support less."""
    scales: Scales
    blobs: Blobs = field(default_factory=Blobs)
    tensors: list[Any] = field(default_factory=list)
    codes: list[Any] = field(default_factory=list)
    operators: list[Any] = field(default_factory=list)
    subgraphs: list[Any] = field(default_factory=list)
    _tensor_index: dict[str, int] = field(default_factory=dict)
    _code_index: dict[tuple[str, int, str], int] = field(default_factory=dict)

    def model(self, program: Program) -> Any:
        """The file as a `ModelT`."""
        self._subgraph(program)
        graph = self.subgraphs[0]
        model = self.schema.ModelT()
        model.version, model.description = 3, "edgec"
        model.operatorCodes, model.subgraphs = self.codes, self.subgraphs
        model.signatureDefs = [self._signature(program, graph.inputs, graph.outputs)]
        model.metadata = []
        return model

    def _subgraph(self, program: Program) -> int:
        """Add a subgraph and return its index. It has its own tensors; buffers and operator codes are shared."""
        graph = self.schema.SubGraphT()
        number = len(self.subgraphs)
        self.subgraphs.append(graph)
        outer = self.tensors, self.operators, self._tensor_index
        self.tensors, self.operators, self._tensor_index = [], [], {}
        graph.inputs = [self._value(ref) for ref in program.inputs]
        for instr in program.instrs:
            self._instr(instr)
        graph.outputs = [self._value(operand) for _, operand in program.outputs]
        graph.name, graph.tensors, graph.operators = program.name, self.tensors, self.operators
        self.tensors, self.operators, self._tensor_index = outer
        return number

    def metadata(self, model: Any, name: str, content: bytes) -> None:
        """Add a metadata entry."""
        entry = self.schema.MetadataT()
        entry.name, entry.buffer = name, self.blobs.add(np.frombuffer(content, dtype=np.uint8))
        model.metadata.append(entry)

    def _signature(self, program: Program, inputs: list[int], outputs: list[int]) -> Any:
        signature = self.schema.SignatureDefT()
        signature.signatureKey, signature.subgraphIndex = "serving_default", 0
        signature.inputs = [self._named(ref.name, i) for ref, i in zip(program.inputs, inputs, strict=True)]
        named = zip(program.outputs, outputs, strict=True)
        signature.outputs = [self._named(name, i) for (name, _), i in named]
        return signature

    def _named(self, name: str, index: int) -> Any:
        entry = self.schema.TensorMapT()
        entry.name, entry.tensorIndex = name, index
        return entry

    def _instr(self, instr: Instr) -> None:
        operator = self.schema.OperatorT()
        operator.opcodeIndex = self._code(instr)
        operator.inputs = [self._value(v) for v in instr.operands()]
        operator.outputs = [self._value(ref) for ref in instr.outputs]
        name = _OPTIONS.get(instr.op)
        if instr.op == "CUSTOM":
            operator.customOptions = list(cast("tuple[int, ...]", dict(instr.attrs)["customOptions"]))
        elif name is not None:
            operator.builtinOptionsType = getattr(self.schema.BuiltinOptions, name)
            operator.builtinOptions = self._options(name, instr)
        elif instr.attrs:
            raise AttributeError(f"the options of {instr.op} are not known: {instr.attrs}")
        self.operators.append(operator)

    def _options(self, name: str, instr: Instr) -> Any:
        options = getattr(self.schema, name + "T")()
        for key, value in instr.attrs:
            if not hasattr(options, key):
                raise AttributeError(f"{name} has no field {key}")
            setattr(options, key, list(value) if isinstance(value, tuple) else value)
        for key, block in zip(_BLOCKS.get(instr.op, ()), instr.blocks, strict=True):
            setattr(options, key, self._subgraph(block))
        if instr.op == "CAST":
            options.inDataType = self._type(instr.operands()[0].type.dtype)
            options.outDataType = self._type(instr.outputs[0].type.dtype)
        return options

    def _code(self, instr: Instr) -> int:
        custom = str(dict(instr.attrs)["customCode"]) if instr.op == "CUSTOM" else ""
        key = instr.op, version_of(instr), custom
        if key not in self._code_index:
            builtin = getattr(self.schema.BuiltinOperator, instr.op)
            code = self.schema.OperatorCodeT()
            code.builtinCode, code.deprecatedBuiltinCode = builtin, min(builtin, 127)
            code.version, code.customCode = key[1], custom or None
            self._code_index[key] = len(self.codes)
            self.codes.append(code)
        return self._code_index[key]

    def _value(self, operand: Operand) -> int:
        """The tensor index of an operand. Large float constants are stored in float16 if the target asks for it."""
        if operand.name in self._tensor_index:
            return self._tensor_index[operand.name]
        if isinstance(operand, Const):
            array = operand.numpy()
            if self.half_weights and _halves(array):
                return self._half(operand, array)
            held = packed(array) if operand.type.dtype == "int4" else array
            index = self._tensor(operand, self.blobs.add(held))
        else:
            index = self._tensor(operand, 0)
        self._tensor_index[operand.name] = index
        return index

    def _half(self, operand: Const, array: Array) -> int:
        """Add a float16 constant and its DEQUANTIZE, which runtimes fold."""
        buffer = self.blobs.add(array, np.dtype(np.float16))
        stored = self._tensor(operand, buffer, "float16", f"{operand.name}/float16")
        index = self._tensor(operand, 0)
        self._tensor_index[operand.name] = index
        operator = self.schema.OperatorT()
        operator.opcodeIndex = self._code(Instr("DEQUANTIZE", (), (), ()))
        operator.inputs, operator.outputs = [stored], [index]
        self.operators.append(operator)
        return index

    def _tensor(self, operand: Operand, buffer: int, dtype: str | None = None, name: str | None = None) -> int:
        tensor = self.schema.TensorT()
        dims = operand.type.shape
        tensor.name = name or operand.name
        tensor.shape = [d if isinstance(d, int) else self.sizes.get(d, 1) for d in dims]
        if any(not isinstance(d, int) for d in dims):
            tensor.shapeSignature = [d if isinstance(d, int) else -1 for d in dims]
        tensor.type, tensor.buffer, tensor.hasRank = self._type(dtype or operand.type.dtype), buffer, True
        if operand.type.quantization is not None:
            tensor.quantization = self.scales.table(operand.type.quantization)
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def _type(self, dtype: str) -> int:
        return int(getattr(self.schema.TensorType, dtype.upper()))


def packed(array: Array) -> Array:
    """4-bit values packed two per byte, the first in the low nibble."""
    flat = array.reshape(-1).astype(np.int8).view(np.uint8) & 0xF
    pairs = np.append(flat, np.zeros(flat.size % 2, np.uint8)).reshape(-1, 2)
    return np.asarray(pairs[:, 0] | pairs[:, 1] << 4, dtype=np.uint8)


_WORTH_HALVING = 32
"""Smaller constants (scalars, biases of a few channels) keep their type."""

_LARGEST_HALF = float(np.finfo(np.float16).max)


def _halves(array: Array) -> bool:
    """Whether a constant can be stored in float16: it is large and has no value beyond its range (like -3.4e38)."""
    if array.dtype != np.float32 or array.size < _WORTH_HALVING:
        return False
    return not bool((np.isfinite(array) & (np.abs(array) > _LARGEST_HALF)).any())
