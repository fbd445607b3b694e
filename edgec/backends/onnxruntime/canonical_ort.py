"""Canonical `.ort` files: the same bytes for the same model.

ONNX Runtime writes the types of its kernels in the iteration order of a hash map, which varies from run to run. In the
file they precede the model: a flatbuffer is built from its end, and the model comes first. They are rewritten in order.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import flatbuffers

IDENTIFIER = b"ORTM"
"""`file_identifier` of onnxruntime/core/flatbuffers/schema/ort.fbs."""

_ALIGNMENT = 8
"""The alignment of the largest scalar in the schema, an int64."""


def canonical(content: bytes) -> bytes:
    """The file with its kernel types in order; the bytes of the model are unchanged."""
    session = _schema("InferenceSession").InferenceSession.GetRootAs(content, 0)
    table = session.Model()._tab  # built last to first: the model's table starts its part
    start = min(table.Pos, table.Pos - table.Get(flatbuffers.number_types.SOffsetTFlags, table.Pos))
    model = len(content) - table.Pos
    builder = _builder_after(content[start:])
    version = builder.CreateString(session.OrtVersion())
    resolver = _resolver(builder, session.KernelTypeStrResolver())
    made = _schema("InferenceSession")
    made.InferenceSessionStart(builder)
    made.InferenceSessionAddOrtVersion(builder, version)
    made.InferenceSessionAddModel(builder, model)
    made.InferenceSessionAddKernelTypeStrResolver(builder, resolver)
    builder.Finish(made.InferenceSessionEnd(builder), IDENTIFIER)
    return bytes(builder.Output())


def _builder_after(tail: bytes) -> Any:
    """A builder that already contains these bytes."""
    builder = flatbuffers.Builder(2 * len(tail) + 1024)
    builder.minalign = _ALIGNMENT
    builder.head = len(builder.Bytes) - len(tail)
    builder.Bytes[builder.head :] = tail
    return builder


def _resolver(builder: Any, resolver: Any) -> int:
    """Rewrite the kernel types. Vectors with a key are sorted already; their tables are written in order."""
    made = _schema("KernelTypeStrResolver")
    entries = [resolver.OpKernelTypeStrArgs(i) for i in range(resolver.OpKernelTypeStrArgsLength())]
    written = [_operator(builder, entry) for entry in entries]
    made.KernelTypeStrResolverStartOpKernelTypeStrArgsVector(builder, len(written))
    vector = _vector(builder, written)
    made.KernelTypeStrResolverStart(builder)
    made.KernelTypeStrResolverAddOpKernelTypeStrArgs(builder, vector)
    return int(made.KernelTypeStrResolverEnd(builder))


def _operator(builder: Any, entry: Any) -> int:
    made = _schema("OpIdKernelTypeStrArgsEntry")
    written = [_types(builder, entry.KernelTypeStrArgs(i)) for i in range(entry.KernelTypeStrArgsLength())]
    name = builder.CreateString(entry.OpId())
    made.OpIdKernelTypeStrArgsEntryStartKernelTypeStrArgsVector(builder, len(written))
    vector = _vector(builder, written)
    made.OpIdKernelTypeStrArgsEntryStart(builder)
    made.OpIdKernelTypeStrArgsEntryAddOpId(builder, name)
    made.OpIdKernelTypeStrArgsEntryAddKernelTypeStrArgs(builder, vector)
    return int(made.OpIdKernelTypeStrArgsEntryEnd(builder))


def _types(builder: Any, entry: Any) -> int:
    made, argument = _schema("KernelTypeStrArgsEntry"), _schema("ArgTypeAndIndex")
    written = []
    for i in range(entry.ArgsLength()):
        argument.ArgTypeAndIndexStart(builder)
        argument.ArgTypeAndIndexAddArgType(builder, entry.Args(i).ArgType())
        argument.ArgTypeAndIndexAddIndex(builder, entry.Args(i).Index())
        written.append(int(argument.ArgTypeAndIndexEnd(builder)))
    name = builder.CreateString(entry.KernelTypeStr())
    made.KernelTypeStrArgsEntryStartArgsVector(builder, len(written))
    vector = _vector(builder, written)
    made.KernelTypeStrArgsEntryStart(builder)
    made.KernelTypeStrArgsEntryAddKernelTypeStr(builder, name)
    made.KernelTypeStrArgsEntryAddArgs(builder, vector)
    return int(made.KernelTypeStrArgsEntryEnd(builder))


def _vector(builder: Any, tables: list[int]) -> int:
    for offset in reversed(tables):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())


def _schema(table: str) -> Any:
    """A module of the flatbuffer schema, from the onnxruntime package."""
    return import_module(f"onnxruntime.tools.ort_format_model.ort_flatbuffers_py.fbs.{table}")
