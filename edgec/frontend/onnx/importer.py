"""Imports ONNX files: loaded without executing anything, checked, and converted to the working opset."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
from google.protobuf.message import DecodeError

from edgec.diag import Diagnostic, Place, error
from edgec.diag.foreign import said
from edgec.frontend.dynamic import DynamicDim, check_dims, check_sizes, fitting
from edgec.frontend.extensions import Extension
from edgec.frontend.half_precision import computed_in_single
from edgec.frontend.imported import Array, ImportedModel, SourceId
from edgec.frontend.onnx.contrib_operators import name_back, name_contributed
from edgec.frontend.onnx.custom_operators import replace_own
from edgec.frontend.onnx.declared_shapes import infer_shapes, open_negative_sizes, wrong_shapes
from edgec.frontend.onnx.half_precision import in_halves, is_whole, widen
from edgec.frontend.onnx.older_opsets import inner_graphs, spell_out
from edgec.frontend.onnx.opset import deserialized, to_working_opset
from edgec.frontend.onnx.reference import OnnxReference
from edgec.frontend.onnx.weight_stripping import put_back, set_aside
from edgec.frontend.request import SourceRequest, source_name
from edgec.frontend.samples.inputs import LARGEST_INPUT, InputSpec, Known, check_once
from edgec.ir.dims import set_dim_range
from edgec.ir.model import Model
from edgec.spec.reads import file_sha256, note


def import_onnx(path: Path, request: SourceRequest) -> ImportedModel:
    """Import an ONNX file; external weights remain in their files, and are memory-mapped when used.

    Raises `EdgecError` E0203 (unreadable), E0207 (leaves its folder), E0301 (invalid), E0107 (inputs), E0101 (dims).
    """
    file = _read(path, request.extension)
    proto, heavy, told = file.proto, file.heavy, file.told
    if request.dynamic:
        open_dims(proto, request.dynamic)
    given = name_back(_beside(put_back(deserialized(proto, path), heavy), path))
    halves, whole = in_halves(given), is_whole(given)
    given = widen(given) if halves else given
    reference = OnnxReference(path.resolve(), given, changed=halves or file.replaced or bool(request.dynamic))
    model = _beside(put_back(to_working_opset(proto, path), heavy), path)
    model = widen(model) if halves else model
    examples = _examples(model, request, Place(str(path)))
    for dim in request.dynamic:
        set_dim_range(model, dim.name, dim.low, dim.high, dim.choices)
    source = SourceId("onnx", request.ref, file_sha256(path))
    told += (computed_in_single(source_name(request), whole),) if halves else ()
    return ImportedModel(source_name(request), source, model, reference, examples, told, dynamic=request.dynamic)


def _beside(model: Model, path: Path) -> Model:
    """The model with its external weights in the file's own folder; small ones are loaded, large ones memory-mapped."""
    ir.external_data.set_base_dir(model.graph, path.resolve().parent)
    for value in (v for graph in model.graphs() for v in graph.initializers.values()):
        tensor = value.const_value
        if isinstance(tensor, ir.ExternalTensor) and tensor.nbytes <= _READ:
            (value.const_value,) = ir.external_data.convert_tensors_from_external([tensor])
    return model


_READ = 1 << 12
"""External weights up to this size in bytes are loaded at once: shapes, axes and scales are read everywhere."""


@dataclass(frozen=True)
class _File:
    """The checked file, its large weights kept separately, its notes, and whether its computation differs from the
    file's: custom operators or wrong types have been replaced.
    """

    proto: onnx.ModelProto
    heavy: dict[str, onnx.TensorProto]
    told: tuple[Diagnostic, ...]
    replaced: bool


def _read(path: Path, extension: Extension) -> _File:
    place = Place(str(path))
    try:
        proto = onnx.load(path, load_external_data=False)
    except (DecodeError, ValueError, OSError) as failure:
        why = said("protobuf", failure)
        raise error("E0203", f"`{path.name}` is not an ONNX file", place=place, notes=[why]) from failure
    if not proto.graph.output:
        raise error("E0203", f"`{path.name}` contains no graph with an output", place=place)
    open_negative_sizes(proto)
    _check_inputs(proto, place)
    _check_equations(proto, place)
    _check_external_data(proto, path)
    replaced = replace_own(proto, extension, place)
    name_contributed(proto)
    spell_out(proto)
    heavy = set_aside(proto)
    try:
        # The checker requires the shapes of outputs, which many exporters leave to be inferred.
        proto, wrong = infer_shapes(proto)
        onnx.checker.check_model(_checkable(proto))
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError, ValueError, OSError) as failure:
        raise error(
            "E0301", f"`{path.name}` is not a valid model", place=place, notes=[said("onnx", failure)]
        ) from failure
    retyped = any(w.of_type for w in wrong)  # ONNX Runtime rejects the original file
    return _File(proto, heavy, wrong_shapes(wrong, path), replaced or retyped)


def _check_inputs(proto: onnx.ModelProto, place: Place) -> None:
    """Check for impossibly large sizes, which onnx's shape inference would try to use."""
    for value in proto.graph.input:
        shape = [d.dim_value for d in value.type.tensor_type.shape.dim if d.HasField("dim_value")]
        if math.prod(max(d, 1) for d in shape) > LARGEST_INPUT:
            raise error("E0301", f"input `{value.name}` is too large: {shape}", place=place)


def _check_equations(proto: onnx.ModelProto, place: Place) -> None:
    """Check einsum equations: onnx's shape inference does not terminate on invalid ones."""
    for holder in (proto.graph, *proto.functions):
        for node in (node for graph in inner_graphs(holder) for node in graph.node if node.op_type == "Einsum"):
            for attribute in node.attribute:
                if attribute.name == "equation" and not _EQUATION.fullmatch(attribute.s):
                    shown = attribute.s[:_SHOWN].decode("utf-8", "replace")
                    raise error("E0301", f"`{shown}` is not a valid equation of Einsum", place=place)


_TERM = rb"[A-Za-z ]*(?:\.\.\.[A-Za-z ]*)?"
_EQUATION = re.compile(_TERM + rb"(?:," + _TERM + rb")*(?:->" + _TERM + rb")?")


def _check_external_data(proto: onnx.ModelProto, path: Path) -> None:
    """Check that external weights are in the model's own folder, links resolved, and have the declared length."""
    folder = path.resolve().parent
    for tensor in onnx.external_data_helper._get_all_tensors(proto):
        entries = {entry.key: entry.value for entry in tensor.external_data}
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            continue
        location = entries.get("location", "")
        file = _inside(folder, location)
        if file is None:
            raise error(
                "E0207",
                f"initializer `{tensor.name}` points outside the model's folder",
                place=Place(str(path)),
                notes=[f"its location is `{location[:_SHOWN]}`"],
                help=["locations must be relative to the model's folder and inside it"],
            )
        note(file, "data")
        _check_extent(tensor, entries, file, path)


_SHOWN = 200
"""The number of characters shown of a name taken from a file."""


def _inside(folder: Path, location: str) -> Path | None:
    """The file at a location relative to the folder; None if it is invalid or outside the folder."""
    if Path(location).is_absolute():
        return None
    try:
        file = (folder / location).resolve()
        file.exists()
    except (OSError, ValueError, RuntimeError):  # too long, containing a null character, or a link cycle
        return None
    return file if file.is_relative_to(folder) else None


def _checkable(proto: onnx.ModelProto) -> onnx.ModelProto:
    """A copy for onnx's checker, which would look for external data in the working folder and requires output ranks."""
    copy = onnx.ModelProto()
    copy.CopyFrom(proto)
    for tensor in onnx.external_data_helper._get_all_tensors(copy):
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            tensor.CopyFrom(onnx.TensorProto(name=tensor.name, data_type=tensor.data_type, dims=[0], raw_data=b""))
    for output in copy.graph.output:
        if output.type.HasField("tensor_type") and not output.type.tensor_type.HasField("shape"):
            output.type.tensor_type.shape.SetInParent()
    return copy


def _check_extent(tensor: onnx.TensorProto, entries: Mapping[str, str], file: Path, path: Path) -> None:
    """Check that the file contains as many bytes as the tensor's shape requires."""
    place = Place(str(path))
    if not file.is_file():
        notes = [f"`{file.name[:_SHOWN]}` does not exist"]
        raise error("E0203", f"the weights of `{tensor.name}` are missing", place=place, notes=notes)
    try:
        offset = int(entries.get("offset") or 0)
        length = int(entries["length"]) if entries.get("length") else file.stat().st_size - offset
        bits = ir.DataType(tensor.data_type).bitwidth
    except (ValueError, TypeError) as failure:
        raise error("E0301", f"initializer `{tensor.name}` has an invalid description", place=place) from failure
    wanted = -(-math.prod(tensor.dims) * bits // 8)
    if offset < 0 or length != wanted or offset + length > file.stat().st_size:
        raise error(
            "E0301",
            f"the weights of `{tensor.name}` do not fit its shape {list(tensor.dims)}",
            place=place,
            notes=[f"{wanted} bytes are needed; {length} at {offset} are declared, the file has {file.stat().st_size}"],
        )


def open_dims(proto: onnx.ModelProto, dims: Sequence[DynamicDim]) -> None:
    """Name the dynamic dimensions, and remove shapes inferred from other sizes."""
    initializers = {tensor.name for tensor in proto.graph.initializer}
    inputs = {v.name: v.type.tensor_type.shape for v in proto.graph.input if v.name not in initializers}
    check_dims(dims, {name: [d.dim_value for d in shape.dim] for name, shape in inputs.items()})
    for dim in dims:
        inputs[dim.input].dim[dim.axis].dim_param = dim.name
    del proto.graph.value_info[:]
    for output in proto.graph.output:
        output.type.tensor_type.ClearField("shape")


def _examples(model: Model, request: SourceRequest, place: Place) -> dict[str, Array]:
    """The values given by `--input`, otherwise seeded samples of the declared types; they fix dynamic sizes of the
    file.

    Raises `EdgecError` E0107 if a value contradicts the file, or if a dynamic size is not fixed by any.
    """
    check_once(request.inputs)
    given = {spec.name: spec for spec in request.inputs}
    inputs = [v for v in model.graph.inputs if not v.is_initializer()]
    if unknown := set(given) - {v.name for v in inputs}:
        raise error(
            "E0107",
            f"the model has no input `{min(unknown)}`",
            notes=[f"its inputs are {', '.join(v.name or '' for v in inputs)}"],
        )
    sizes = fitting(request.dynamic, {})
    rng = np.random.default_rng(0)
    examples = {}
    for value in inputs:
        name, known = value.name or "", _known(value, place)
        spec = given.get(name) or _as_declared(value, known, sizes)
        example = spec.sample(rng, known)
        check_sizes(request.dynamic, name, example.shape)
        examples[name] = example
        open_axes = {dim.axis: dim.name for dim in request.dynamic if dim.input == name}
        value.shape = ir.Shape([open_axes.get(i, size) for i, size in enumerate(example.shape)])
    return examples


def _known(value: ir.Value, place: Place) -> Known:
    """What the file declares about an input."""
    shape = None if value.shape is None else tuple(d if isinstance(d, int) else None for d in value.shape)
    try:
        dtype = None if value.dtype is None else str(value.dtype.numpy())
    except TypeError as failure:
        raise error("E0301", f"input `{value.name}` has no element type", place=place) from failure
    return Known(shape, dtype, fixed=True, place=place)


def _as_declared(value: ir.Value, known: Known, sizes: Mapping[str, int]) -> InputSpec:
    """An input not named by `--input`, with its dynamic dimensions at sizes allowed by `--dynamic`."""
    dims = [] if value.shape is None else [d if isinstance(d, int) else sizes.get(str(d.value)) for d in value.shape]
    if value.shape is None or value.dtype is None or None in dims:
        raise error(
            "E0107",
            f"the shape of input `{value.name}` is open",
            place=known.place,
            notes=[f"it is {known}"] if known.shape is not None else [],
            help=[f"add `--input {value.name}=SHAPE`, or `--dynamic {value.name}:DIM=RANGE` to keep it open"],
        )
    return InputSpec(value.name or "", tuple(d for d in dims if d is not None))
