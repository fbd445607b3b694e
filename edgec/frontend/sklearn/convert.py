"""Converts an estimator to an ONNX graph with skl2onnx."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from edgec.diag import EdgecError, Place, error
from edgec.diag.foreign import said
from edgec.frontend.sklearn.load import needs_extra

INPUT = "X"
"""The graph's only input, (rows, features), by scikit-learn's name."""

_OPSETS = {"": 21, "ai.onnx.ml": 3}
"""Later versions of `ai.onnx.ml` store trees as double-precision tensors, which no device supports."""


def convert(estimator: Any, path: Path, rows: int) -> onnx.ModelProto:
    """The graph, with a float32 matrix (rows, features) as input. Raises `EdgecError` E0202, E0502."""
    try:
        from skl2onnx.common.data_types import FloatTensorType
    except ImportError as missing:
        raise needs_extra(missing) from missing
    _number_columns(estimator, path)
    inputs = [(INPUT, FloatTensorType([None, int(estimator.n_features_in_)]))]
    logging.getLogger("skl2onnx").setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with _whole_numbers():
                proto = _converted(estimator, inputs)
    except EdgecError:
        raise
    except Exception as failure:  # converters raise various exceptions
        raise _refusal(path, failure) from failure
    _tell_categories_apart(proto)
    proto.graph.input[0].type.tensor_type.shape.dim[0].dim_value = rows
    return proto


def _tell_categories_apart(proto: onnx.ModelProto) -> None:
    """Encode unknown categories as none: skl2onnx truncates numbers before one-hot encoders, so that 7.4 becomes 7.

    This also applies to encoders that raise an exception instead, which is impossible on a device (E0215).
    """
    makers = {name: node for node in proto.graph.node for name in node.output}
    for node in proto.graph.node:
        for attribute in node.attribute:
            if node.op_type == "OneHotEncoder" and attribute.name == "zeros":
                attribute.i = 1
        cast = makers.get(node.input[0]) if node.op_type == "OneHotEncoder" else None
        known = [attribute.ints for attribute in node.attribute if attribute.name == "cats_int64s"]
        if cast is None or cast.op_type != "Cast" or not known:
            continue
        numbers = list(known[0])
        table = onnx.helper.make_node(
            "LabelEncoder",
            cast.input,
            cast.output,
            cast.name,
            domain="ai.onnx.ml",
            keys_floats=[float(number) for number in numbers],
            values_int64s=numbers,
            default_int64=min(numbers) - 1,
        )
        cast.CopyFrom(table)
        for opset in proto.opset_import:
            if opset.domain == "ai.onnx.ml":
                opset.version = max(opset.version, 2)


@contextmanager
def _whole_numbers() -> Iterator[None]:
    """Convert numpy's bytes in attributes to Python's numbers, which onnx's protobuf requires.

    skl2onnx passes those of histogram gradient boosting unconverted.
    """
    made = onnx.helper.make_attribute

    def make_attribute(key: str, value: Any, *rest: Any, **more: Any) -> onnx.AttributeProto:
        if isinstance(value, list) and any(isinstance(item, np.integer) for item in value):
            value = [int(item) for item in value]
        return made(key, value, *rest, **more)

    onnx.helper.make_attribute = make_attribute
    try:
        yield
    finally:
        onnx.helper.make_attribute = made


def _converted(estimator: Any, inputs: list[tuple[str, Any]]) -> onnx.ModelProto:
    from skl2onnx import convert_sklearn

    plain = {id(estimator): {"zipmap": False}}
    try:
        proto = convert_sklearn(estimator, initial_types=inputs, target_opset=_OPSETS, options=plain)
    except NameError:  # estimators without probabilities do not have this option
        proto = convert_sklearn(estimator, initial_types=inputs, target_opset=_OPSETS)
    assert isinstance(proto, onnx.ModelProto)
    return proto


def _refusal(path: Path, failure: Exception) -> EdgecError:
    return error(
        "E0202",
        f"skl2onnx cannot convert `{path.name}`",
        place=Place(str(path)),
        notes=[said("skl2onnx", failure)],
        help=["build from an estimator that skl2onnx supports, or from ONNX"],
    )


def _number_columns(estimator: Any, path: Path) -> None:
    """Refer to columns of a table by number: the model's only input is a matrix in the order of `feature_names_in_`."""
    names = getattr(estimator, "feature_names_in_", None)
    if names is None:
        return
    place = {name: i for i, name in enumerate(names)}
    for part in _transformers_of_columns(estimator):
        part.transformers_ = [(n, t, _numbers(columns, place)) for n, t, columns in part.transformers_]
        part._columns = [_numbers(columns, place) for columns in part._columns]


def _transformers_of_columns(estimator: Any) -> list[Any]:
    steps = [step for _, step in getattr(estimator, "steps", [])]
    found = [part for step in steps for part in _transformers_of_columns(step)]
    return [*found, estimator] if hasattr(estimator, "transformers_") else found


def _numbers(columns: Any, place: dict[str, int]) -> Any:
    if isinstance(columns, str):
        return place[columns]
    return [place.get(c, c) for c in columns] if isinstance(columns, list) else columns
