"""ONNX files without their large weights, for onnx's own tools: each of them copies a model several times."""

from __future__ import annotations

from collections.abc import Mapping

import onnx
import onnx_ir as ir

from edgec.ir.model import Model

_LARGE = 1 << 14
"""Initializers of more bytes are never shapes, axes, scales or anything else that onnx's tools look into."""


def set_aside(proto: onnx.ModelProto) -> dict[str, onnx.TensorProto]:
    """Take the large weights out of the protobuf, in place; what stays looks like data in another file."""
    heavy = {}
    for tensor in proto.graph.initializer:
        if tensor.HasField("raw_data") and tensor.ByteSize() > _LARGE:
            heavy[tensor.name] = onnx.TensorProto()
            heavy[tensor.name].CopyFrom(tensor)
            tensor.ClearField("raw_data")
            tensor.data_location = onnx.TensorProto.EXTERNAL
            tensor.external_data.add(key="location", value="set-aside")
    return heavy


def put_back(model: Model, heavy: Mapping[str, onnx.TensorProto]) -> Model:
    """Give the IR the weights that were set aside."""
    for name, tensor in heavy.items():
        value = model.graph.initializers.get(name)
        if value is not None:
            value.const_value = ir.serde.deserialize_tensor(tensor)
    return model
