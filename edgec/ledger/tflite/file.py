"""The view for the ledger's rows: a TFLite file's tables, unpacked with the schema's classes."""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from edgec.diag import error
from edgec.diag.foreign import said

IDENTIFIER = b"TFL3"
SIZES = {
    **dict.fromkeys(("BOOL", "INT8", "UINT8"), 1),
    **dict.fromkeys(("INT16", "UINT16", "FLOAT16", "BFLOAT16"), 2),
    **dict.fromkeys(("INT32", "UINT32", "FLOAT32"), 4),
    **dict.fromkeys(("INT64", "UINT64", "FLOAT64", "COMPLEX64"), 8),
    "COMPLEX128": 16,
}
"""Bytes per element, for types of whole bytes."""


@dataclass(frozen=True, eq=False)
class Operator:
    """One operator: its subgraph, its position there, its table, the builtin's name and its declared version."""

    graph: Any
    index: int
    table: Any
    name: str
    version: int

    @property
    def where(self) -> str:
        """The location, for messages."""
        return f"operator {self.index} `{self.name}`"

    def tensors(self, indices: Any) -> list[Any]:
        """The tensors with these indices, without invalid ones."""
        return [self.graph.tensors[i] for i in listed(indices) if 0 <= i < len(self.graph.tensors)]


def listed(values: Any) -> list[int]:
    """A vector of numbers; empty if it is absent."""
    return [] if values is None else [int(v) for v in values]


def is_quantized(tensor: Any) -> bool:
    """Whether a tensor has scales."""
    quantization = tensor.quantization
    return quantization is not None and quantization.scale is not None and len(quantization.scale) > 0


def text(value: Any) -> str:
    """A string of the file."""
    return "" if value is None else value.decode(errors="replace") if isinstance(value, bytes) else str(value)


@dataclass(frozen=True, eq=False)
class TFLiteFile:
    """A TFLite file: its bytes, mapped, its unpacked tables and the schema's classes."""

    path: Path
    content: mmap.mmap
    model: Any
    schema: Any

    @cached_property
    def builtins(self) -> dict[int, str]:
        """Names of builtins by number."""
        return {v: k for k, v in vars(self.schema.BuiltinOperator).items() if isinstance(v, int)}

    @cached_property
    def types(self) -> dict[int, str]:
        """Names of element types by number."""
        return {v: k for k, v in vars(self.schema.TensorType).items() if isinstance(v, int)}

    @cached_property
    def graphs(self) -> list[Any]:
        """The subgraphs."""
        return list(self.model.subgraphs or ())

    @cached_property
    def operators(self) -> tuple[Operator, ...]:
        """The operators of all subgraphs whose operator code exists."""
        return tuple(self._operators())

    def _operators(self) -> Iterator[Operator]:
        codes = list(self.model.operatorCodes or ())
        for graph in self.graphs:
            for i, table in enumerate(graph.operators or ()):
                if 0 <= table.opcodeIndex < len(codes):
                    code = codes[table.opcodeIndex]
                    number = max(code.builtinCode, code.deprecatedBuiltinCode)
                    yield Operator(graph, i, table, self.builtins.get(number, f"builtin {number}"), code.version)

    def dtype(self, tensor: Any) -> str:
        """The name of a tensor's element type in the schema."""
        return self.types.get(tensor.type, f"type {tensor.type}")

    def is_constant(self, tensor: Any) -> bool:
        """Whether a tensor has data."""
        buffers = self.model.buffers or ()
        return 0 <= tensor.buffer < len(buffers) and bool(buffer_size(buffers[tensor.buffer]))

    def metadata(self, name: str) -> bytes | None:
        """A metadata entry's content."""
        for entry in self.model.metadata or ():
            if text(entry.name) == name and 0 <= entry.buffer < len(self.model.buffers or ()):
                return self.bytes_of(self.model.buffers[entry.buffer])
        return None

    def bytes_of(self, buffer: Any) -> bytes:
        """A buffer's content, inside the flatbuffer or after it."""
        if buffer.data is not None:
            return bytes(buffer.data)
        return bytes(self.content[buffer.offset : buffer.offset + buffer.size])


def buffer_size(buffer: Any) -> int:
    """The size of a buffer's content in bytes."""
    return len(buffer.data) if buffer.data is not None else int(getattr(buffer, "size", 0) or 0)


def read_file(path: Path) -> TFLiteFile:
    """Raises `EdgecError` E0604 if it is not a TFLite file, E0502 without LiteRT, whose schema is used."""
    try:
        from ai_edge_litert import schema_py_generated as schema
    except ImportError as missing:
        raise error("E0502", "LiteRT is not installed", help=["pip install 'edgec[tflite]'"]) from missing
    if path.stat().st_size < len(IDENTIFIER) + 4:
        raise error("E0604", f"`{path.name}` is not a TFLite file")
    with path.open("rb") as opened:
        content = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
    if content[4:8] != IDENTIFIER:
        raise error("E0604", f"`{path.name}` is not a TFLite file")
    try:
        return TFLiteFile(path, content, schema.ModelT.InitFromPackedBuf(content, 0), schema)
    except (struct.error, IndexError, TypeError, AttributeError, ValueError, UnicodeDecodeError) as failure:
        raise error("E0604", f"`{path.name}` is a broken TFLite file", notes=[said("the reader", failure)]) from failure
