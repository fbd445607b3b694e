"""Removes large weights from ONNX files while onnx's own tools run, each of which copies the model several times."""

from __future__ import annotations

from collections.abc import Mapping

import onnx
import onnx_ir as ir

from edgec.ir.model import Model

_LARGE = 1 << 14
"""Larger initializers (in bytes) are never shapes, axes, scales or other values that onnx's tools inspect."""


def set_aside(proto: onnx.ModelProto) -> dict[str, onnx.TensorProto]:
    """Remove the large weights from the protobuf, in place; their placeholders look like external data."""
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
    """Restore the removed weights in the IR."""
    for name, tensor in heavy.items():
        value = model.graph.initializers.get(name)
        if value is not None:
            value.const_value = ir.serde.deserialize_tensor(tensor)
    return model
