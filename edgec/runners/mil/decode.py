"""Decodes the protobuf of a saved model to `Program`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from edgec.runners.mil.arrays import Array
from edgec.runners.mil.blob import BlobFile
from edgec.runners.mil.dtypes import BOOL, BY_PROTO_NUMBER, STRING, ScalarType, decode_bytes
from edgec.runners.mil.package import Package
from edgec.runners.mil.program import (
    Argument,
    Block,
    Constant,
    Function,
    Immediate,
    Operation,
    OtherType,
    Output,
    Program,
    Ref,
    TensorType,
    ValueType,
)


class Decoder:
    """Decodes one package's program; opens each weight file once. Raises ValueError for malformed content."""

    def __init__(self, package: Package) -> None:
        self._package = package
        self._blobs: dict[str, BlobFile] = {}

    def program(self, message: Any) -> Program:
        """`message` is a `MILSpec.Program`."""
        return Program({name: self._function(name, function) for name, function in message.functions.items()})

    def _function(self, name: str, message: Any) -> Function:
        if message.opset not in message.block_specializations:
            raise ValueError(f"function `{name}` has no body for its opset `{message.opset}`")
        body = self._block(message.block_specializations[message.opset])
        return Function(name, _outputs(message.inputs), body)

    def _block(self, message: Any) -> Block:
        operations = tuple(self._operation(operation) for operation in message.operations)
        outputs = tuple(message.outputs)
        inputs = _outputs(message.inputs)
        return Block(inputs, outputs, operations, _last_uses(inputs, operations, outputs))

    def _operation(self, message: Any) -> Operation:
        attributes = {name: self.constant(value) for name, value in message.attributes.items()}
        inputs = {
            name: tuple(self._argument(binding) for binding in argument.arguments)
            for name, argument in message.inputs.items()
        }
        outputs = _outputs(message.outputs)
        if message.type == "const" and ("val" not in attributes or len(outputs) != 1):
            raise ValueError("a const operation has no value")
        name = attributes.pop("name", None)
        label = name if isinstance(name, str) else outputs[0].name if outputs else message.type
        blocks = tuple(self._block(block) for block in message.blocks)
        return Operation(message.type, label, inputs, attributes, outputs, blocks)

    def _argument(self, binding: Any) -> Argument:
        if binding.WhichOneof("binding") == "value":
            return Immediate(self.constant(binding.value))
        return Ref(binding.name)

    def constant(self, value: Any) -> Constant:
        """A `Value` message: text as `str`, tensors as arrays, lists as lists."""
        kind = value.WhichOneof("value")
        if kind == "blobFileValue":
            return self._from_blob(value)
        if kind != "immediateValue":
            raise ValueError("a value has neither content nor a blob")
        return self._immediate(value)

    def _from_blob(self, value: Any) -> Array:
        type_ = value_type(value.type)
        file = value.blobFileValue.fileName
        if file not in self._blobs:
            self._blobs[file] = BlobFile(self._package.resolve(file))
        if not isinstance(type_, TensorType):
            raise ValueError("a blob value is not a tensor")
        return self._blobs[file].read(value.blobFileValue.offset, type_.scalar, _static(type_.shape))

    def _immediate(self, value: Any) -> Constant:
        immediate = value.immediateValue
        kind = immediate.WhichOneof("value")
        if kind == "list":
            return [self.constant(item) for item in immediate.list.values]
        if kind == "tuple":
            return [self.constant(item) for item in immediate.tuple.values]
        if kind != "tensor":
            raise ValueError(f"an immediate value of kind {kind} is not known")
        type_ = value_type(value.type)
        if not isinstance(type_, TensorType):
            raise ValueError("an immediate tensor has no tensor type")
        return _tensor(immediate.tensor, type_.scalar, _static(type_.shape))


def value_type(message: Any) -> ValueType:
    """A `ValueType` message."""
    kind = message.WhichOneof("type")
    if kind == "stateType":
        return value_type(message.stateType.wrappedType)
    if kind != "tensorType":
        return OtherType(str(kind))
    number = message.tensorType.dataType
    if number not in BY_PROTO_NUMBER:
        raise ValueError(f"the scalar type number {number} is not known")
    dimensions = message.tensorType.dimensions
    if any(d.unknown.variadic for d in dimensions):
        return TensorType(BY_PROTO_NUMBER[number], None)
    shape = tuple(d.constant.size if d.WhichOneof("dimension") == "constant" else None for d in dimensions)
    return TensorType(BY_PROTO_NUMBER[number], shape)


def _outputs(messages: Iterable[Any]) -> tuple[Output, ...]:
    return tuple(Output(message.name, value_type(message.type)) for message in messages)


def _static(shape: tuple[int | None, ...] | None) -> tuple[int, ...]:
    if shape is None or any(size is None for size in shape):
        raise ValueError("a constant has a dimension without a size")
    return tuple(int(size) for size in shape if size is not None)


def _tensor(message: Any, scalar: ScalarType, shape: tuple[int, ...]) -> Constant:
    kind = message.WhichOneof("value")
    count = int(np.prod(shape, dtype=np.int64))
    if kind == "bytes":
        data = np.frombuffer(message.bytes.values, np.uint8)
        return decode_bytes(data, scalar, count).reshape(shape)
    values = list(getattr(message, kind).values) if kind else []
    if scalar == STRING and shape == () and len(values) == 1:
        return str(values[0])
    if len(values) != count:
        raise ValueError(f"an immediate tensor of shape {shape} has {len(values)} values")
    dtype = np.dtype(bool) if scalar == BOOL else scalar.numpy
    return np.array(values, dtype).reshape(shape)


def _last_uses(
    inputs: tuple[Output, ...], operations: tuple[Operation, ...], outputs: tuple[str, ...]
) -> tuple[tuple[str, ...], ...]:
    """For each operation, the values that are dead after it. Constants count as values."""
    own = {value.name for value in inputs} | {value.name for op in operations for value in op.outputs}
    seen = set(outputs)
    result: list[tuple[str, ...]] = []
    for op in reversed(operations):
        mentioned = names_read(op) | {value.name for value in op.outputs}
        dead = sorted(name for name in mentioned if name in own and name not in seen)
        seen.update(dead)
        result.append(tuple(dead))
    return tuple(reversed(result))


def arguments_read(op: Operation) -> set[str]:
    """The values that an operation reads as its own arguments."""
    return {argument.name for group in op.inputs.values() for argument in group if isinstance(argument, Ref)}


def names_read(op: Operation) -> set[str]:
    """All values that an operation reads, also in nested blocks."""
    names = arguments_read(op)
    for block in op.blocks:
        names.update(block.outputs)
        for nested in block.operations:
            names |= names_read(nested)
    return names
