"""Operators of a TFLite graph as a delegate sees them: operands and results, and which of them are constant."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from edgec.ledger.tflite.file import Operator, TFLiteFile, is_quantized, listed


@dataclass(frozen=True)
class Value:
    """A tensor: its element type by numpy's name, its shape with text for open dimensions, whether it is a constant."""

    dtype: str
    shape: tuple[int | str, ...]
    is_constant: bool = False
    is_quantized: bool = False


@dataclass(frozen=True)
class Use:
    """An operator: the builtin and its version, operands by parameter (repeated for a list), results."""

    op: str
    version: int
    operands: tuple[tuple[str, Value], ...]
    results: tuple[Value, ...]

    @property
    def data(self) -> list[Value]:
        """The operands that are not constant."""
        return [value for _, value in self.operands if not value.is_constant]

    @property
    def rank(self) -> int:
        """The highest rank of the operands and results."""
        return max(len(value.shape) for value in (*(v for _, v in self.operands), *self.results))

    def computes(self, *parameters: str) -> bool:
        """Whether one of these parameters is not a constant."""
        return any(name in parameters and not value.is_constant for name, value in self.operands)


_WEIGHTED = ("input", "filter", "bias")
_PARAMETERS = {
    **dict.fromkeys(("CONV_2D", "CONV_3D", "DEPTHWISE_CONV_2D"), _WEIGHTED),
    "FULLY_CONNECTED": ("input", "weights", "bias"),
    "TRANSPOSE_CONV": ("shape", "filter", "input", "bias"),
    **dict.fromkeys(("RESHAPE", "BROADCAST_TO"), ("input", "shape")),
    **dict.fromkeys(("PAD", "PADV2", "MIRROR_PAD"), ("input", "paddings")),
    "SLICE": ("input", "begin", "size"), "STRIDED_SLICE": ("input", "begin", "end", "strides"),
    "TRANSPOSE": ("input", "perm"), "TILE": ("input", "multiples"), "TOPK_V2": ("input", "k"),
    "FILL": ("dims", "value"), **dict.fromkeys(("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"), ("input", "size")),
    "RANGE": ("start", "limit", "delta"), "SCATTER_ND": ("indices", "updates", "shape"),
}  # fmt: skip
"""Names of the operands that delegates examine, in the order of a builtin's inputs."""


def uses(file: TFLiteFile) -> Iterator[tuple[Operator, Use]]:
    """The operators of a file's subgraphs that have operands and results; dequantized constants count as constants."""
    widened: set[tuple[int, int]] = set()
    for operator in file.operators:
        found = _use(file, operator, widened)
        if found.op == "DEQUANTIZE" and not found.data:
            widened.update((id(operator.graph), number) for number in listed(operator.table.outputs))
        if found.operands and found.results:
            yield operator, found


def _use(file: TFLiteFile, operator: Operator, widened: Collection[tuple[int, int]]) -> Use:
    names, tensors = _PARAMETERS.get(operator.name, ()), operator.graph.tensors
    operands = tuple(
        (names[k] if k < len(names) else f"x{k}", _value(file, tensors[i], (id(operator.graph), i) in widened))
        for k, i in enumerate(listed(operator.table.inputs))
        if 0 <= i < len(tensors)
    )
    results = tuple(_value(file, tensor) for tensor in operator.tensors(operator.table.outputs))
    return Use(operator.name, operator.version, operands, results)


def _value(file: TFLiteFile, tensor: Any, is_widened: bool = False) -> Value:
    shape = listed(tensor.shape) if tensor.shapeSignature is None else listed(tensor.shapeSignature)
    sizes = tuple(size if size >= 0 else "?" for size in shape)
    return Value(file.dtype(tensor).lower(), sizes, is_widened or file.is_constant(tensor), is_quantized(tensor))
