"""Shapes declared in an ONNX file: dynamic sizes written as -1, and declarations that do not match the operators.

Exporters and manual edits leave wrong shapes of outputs and intermediate values. Like ONNX Runtime, edgec infers shapes
from the operators, and uses declared shapes only where inference gives none.
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
"""The number of wrong shapes listed by name."""


@dataclass(frozen=True)
class WrongShape:
    """A value whose declared shape, or element type (`of_type`), contradicts the inferred one; both as text."""

    name: str
    declared: str
    computed: str
    of_type: bool = False


def open_negative_sizes(proto: onnx.ModelProto) -> None:
    """Make negative sizes, which some exporters write for dynamic ones, dynamic, in place."""
    for value in _declared(proto, inputs=True):
        for dim in _dims(value):
            if dim.dim_value < 0:
                dim.ClearField("dim_value")


def infer_shapes(proto: onnx.ModelProto) -> tuple[onnx.ModelProto, list[WrongShape]]:
    """Infer shapes from the inputs, then complete what could not be inferred with declared shapes.

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
    """Use declared shapes where none was inferred, in place; the contradictions, and whether any shape was added."""
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
    """Fill in declared sizes that could not be inferred, in place; whether any was filled in."""
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
    """The tensors with declared types, including those in subgraphs."""
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
    """The note (E0304) on wrong shape declarations."""
    if not wrong:
        return ()
    shown = [f"`{w.name}` is declared {w.declared} and computed as {w.computed}" for w in wrong[:_SHOWN]]
    rest = [f"and {len(wrong) - _SHOWN} more"] if len(wrong) > _SHOWN else []
    what = "types" if all(w.of_type for w in wrong) else "shapes"
    message = f"`{path.name}` declares {what} that differ from the computed ones; the computed ones are used"
    return (Diagnostic("E0304", message, Place(str(path)), notes=(*shown, *rest), severity=Severity.NOTE),)
