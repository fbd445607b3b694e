"""Rows about a file's tables: valid indices, a topological order, constants of the right size."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from math import prod
from typing import Any

from edgec.ledger.row import Breach, Row
from edgec.ledger.tflite.file import SIZES, TFLiteFile, buffer_size, listed, text

_MODEL = "LiteRT, tflite/core/interpreter_builder.cc"
_SUBGRAPH = "LiteRT, tflite/core/subgraph.cc"
_SCHEMA = "LiteRT, tflite/converter/schema/schema.fbs"
_VERSION = 3


def _name(tensor: Any) -> str:
    return f"tensor `{text(tensor.name)[:80]}`"


def _tensors(file: TFLiteFile) -> Iterator[Any]:
    for graph in file.graphs:
        yield from graph.tensors or ()


def _version(file: TFLiteFile) -> Iterator[Breach]:
    if file.model.version != _VERSION:
        yield Breach("", f"schema version {file.model.version}")


def _graphs(file: TFLiteFile) -> Iterator[Breach]:
    if not file.graphs:
        yield Breach("", "there is no subgraph")


def _buffer_zero(file: TFLiteFile) -> Iterator[Breach]:
    buffers = list(file.model.buffers or ())
    if not buffers or buffer_size(buffers[0]):
        yield Breach("", f"{buffer_size(buffers[0])} bytes in buffer 0" if buffers else "there are no buffers")


def _buffer_number(file: TFLiteFile) -> Iterator[Breach]:
    count = len(file.model.buffers or ())
    for tensor in _tensors(file):
        if not 0 <= tensor.buffer < count:
            yield Breach(_name(tensor), f"buffer {tensor.buffer} of {count}")


def _buffer_place(file: TFLiteFile) -> Iterator[Breach]:
    for i, buffer in enumerate(file.model.buffers or ()):
        if buffer.data is None and buffer.offset > 1 and buffer.offset + buffer.size > len(file.content):
            yield Breach(f"buffer {i}", f"{buffer.size} bytes at {buffer.offset}, the file has {len(file.content)}")


def _constant_size(file: TFLiteFile) -> Iterator[Breach]:
    for tensor in _tensors(file):
        size = SIZES.get(file.dtype(tensor))
        if size is None or tensor.sparsity is not None or not file.is_constant(tensor):
            continue
        shape = listed(tensor.shape)
        held = buffer_size(file.model.buffers[tensor.buffer])
        if held != prod(shape) * size:
            yield Breach(
                _name(tensor), f"{held} bytes, {shape} of {file.dtype(tensor).lower()} are {prod(shape) * size}"
            )


def _types(file: TFLiteFile) -> Iterator[Breach]:
    for tensor in _tensors(file):
        if tensor.type not in file.types:
            yield Breach(_name(tensor), f"type {tensor.type}")


def _shapes(file: TFLiteFile) -> Iterator[Breach]:
    for tensor in _tensors(file):
        shape, signature = listed(tensor.shape), listed(tensor.shapeSignature)
        if any(size < 0 for size in shape):
            yield Breach(_name(tensor), f"shape {shape}")
        elif signature and (len(signature) != len(shape) or any(size < -1 for size in signature)):
            yield Breach(_name(tensor), f"shape {shape}, signature {signature}")


def _quantization(file: TFLiteFile) -> Iterator[Breach]:
    for tensor in _tensors(file):
        q, shape = tensor.quantization, listed(tensor.shape)
        scales = [] if q is None or q.scale is None else list(q.scale)
        if not scales:
            continue
        zeros, axis = ([] if q.zeroPoint is None else list(q.zeroPoint)), int(q.quantizedDimension)
        if len(scales) > 1 and (not 0 <= axis < len(shape) or shape[axis] != len(scales)):
            yield Breach(_name(tensor), f"{len(scales)} scales along dimension {axis} of {shape}")
        elif zeros and len(zeros) not in (1, len(scales)):
            yield Breach(_name(tensor), f"{len(scales)} scales and {len(zeros)} zero points")


def _variables(file: TFLiteFile) -> Iterator[Breach]:
    for tensor in _tensors(file):
        if tensor.isVariable and file.is_constant(tensor):
            yield Breach(_name(tensor), "it is a variable with data")


def _codes(file: TFLiteFile) -> Iterator[Breach]:
    count = len(file.model.operatorCodes or ())
    for graph in file.graphs:
        for i, operator in enumerate(graph.operators or ()):
            if not 0 <= operator.opcodeIndex < count:
                yield Breach(f"operator {i}", f"code {operator.opcodeIndex} of {count}")


def _operands(file: TFLiteFile) -> Iterator[Breach]:
    for op in file.operators:
        count = len(op.graph.tensors or ())
        for i in listed(op.table.inputs):
            if not -1 <= i < count:
                yield Breach(op.where, f"input tensor {i} of {count}")
        for i in listed(op.table.outputs):
            if not 0 <= i < count:
                yield Breach(op.where, f"output tensor {i} of {count}")


def _order(file: TFLiteFile) -> Iterator[Breach]:
    made: dict[int, set[int]] = {}
    for graph in file.graphs:
        own = set(listed(graph.inputs))
        own |= {i for i, t in enumerate(graph.tensors or ()) if file.is_constant(t) or t.isVariable}
        made[id(graph)] = own
    everything = {id(g): {i for o in g.operators or () for i in listed(o.outputs)} for g in file.graphs}
    for op in file.operators:
        known = made[id(op.graph)]
        for i in listed(op.table.inputs):
            if i >= 0 and i not in known and i in everything[id(op.graph)]:
                yield Breach(op.where, f"it uses tensor {i}, which a later operator computes")
        known.update(listed(op.table.outputs))


def _data(file: TFLiteFile) -> Iterator[Breach]:
    """Tensors that are used but never defined: no input, no constant, no operator's output."""
    for graph in file.graphs:
        known = set(listed(graph.inputs)) | {i for o in graph.operators or () for i in listed(o.outputs)}
        for i in [i for o in graph.operators or () for i in listed(o.inputs)] + listed(graph.outputs):
            if not 0 <= i < len(graph.tensors or ()) or i in known:
                continue
            tensor = graph.tensors[i]
            empty = 0 in listed(tensor.shape) or file.dtype(tensor) in ("RESOURCE", "VARIANT")
            if not file.is_constant(tensor) and not tensor.isVariable and not empty:
                yield Breach(_name(tensor), "it is not an input, a constant or an operator's output")
                known.add(i)


def _made_once(file: TFLiteFile) -> Iterator[Breach]:
    for graph in file.graphs:
        counts = Counter(i for o in graph.operators or () for i in listed(o.outputs))
        for i, count in counts.items():
            if count > 1 and 0 <= i < len(graph.tensors):
                yield Breach(_name(graph.tensors[i]), f"it is the output of {count} operators")
            elif 0 <= i < len(graph.tensors) and file.is_constant(graph.tensors[i]):
                yield Breach(_name(graph.tensors[i]), "it is an operator's output and a constant")


def _interface(file: TFLiteFile) -> Iterator[Breach]:
    for number, graph in enumerate(file.graphs):
        count = len(graph.tensors or ())
        for kind, indices in (("input", graph.inputs), ("output", graph.outputs)):
            yield from (
                Breach(f"subgraph {number}", f"{kind} {i} of {count} tensors")
                for i in listed(indices)
                if not 0 <= i < count
            )
    if file.graphs and not listed(file.graphs[0].outputs):
        yield Breach("subgraph 0", "it gives nothing")


def _signatures(file: TFLiteFile) -> Iterator[Breach]:
    for signature in file.model.signatureDefs or ():
        key = f"signature `{text(signature.signatureKey)}`"
        if not 0 <= signature.subgraphIndex < len(file.graphs):
            yield Breach(key, f"subgraph {signature.subgraphIndex} of {len(file.graphs)}")
            continue
        graph = file.graphs[signature.subgraphIndex]
        for kind, entries, own in (
            ("input", signature.inputs, graph.inputs),
            ("output", signature.outputs, graph.outputs),
        ):
            names = Counter(text(entry.name) for entry in entries or ())
            yield from (Breach(key, f"{kind} `{name[:80]}` is repeated") for name, count in names.items() if count > 1)
            outside = [text(e.name) for e in entries or () if e.tensorIndex not in listed(own)]
            yield from (Breach(key, f"{kind} `{name[:80]}` is not one of the subgraph's") for name in outside)


def _blocks(file: TFLiteFile) -> Iterator[Breach]:
    """The subgraphs of branches and loops must have as many inputs and outputs as the operator."""
    for op in file.operators:
        options = op.table.builtinOptions
        fields = _BLOCKS.get(op.name)
        if fields is None or options is None:
            continue
        for field in fields:
            number = getattr(options, field, -1)
            if not 0 < number < len(file.graphs):
                yield Breach(op.where, f"subgraph {number} of {len(file.graphs)}")
                continue
            graph, given = file.graphs[number], len(listed(op.table.inputs)) - (op.name == "IF")
            wanted = 1 if field == "condSubgraphIndex" else len(listed(op.table.outputs))
            if (len(listed(graph.inputs)), len(listed(graph.outputs))) != (given, wanted):
                yield Breach(
                    op.where,
                    f"subgraph {number} has {len(listed(graph.inputs))} inputs, {len(listed(graph.outputs))} outputs",
                )


_BLOCKS = {
    "IF": ("thenSubgraphIndex", "elseSubgraphIndex"),
    "WHILE": ("condSubgraphIndex", "bodySubgraphIndex"),
}

ROWS: tuple[Row[TFLiteFile], ...] = (
    Row(
        "schema-version",
        f"the schema's version is {_VERSION}",
        "the runtime",
        f"{_MODEL}: provided is schema version",
        _version,
    ),
    Row("subgraph-some", "there is a subgraph", "the runtime", f"{_MODEL}: No subgraph in the model", _graphs),
    Row(
        "buffer-zero", "buffer 0 is empty", "the runtime", f"{_SCHEMA}: the 0th entry is an empty buffer", _buffer_zero
    ),
    Row(
        "buffer-number",
        "a tensor's buffer exists",
        "the runtime",
        f"{_MODEL}: buffer index out of range",
        _buffer_number,
    ),
    Row(
        "buffer-place",
        "a buffer is inside the file",
        "the runtime",
        f"{_MODEL}: Constant buffer is out of bounds",
        _buffer_place,
    ),
    Row(
        "constant-size",
        "a constant has the size of its shape",
        "the runtime",
        f"{_SUBGRAPH}: bytes required",
        _constant_size,
    ),
    Row(
        "tensor-type",
        "a tensor's element type is known",
        "the runtime",
        f"{_SCHEMA}, TensorType: Unsupported data type",
        _types,
    ),
    Row(
        "tensor-shape",
        "sizes are non-negative, and a shape signature has the same rank",
        "the runtime",
        f"{_SCHEMA}, Tensor.shape_signature",
        _shapes,
    ),
    Row(
        "quantization",
        "the numbers of scales and zero points fit their dimension",
        "the runtime",
        f"{_MODEL}, ParseQuantization",
        _quantization,
    ),
    Row(
        "variable-content",
        "a variable has no data",
        "the runtime",
        f"{_MODEL}: is a variable tensor with buffer",
        _variables,
    ),
    Row(
        "operator-code",
        "an operator's code exists",
        "the runtime",
        f"{_MODEL}: Missing registration for opcode_index",
        _codes,
    ),
    Row(
        "operator-tensors",
        "an operator's tensors exist",
        "the runtime",
        f"{_SUBGRAPH}: Invalid tensor index",
        _operands,
    ),
    Row(
        "operator-order",
        "operators are topologically sorted",
        "the runtime",
        f"{_SUBGRAPH}: Input tensor lacks data",
        _order,
    ),
    Row(
        "tensor-data",
        "every used tensor and output is an input, a constant or computed",
        "the runtime",
        f"{_SUBGRAPH}: Input tensor lacks data",
        _data,
    ),
    Row(
        "tensor-once",
        "a tensor is the output of at most one operator, and then not a constant",
        "the runtime",
        f"{_SCHEMA}, Operator.outputs",
        _made_once,
    ),
    Row(
        "interface-tensors",
        "inputs and outputs are valid tensors, and there is an output",
        "the runtime",
        f"{_SUBGRAPH}, SetInputs and SetOutputs",
        _interface,
    ),
    Row(
        "signature-tensors",
        "a signature names its subgraph's inputs and outputs, each once",
        "the runtime",
        f"{_MODEL}, ParseSignatureDefs",
        _signatures,
    ),
    Row(
        "control-flow",
        "the subgraphs of branches and loops fit their operator",
        "the runtime",
        "LiteRT, tflite/kernels/if.cc and while.cc, Prepare",
        _blocks,
    ),
)
