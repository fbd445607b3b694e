"""Rows about the types and values in a program: element types, ranks, literals, arguments."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

from edgec.ledger.coreml.package import TYPE_NAMES, Operation, Package, kind_of
from edgec.ledger.row import Breach, Row

_PROTO = "apple/coremltools, mlmodel/format/MIL.proto"
_HELPER = "coremltools, backend/mil/helper.py, `_tensor_field_by_type`"
_FIELDS = {
    "bool": "bools", "string": "strings", "fp16": "bytes", "fp32": "floats", "fp64": "doubles",
    "int16": "ints", "uint16": "ints", "int32": "ints", "int64": "longInts", "uint64": "longInts",
    **{f"{sign}int{bits}": "bytes" for sign in ("", "u") for bits in (1, 2, 3, 4, 6, 8)},
}  # fmt: skip
"""The field of `TensorValue` for elements of each type."""
_WIDTHS = {"fp16": 16, "int8": 8, "uint8": 8, "int4": 4, "uint4": 4, "uint2": 2, "uint1": 1, "uint3": 3, "uint6": 6}
"""Bits per element in `bytes`."""


def _declared(package: Package) -> Iterator[tuple[str, Any]]:
    """Every `ValueType` of a program, with its location."""
    for function in package.functions:
        yield from ((f"{function.name}: input `{v.name[:80]}`", v.type) for v in function.message.inputs)
    for op in package.operations:
        yield from ((op.where, v.type) for v in op.message.outputs)
        yield from ((op.where, v.type) for inner in op.message.blocks for v in inner.inputs)
        yield from ((op.where, value.type) for _, value in _literals(op))


def _literals(op: Operation) -> Iterator[tuple[str, Any]]:
    """An operation's literals: attributes, arguments, and the elements of lists, tuples and dictionaries."""
    for name, value in sorted(op.message.attributes.items()):
        yield from _nested(name, value)
    for name, binding in op.arguments():
        if binding.WhichOneof("binding") == "value":
            yield from _nested(name, binding.value)


def _nested(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    yield name, value
    inner = value.immediateValue
    which = inner.WhichOneof("value") if value.WhichOneof("value") == "immediateValue" else None
    held = list(getattr(inner, which).values) if which in ("tuple", "list", "dictionary") else []
    if which == "dictionary":
        held = [part for pair in held for part in (pair.key, pair.value)]
    for part in held:
        yield from _nested(name, part)


def _tensors(message: Any) -> Iterator[Any]:
    """The tensor types in a `ValueType`."""
    which = message.WhichOneof("type")
    inner: list[Any] = []
    if which == "tensorType":
        yield message.tensorType
    elif which == "listType":
        inner = [message.listType.type]
    elif which == "tupleType":
        inner = list(message.tupleType.types)
    elif which == "dictionaryType":
        inner = [message.dictionaryType.keyType, message.dictionaryType.valueType]
    elif which == "stateType":
        inner = [message.stateType.wrappedType]
    for part in inner:
        yield from _tensors(part)


def _types(package: Package) -> Iterator[Breach]:
    for where, message in _declared(package):
        if message.WhichOneof("type") is None:
            yield Breach(where, "no type")
        for tensor in _tensors(message):
            if tensor.dataType not in _KNOWN:
                yield Breach(where, f"element type {tensor.dataType}")


_KNOWN = frozenset(TYPE_NAMES) | {40, 41}
"""`DataType` of MIL.proto without `UNUSED_TYPE`; 40 and 41 are the 8-bit floats."""


def _ranks(package: Package) -> Iterator[Breach]:
    for where, message in _declared(package):
        for tensor in _tensors(message):
            if tensor.rank >= 0 and tensor.rank != len(tensor.dimensions):
                yield Breach(where, f"rank {tensor.rank} and {len(tensor.dimensions)} dimensions")


def _fixed(package: Package) -> Iterator[Breach]:
    for op in package.operations:
        for name, value in _literals(op):
            shape = kind_of(value.type).shape
            if value.type.WhichOneof("type") == "tensorType" and (shape is None or None in shape):
                yield Breach(op.where, f"`{name}` has an open shape")


def _immediate(package: Package) -> Iterator[tuple[str, str, str, int, Any]]:
    """Literal tensors: location, parameter, element type, number of elements, value."""
    for op in package.operations:
        for name, value in _literals(op):
            kind = kind_of(value.type)
            if value.WhichOneof("value") != "immediateValue" or value.immediateValue.WhichOneof("value") != "tensor":
                continue
            if kind.shape is not None and None not in kind.shape:
                count = prod(size for size in kind.shape if size is not None)
                yield op.where, name, kind.dtype, count, value.immediateValue.tensor


def _fields(package: Package) -> Iterator[Breach]:
    for where, name, dtype, _, tensor in _immediate(package):
        found, wanted = tensor.WhichOneof("value"), _FIELDS.get(dtype)
        if wanted is not None and found is not None and found != wanted:
            yield Breach(where, f"`{name}` is {dtype} and stored in `{found}`, not in `{wanted}`")


def _elements(package: Package) -> Iterator[Breach]:
    for where, name, dtype, count, tensor in _immediate(package):
        which = tensor.WhichOneof("value")
        if which is None or which != _FIELDS.get(dtype):
            continue
        found = len(getattr(tensor, which).values)
        wanted = -(-count * _WIDTHS[dtype] // 8) if which == "bytes" else count
        if found != wanted:
            unit = "bytes" if which == "bytes" else "elements"
            yield Breach(where, f"`{name}` has {found} {unit}, its type needs {wanted}")


def _arguments(package: Package) -> Iterator[Breach]:
    for op in package.operations:
        for name, argument in sorted(op.message.inputs.items()):
            parameter = op.form.parameters.get(name) if op.form is not None else None
            if not argument.arguments:
                yield Breach(op.where, f"`{name}` has no argument")
            elif parameter is not None and len(argument.arguments) > 1 and not parameter.is_list:
                yield Breach(op.where, f"`{name}` has {len(argument.arguments)} arguments")
            for binding in argument.arguments:
                if binding.WhichOneof("binding") is None:
                    yield Breach(op.where, f"`{name}` is neither a name nor a value")


ROWS: tuple[Row[Package], ...] = (
    Row(
        "type-known",
        "every value has a type, with an element type of MIL",
        "Core ML's loader",
        f"{_PROTO}, ValueType and DataType: UNUSED_TYPE is not in use",
        _types,
    ),
    Row(
        "type-rank",
        "a tensor type has as many dimensions as its rank",
        "Core ML's loader",
        f"{_PROTO}, TensorType.dimensions: must be of length `rank`",
        _ranks,
    ),
    Row(
        "value-shape",
        "a literal has a fixed shape",
        "Core ML's loader",
        f"{_PROTO}, Value: NEVER contains unknown shape in the IR",
        _fixed,
    ),
    Row(
        "value-field",
        "elements are stored in the field of their type",
        "Core ML's loader",
        f"{_HELPER}: needs to be consistent with how it will be read by MIL",
        _fields,
    ),
    Row(
        "value-elements",
        "a literal has as many elements as its shape",
        "Core ML's loader",
        f"{_PROTO}, TensorValue; {_HELPER}",
        _elements,
    ),
    Row(
        "argument-number",
        "a parameter has one argument, a list has one or more",
        "Core ML's compiler",
        f"{_PROTO}, Operation.inputs: length 1 (general) or variable length; coremltools, `TupleInputType`",
        _arguments,
    ),
)
