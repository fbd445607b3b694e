"""The ledger of ONNX files for TensorRT's parser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from onnx import TensorProto

from edgec.diag import Severity
from edgec.ledger.row import Breach, Row
from edgec.ledger.tensorrt import operators
from edgec.ledger.tensorrt.file import PARSER, OnnxFile, lacking, where

_GUIDE = "NVIDIA, TensorRT, ONNX Opset Guide"
_OPERATORS = "onnx-tensorrt, docs/operators.md"
_FIRST_OPSET, _LAST_OPSET = 9, 25
_HIGHEST_RANK = 8
_LARGEST_K = 3840

UNKNOWN = frozenset(
    """
    AffineGrid Bernoulli BitCast BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor CenterCropPad Col2Im Compress
    ConcatFromSequence ConvInteger CumProd DFT DeformConv Det DynamicQuantizeLinear ImageDecoder MatMulInteger
    MaxRoiPool MaxUnpool MelWeightMatrix Multinomial NegativeLogLikelihoodLoss Optional OptionalGetElement
    OptionalHasElement QLinearConv QLinearMatMul RegexFullMatch SequenceAt SequenceConstruct SequenceEmpty
    SequenceErase SequenceInsert SequenceLength SequenceMap SoftmaxCrossEntropyLoss SplitToSequence StringConcat
    StringNormalizer StringSplit SwiGLU TfIdfVectorizer Unique
    """.split()
)
"""ONNX operators that the parser does not know, by `OnnxParser.supports_operator` of TensorRT-RTX 1.7.1."""


def _opset(file: OnnxFile) -> Iterator[Breach]:
    for entry in file.model.opset_import:
        if entry.domain in ("", "ai.onnx") and not _FIRST_OPSET <= entry.version <= _LAST_OPSET:
            yield Breach("", f"opset {entry.version}")


def _operators(file: OnnxFile) -> Iterator[Breach]:
    for node in file.nodes():
        if node.domain in ("", "ai.onnx") and node.op_type in UNKNOWN:
            yield Breach(where(node), f"`{node.op_type}`")


def _domains(file: OnnxFile) -> Iterator[Breach]:
    own = {(function.domain, function.name) for function in file.model.functions}
    for node in file.nodes():
        if node.domain not in ("", "ai.onnx") and (node.domain, node.op_type) not in own:
            yield Breach(where(node), f"`{node.domain}::{node.op_type}`")


def _types(file: OnnxFile) -> Iterator[Breach]:
    values = [(v.name, v.type.tensor_type.elem_type) for v in file.values]
    for name, kind in (*values, *((t.name, t.data_type) for t in file.constants.values())):
        if told := lacking(kind):
            yield Breach(f"`{name[:80]}`", told)


def _doubles(file: OnnxFile) -> Iterator[Breach]:
    found = [v.name for v in file.values if v.type.tensor_type.elem_type == TensorProto.DOUBLE]
    found += [t.name for t in file.constants.values() if t.data_type == TensorProto.DOUBLE]
    yield from (Breach(f"`{name[:80]}`", "double") for name in dict.fromkeys(found))


def _ranks(file: OnnxFile) -> Iterator[Breach]:
    for value in file.values:
        rank = len(value.type.tensor_type.shape.dim)
        if rank > _HIGHEST_RANK:
            yield Breach(f"`{value.name[:80]}`", f"{rank} dimensions")


def _order(file: OnnxFile) -> Iterator[Breach]:
    yield from _unordered(file.model.graph, set())


def _unordered(graph: Any, outer: set[str]) -> Iterator[Breach]:
    known = outer | {v.name for v in graph.input} | {t.name for t in graph.initializer} | {""}
    known |= {t.values.name for t in graph.sparse_initializer}
    for node in graph.node:
        yield from (Breach(where(node), f"it takes `{name[:80]}`") for name in node.input if name not in known)
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs) if attribute.HasField("g") else attribute.graphs:
                yield from _unordered(inner, known)
        known.update(node.output)
    yield from (Breach("outputs", f"`{v.name[:80]}`") for v in graph.output if v.name not in known)


def _once(file: OnnxFile) -> Iterator[Breach]:
    for graph in file.graphs:
        seen: set[str] = set()
        for name in (name for node in graph.node for name in node.output if name):
            if name in seen:
                yield Breach(f"`{name[:80]}`", "two nodes make it")
            seen.add(name)


def _outside(file: OnnxFile) -> Iterator[Breach]:
    folder = file.path.resolve().parent
    for tensor in file.constants.values():
        if tensor.data_location != TensorProto.EXTERNAL:
            continue
        entries = {entry.key: entry.value for entry in tensor.external_data}
        path = (folder / entries.get("location", "")).resolve()
        start, length = int(entries.get("offset", 0)), int(entries.get("length", 0))
        if not path.is_relative_to(folder) or not path.is_file():
            yield Breach(f"`{tensor.name[:80]}`", f"`{entries.get('location', '')[:80]}` is not next to the file")
        elif start + length > path.stat().st_size:
            yield Breach(f"`{tensor.name[:80]}`", f"{length} bytes at {start} of {path.stat().st_size}")


def _scatters(file: OnnxFile) -> Iterator[Breach]:
    for node in file.nodes():
        reductions = [a.s.decode(errors="replace") for a in node.attribute if a.name == "reduction"]
        if node.op_type in ("ScatterND", "ScatterElements") and reductions and reductions[0] != "none":
            yield Breach(where(node), f"reduction `{reductions[0]}`")


def _zero_points(file: OnnxFile) -> Iterator[Breach]:
    for node in file.nodes():
        if node.op_type in ("QuantizeLinear", "DequantizeLinear") and len(node.input) > 2:
            zero = file.constant(node.input[2])
            if zero is not None and np.any(np.asarray(zero, dtype=np.float64)):
                yield Breach(where(node), f"zero point {np.asarray(zero).reshape(-1)[:3].tolist()}")


def _most_k(file: OnnxFile) -> Iterator[Breach]:
    for node in file.nodes():
        k = file.constant(node.input[1]) if node.op_type == "TopK" and len(node.input) > 1 else None
        if k is not None and int(k.reshape(-1)[0]) > _LARGEST_K:
            yield Breach(where(node), f"k is {int(k.reshape(-1)[0])}")


def _pool_places(file: OnnxFile) -> Iterator[Breach]:
    for node in file.nodes():
        if node.op_type == "MaxPool" and len(node.output) > 1 and node.output[1]:
            yield Breach(where(node), "its output `Indices` is used")


ROWS: tuple[Row[OnnxFile], ...] = (
    Row(
        "onnx-opset",
        f"the opset is {_FIRST_OPSET} to {_LAST_OPSET}",
        PARSER,
        f"{_GUIDE}, Minimum and Maximum opset; TensorRT-RTX 1.7 reads some others",
        _opset,
        severity=Severity.WARNING,
    ),
    Row(
        "onnx-operator",
        "the parser knows the operator",
        PARSER,
        "OnnxParser.supports_operator of version 1.7.1",
        _operators,
    ),
    Row(
        "onnx-domain",
        "an operator outside ONNX is a function of the file, or a plugin",
        PARSER,
        f"{_GUIDE}: unsupported operators",
        _domains,
    ),
    Row(
        "onnx-type",
        "every element type is one that TensorRT supports",
        PARSER,
        f"{_OPERATORS}: TensorRT supports the following ONNX data types",
        _types,
    ),
    Row(
        "onnx-double",
        "nothing is double",
        PARSER,
        f"{_OPERATORS}: DOUBLE is cast down to FLOAT, clamping values",
        _doubles,
        severity=Severity.WARNING,
    ),
    Row(
        "onnx-rank",
        f"a value has at most {_HIGHEST_RANK} dimensions",
        "TensorRT",
        "TensorRT, NvInferRuntimeBase.h, Dims::MAX_DIMS",
        _ranks,
    ),
    Row(
        "onnx-order",
        "nodes are topologically sorted, and outputs are computed",
        PARSER,
        "onnx.proto3, GraphProto.node: topologically sorted",
        _order,
    ),
    Row(
        "onnx-once",
        "a value is the output of one node",
        PARSER,
        "onnx.proto3, GraphProto: names of outputs are unique (SSA)",
        _once,
    ),
    Row(
        "onnx-outside",
        "external data are next to the file, and complete",
        PARSER,
        "ONNX, docs/ExternalData.md: location is relative to the model's file",
        _outside,
    ),
    Row(
        "scatter-reduction",
        "a scatter has no reduction",
        PARSER,
        f"{_OPERATORS}, ScatterND; seen with TensorRT-RTX 1.7",
        _scatters,
    ),
    Row(
        "quantize-zero-point",
        "a quantizer's zero point is 0",
        PARSER,
        f"{_OPERATORS}, QuantizeLinear: y_zero_point must be 0",
        _zero_points,
    ),
    Row(
        "topk-k",
        f"the k of TopK is at most {_LARGEST_K}",
        "TensorRT",
        "TensorRT, NvInfer.h, addTopK: k must be at most 3840",
        _most_k,
    ),
    Row(
        "pool-places",
        "MaxPool has one output",
        PARSER,
        f"{_OPERATORS}, MaxPool: Indices output tensor unsupported",
        _pool_places,
    ),
    *operators.ROWS,
)
