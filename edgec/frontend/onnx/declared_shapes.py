"""Shapes that an ONNX file declares: open sizes that it writes as -1, and those that are not what it computes.

Exporters and hand edits leave wrong shapes of outputs and of values between. ONNX Runtime goes by what the operators
give, and so does everything here: what a file declares is used only where nothing can be inferred.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import onnx
from onnx import TensorShapeProto, ValueInfoProto

from edgec.diag import Diagnostic, Place, Severity
from edgec.frontend.onnx.older_opsets import inner_graphs

_SHOWN = 5
"""Wrong shapes that are told by name."""


@dataclass(frozen=True)
class WrongShape:
    """A value whose declared shape, or element type (`of_type`), contradicts what its operator gives, both as text."""

    name: str
    declared: str
    computed: str
    of_type: bool = False


def open_negative_sizes(proto: onnx.ModelProto) -> None:
    """Sizes below zero, by which some exporters say that one is open, are open, in place."""
    for value in _declared(proto, inputs=True):
        for dim in _dims(value):
            if dim.dim_value < 0:
                dim.ClearField("dim_value")


def infer_shapes(proto: onnx.ModelProto) -> tuple[onnx.ModelProto, list[WrongShape]]:
    """Infer every shape from the inputs alone, then those that depend on what only the file knows.

    Raises what `onnx.shape_inference` raises.
    """
    bare = onnx.ModelProto()
    bare.CopyFrom(proto)
    for value in _declared(bare, inputs=False):
        value.type.tensor_type.Clear()
    for holder in inner_graphs(bare.graph):
        del holder.value_info[:]
    bare = onnx.shape_inference.infer_shapes(bare, data_prop=True)
    wrong, completed = _merged(proto, bare)
    return (onnx.shape_inference.infer_shapes(bare, data_prop=True) if completed else bare), wrong


def _merged(proto: onnx.ModelProto, bare: onnx.ModelProto) -> tuple[list[WrongShape], bool]:
    """Put declared shapes where none was inferred, in place; the contradictions, and whether anything was put."""
    parts = [_merged_graph(*pair) for pair in zip(inner_graphs(proto.graph), inner_graphs(bare.graph), strict=True)]
    return [w for wrong, _ in parts for w in wrong], any(completed for _, completed in parts)


def _merged_graph(declared: onnx.GraphProto, bare: onnx.GraphProto) -> tuple[list[WrongShape], bool]:
    wrong, completed = [], False
    inferred = {v.name: v for v in (*bare.value_info, *bare.output)}
    for value in (*declared.value_info, *declared.output):
        found = inferred.get(value.name)
        said, made = value.type.tensor_type, found.type.tensor_type if found is not None else None
        if made is not None and made.elem_type and said.elem_type and made.elem_type != said.elem_type:
            wrong.append(WrongShape(value.name, _type_text(said), _type_text(made), of_type=True))
            said.elem_type = made.elem_type
        elif made is not None and not made.elem_type:
            made.elem_type = said.elem_type
        if not said.HasField("shape"):
            continue
        if found is None:
            bare.value_info.append(value)
            completed = True
        elif not found.type.tensor_type.HasField("shape"):
            found.CopyFrom(value)
            completed = True
        elif _contradicts(value, found):
            wrong.append(WrongShape(value.name, _text(value), _text(found)))
        else:
            completed |= _complete(found, value)
    return wrong, completed


def _complete(found: ValueInfoProto, declared: ValueInfoProto) -> bool:
    """Sizes that are declared and could not be inferred, in place."""
    completed = False
    for own, said in zip(_dims(found), _dims(declared), strict=True):
        if not own.HasField("dim_value") and said.HasField("dim_value"):
            own.CopyFrom(said)
            completed = True
    return completed


def _contradicts(declared: ValueInfoProto, found: ValueInfoProto) -> bool:
    ours, theirs = _dims(declared), _dims(found)
    if len(ours) != len(theirs):
        return True
    fixed = (
        (a.dim_value, b.dim_value)
        for a, b in zip(ours, theirs, strict=True)
        if a.HasField("dim_value") and b.HasField("dim_value")
    )
    return any(a != b for a, b in fixed)


def _declared(proto: onnx.ModelProto, *, inputs: bool) -> Iterator[ValueInfoProto]:
    """The tensors whose types are declared, in graphs inside nodes too."""
    for graph in inner_graphs(proto.graph):
        for value in (*(graph.input if inputs else ()), *graph.value_info, *graph.output):
            if value.type.HasField("tensor_type"):
                yield value


def _dims(value: ValueInfoProto) -> list[TensorShapeProto.Dimension]:
    return list(value.type.tensor_type.shape.dim)


def _text(value: ValueInfoProto) -> str:
    sizes = (str(d.dim_value) if d.HasField("dim_value") else d.dim_param or "?" for d in _dims(value))
    return f"[{', '.join(sizes)}]"


def _type_text(kind: onnx.TypeProto.Tensor) -> str:
    return str(onnx.TensorProto.DataType.Name(kind.elem_type)).lower()


def wrong_shapes(wrong: list[WrongShape], path: Path) -> tuple[Diagnostic, ...]:
    """A note of the shapes that the file declares wrongly (E0304)."""
    if not wrong:
        return ()
    shown = [f"`{w.name}` is declared {w.declared} and computed as {w.computed}" for w in wrong[:_SHOWN]]
    rest = [f"and {len(wrong) - _SHOWN} more"] if len(wrong) > _SHOWN else []
    what = "types" if all(w.of_type for w in wrong) else "shapes"
    message = f"`{path.name}` declares {what} that differ from the computed ones; the computed ones are used"
    return (Diagnostic("E0304", message, Place(str(path)), notes=(*shown, *rest), severity=Severity.NOTE),)
