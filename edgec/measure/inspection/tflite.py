"""Inspects a TFLite file."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgec.diag import error
from edgec.diag.foreign import said
from edgec.measure.inspection.summary import Content, Feature, Weight
from edgec.measure.inspection.tflite_metadata import TFLITE_METADATA, ModelNotes, TensorNote, model_notes


def read_tflite(path: Path) -> Content:
    """The interface of the signature, operators of all subgraphs, constant buffers and metadata.

    Raises `EdgecError` E0604 for a broken file.
    """
    try:
        from ai_edge_litert import schema_py_generated as schema
    except ImportError as missing:
        raise error(
            "E0502", "LiteRT is not installed", notes=[str(missing)], help=["pip install 'edgec[tflite]'"]
        ) from missing
    content = path.read_bytes()
    if content[4:8] != b"TFL3":
        raise error("E0604", f"`{path.name}` is not a TFLite file")
    try:
        model = schema.ModelT.InitFromPackedBuf(content, 0)
        return _content(model, schema, content)
    except (struct.error, IndexError, TypeError, AttributeError, ValueError, UnicodeDecodeError) as failure:
        raise error("E0604", f"`{path.name}` is a broken TFLite file", notes=[said("the reader", failure)]) from failure


def _content(model: Any, schema: Any, content: bytes) -> Content:
    names = {v: k for k, v in vars(schema.BuiltinOperator).items() if isinstance(v, int)}
    types = {v: k.lower() for k, v in vars(schema.TensorType).items() if isinstance(v, int)}
    codes = [_code(c, names) for c in model.operatorCodes]
    ops = Counter(codes[op.opcodeIndex] for graph in model.subgraphs for op in graph.operators or ())
    main = model.subgraphs[0]
    signature = model.signatureDefs[0] if model.signatureDefs else None
    weights = [
        Weight(_text(t.name), types[t.type], tuple(int(d) for d in _list(t.shape)), _size(model.buffers[t.buffer]))
        for graph in model.subgraphs
        for t in graph.tensors
        if _size(model.buffers[t.buffer])
    ]
    metadata = {"description": _text(model.description)}
    if signature is not None:
        metadata["signature"] = _text(signature.signatureKey)
    entries = {_text(e.name): _bytes(model.buffers[e.buffer], content) for e in model.metadata or ()}
    notes = model_notes(entries.pop(TFLITE_METADATA), content) if TFLITE_METADATA in entries else ModelNotes()
    inputs = _features(main, main.inputs, signature.inputs if signature else None, types, notes.inputs)
    outputs = _features(main, main.outputs, signature.outputs if signature else None, types, notes.outputs)
    runtime = _text(entries.pop(_MINIMUM, b""))
    metadata |= {name: _entry(value) for name, value in entries.items()} | notes.model
    for kind, of in (("input", notes.inputs), ("output", notes.outputs)):
        metadata |= {f"{kind} {note.name}": text for note in of if (text := note.text())}
    return Content(inputs, outputs, dict(ops), weights, metadata, system=f"TFLite runtime {runtime}" if runtime else "")


_MINIMUM = "min_runtime_version"
"""The metadata entry with the oldest runtime that has the file's operators, as converters write it."""


def _entry(value: bytes) -> str:
    return ", ".join(_text(value).splitlines()) if len(value) < _LONG else f"{len(value)} bytes"


_LONG = 200


def _bytes(buffer: Any, content: bytes) -> bytes:
    """A buffer's content, stored in the flatbuffer's tables or behind them."""
    if buffer.data is not None:
        return bytes(buffer.data)
    return content[buffer.offset : buffer.offset + buffer.size]


def _code(code: Any, names: dict[int, str]) -> str:
    if code.customCode:
        return f"custom:{_text(code.customCode)}"
    return names[max(code.builtinCode, code.deprecatedBuiltinCode)]


def _features(
    graph: Any, indices: Any, signature: Any, types: dict[int, str], notes: Sequence[TensorNote]
) -> list[Feature]:
    """The metadata's notes stand in the order of the graph's inputs or outputs."""
    named = {m.tensorIndex: _text(m.name) for m in signature or ()}
    found = []
    for i, index in enumerate(_list(indices)):
        tensor = graph.tensors[index]
        open_shape = _list(tensor.shapeSignature) or _list(tensor.shape)
        name = named.get(int(index), _text(tensor.name))
        note = notes[i] if i < len(notes) else TensorNote(name)
        shape = tuple(int(d) for d in open_shape)
        found.append(Feature(name, types[tensor.type], shape, note.image, note.labels or (), *note.pixels()))
    return found


def _size(buffer: Any) -> int:
    return int(getattr(buffer, "size", 0) or 0) or (len(buffer.data) if buffer.data is not None else 0)


def _list(values: Any) -> list[int]:
    return [] if values is None else list(values)


def _text(value: Any) -> str:
    return (
        "" if value is None else value.decode(errors="replace").rstrip("\0") if isinstance(value, bytes) else str(value)
    )
