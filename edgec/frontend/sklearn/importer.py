"""Imports a model from a `.skops` file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx

from edgec.diag import Diagnostic, Place, Severity, error, warning
from edgec.frontend.dynamic import fitting
from edgec.frontend.imported import Array, ImportedModel, SourceId
from edgec.frontend.onnx.importer import open_dims
from edgec.frontend.onnx.opset import to_working_opset
from edgec.frontend.request import SourceRequest, source_name
from edgec.frontend.samples.inputs import Known, check_once
from edgec.frontend.sklearn.convert import INPUT, convert
from edgec.frontend.sklearn.load import load_estimator, parts_of
from edgec.frontend.sklearn.reference import EstimatorReference, Output, unknown_outputs
from edgec.frontend.sklearn.typical_features import typical
from edgec.ir.dims import set_dim_range
from edgec.spec.reads import file_sha256

_SAMPLES = 12
"""The number of random rows besides the example's, to cover many paths in trees."""


def import_skops(path: Path, request: SourceRequest) -> ImportedModel:
    """Import a fitted estimator with one input `X` (rows, features) and outputs as named by skl2onnx.

    Raises `EdgecError` E0203 (unreadable), E0204 (would execute code), E0202 (not converted), E0107 (inputs), E0502.
    """
    loaded = load_estimator(path)
    features = int(loaded.estimator.n_features_in_)
    given = _given(request, features)
    rows = _rows(request, given)
    proto = convert(loaded.estimator, path, rows)
    notes = _without_text(proto, path, loaded.estimator)
    outputs = _take_outputs(proto)
    if request.dynamic:
        open_dims(proto, request.dynamic)
    if unknown := unknown_outputs(outputs, loaded.estimator):
        raise error("E0202", f"no method of the estimator returns `{unknown[0]}`", place=Place(str(path)))
    model = to_working_opset(proto, path)
    for dim in request.dynamic:
        set_dim_range(model, dim.name, dim.low, dim.high, dim.choices)
    features_of = typical(loaded.estimator)
    drawn: list[dict[str, Array]] = [{INPUT: features_of.draw(rows, seed)} for seed in range(_SAMPLES + 1)]
    if given is not None and request.inputs[0].gives_values:
        drawn[0] = {INPUT: given}
    return ImportedModel(
        source_name(request),
        SourceId("skops", request.ref, file_sha256(path)),
        model,
        EstimatorReference(loaded.estimator, outputs, features_of),
        drawn[0],
        warnings=(*loaded.warnings, *notes, *_unknown_categories(loaded.estimator, path)),
        extra_samples=tuple(drawn[1:]),
        dynamic=request.dynamic,
    )


def _given(request: SourceRequest, features: int) -> Array | None:
    """The value of `--input`: an array of the example's shape, or the example itself. Raises `EdgecError` E0107."""
    check_once(request.inputs)
    for spec in request.inputs:
        if spec.name != INPUT:
            raise error("E0107", f"the estimator has no input `{spec.name}`", help=[f"`--input {INPUT}=1x{features}`"])
        return spec.sample(np.random.default_rng(0), Known((None, features), "float32", fixed=True))
    return None


def _rows(request: SourceRequest, given: Array | None) -> int:
    """The number of rows of the example: from `--input` or `--dynamic`, else 1."""
    if given is not None:
        return len(given)
    sizes = fitting(request.dynamic, {})
    return next((sizes[dim.name] for dim in request.dynamic if dim.axis == 0), 1)


def _without_text(proto: onnx.ModelProto, path: Path, estimator: Any) -> tuple[Diagnostic, ...]:
    """Drop a text label, which devices do not support; the scores remain, in the order of the classes."""
    text = [o for o in proto.graph.output if o.type.tensor_type.elem_type == onnx.TensorProto.STRING]
    if not text:
        return ()
    for output in text:
        proto.graph.output.remove(output)
    if not proto.graph.output:
        raise error("E0202", "all outputs of the estimator are text", place=Place(str(path)))
    classes = ", ".join(map(str, getattr(estimator, "classes_", [])[:20]))
    message = f"`{text[0].name}` of `{path.name}` is text and is omitted"
    return (warning("E0214", message, place=Place(str(path)), notes=[f"the scores are in the order of {classes}"]),)


def _unknown_categories(estimator: Any, path: Path) -> tuple[Diagnostic, ...]:
    """A note on encoders that raise an exception for unknown categories."""
    kinds = {type(p).__name__ for p in parts_of(estimator) if getattr(p, "handle_unknown", "") == "error"}
    if not kinds:
        return ()
    message = f"{' and '.join(sorted(kinds))} refuses unknown categories, the artifact does not"
    notes = ("an unknown category is encoded as none: zeros, or -1",)
    advice = ("check the app's inputs, or fit the encoder with `handle_unknown`",)
    return (Diagnostic("E0215", message, Place(str(path)), notes, advice, Severity.NOTE),)


def _take_outputs(proto: onnx.ModelProto) -> tuple[Output, ...]:
    """The outputs declared by skl2onnx, with sizes removed: it declares rows as dynamic even if they are not."""
    found = []
    for value in proto.graph.output:
        tensor = value.type.tensor_type
        dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)
        found.append(Output(value.name, dtype, matrix=len(tensor.shape.dim) > 1))
        tensor.ClearField("shape")
    return tuple(found)
