"""The view for the ledger's rows: an ONNX file, without loading its external data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import onnx
from google.protobuf.message import DecodeError
from onnx import TensorProto, helper, numpy_helper

from edgec.diag import error
from edgec.diag.foreign import said

PARSER = "TensorRT-RTX 1.7's ONNX parser"
TYPES = frozenset(
    """
    UNDEFINED FLOAT FLOAT16 BFLOAT16 DOUBLE INT8 UINT8 INT32 INT64 BOOL FLOAT8E4M3FN INT4 FLOAT4E2M1
    """.split()
)
"""Element types that the parser supports, by ONNX's names; tested with a cast to each."""


@dataclass(frozen=True, eq=False)
class OnnxFile:
    """An ONNX file, without its external data."""

    path: Path
    model: Any

    @cached_property
    def graphs(self) -> tuple[Any, ...]:
        """The main graph and its subgraphs."""
        return tuple(_graphs(self.model.graph))

    @cached_property
    def constants(self) -> dict[str, Any]:
        """Initializers by name."""
        return {t.name: t for graph in self.graphs for t in graph.initializer}

    def constant(self, name: str) -> Any:
        """A small constant's array, or None."""
        tensor = self.constants.get(name)
        if tensor is None or tensor.data_location == TensorProto.EXTERNAL:
            return None
        return numpy_helper.to_array(tensor)

    @cached_property
    def values(self) -> tuple[Any, ...]:
        """Values with a type: inputs, outputs, and those that shape inference annotated."""
        return tuple(v for g in self.graphs for v in (*g.input, *g.output, *g.value_info))

    @cached_property
    def inputs(self) -> frozenset[str]:
        """The names of inputs that are set at run time."""
        return frozenset(v.name for v in self.model.graph.input) - self.constants.keys()

    @cached_property
    def _typed(self) -> dict[str, Any]:
        return {v.name: v.type.tensor_type for v in self.values}

    def element_type(self, name: str) -> int:
        """A value's `TensorProto.DataType`; 0 if the file does not declare it."""
        if name in self.constants:
            return int(self.constants[name].data_type)
        return int(self._typed[name].elem_type) if name in self._typed else 0

    def rank(self, name: str) -> int | None:
        """A value's rank; None if the file does not declare it."""
        if name in self.constants:
            return len(self.constants[name].dims)
        kind = self._typed.get(name)
        return len(kind.shape.dim) if kind is not None and kind.HasField("shape") else None

    def nodes(self) -> Iterator[Any]:
        """The nodes of all graphs."""
        for graph in self.graphs:
            yield from graph.node


def _graphs(graph: Any) -> Iterator[Any]:
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs) if attribute.HasField("g") else attribute.graphs:
                yield from _graphs(inner)


def read_onnx(path: Path) -> OnnxFile:
    """Raises `EdgecError` E0604 if it is not an ONNX file."""
    try:
        return OnnxFile(path, onnx.load(path, load_external_data=False))
    except (DecodeError, OSError, ValueError) as failure:
        raise error("E0604", f"`{path.name}` is not an ONNX file", notes=[said("protobuf", failure)]) from failure


def where(node: Any) -> str:
    """The location, for messages."""
    return f"node `{(node.name or (node.output[0] if node.output else node.op_type))[:80]}`"


def lacking(element_type: int) -> str | None:
    """The name of an element type that TensorRT does not support, or None if it does."""
    name = TensorProto.DataType.Name(element_type) if element_type in TensorProto.DataType.values() else "unknown"
    return None if name in TYPES else name.lower()


def attribute(node: Any, name: str, default: Any) -> Any:
    """An attribute's value, with text decoded; the default if it is absent."""
    for entry in node.attribute:
        if entry.name == name:
            value = helper.get_attribute_value(entry)
            if isinstance(value, bytes):
                return value.decode(errors="replace")
            return (
                [v.decode(errors="replace") if isinstance(v, bytes) else v for v in value] if _is_list(value) else value
            )
    return default


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple) or type(value).__name__.startswith("Repeated")
