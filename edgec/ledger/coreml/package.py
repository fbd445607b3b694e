"""The view for the ledger's rows: a package's protobuf, its operations and the names visible to each, its weights.

Nothing is decoded or validated here, so that a package that no interpreter accepts can still be checked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from edgec.diag import error
from edgec.ledger.coreml.operations import Form, operations
from edgec.runners.mil.package import malformed, open_package
from edgec.runners.mil.proto import model_pb2

TYPE_NAMES = {1: "bool", 2: "string", 10: "fp16", 11: "fp32", 12: "fp64", 13: "bf16", 21: "int8", 22: "int16",
              23: "int32", 24: "int64", 25: "int4", 31: "uint8", 32: "uint16", 33: "uint32", 34: "uint64",
              35: "uint4", 36: "uint2", 37: "uint1", 38: "uint6", 39: "uint3"}  # fmt: skip
"""`DataType` of MIL.proto and MIL's own type names."""


@dataclass(frozen=True)
class Kind:
    """A value's declared type: `dtype` by MIL's name, and its shape with None for open dimensions; a state wraps one.

    `shape` is None if the type is not a tensor, or of unknown rank.
    """

    dtype: str
    shape: tuple[int | None, ...] | None
    is_state: bool = False


def kind_of(message: Any) -> Kind:
    """The type that a `ValueType` declares."""
    which = message.WhichOneof("type")
    if which == "stateType":
        inner = kind_of(message.stateType.wrappedType)
        return Kind(inner.dtype, inner.shape, is_state=True)
    if which != "tensorType":
        return Kind(str(which), None)
    dimensions = message.tensorType.dimensions
    name = TYPE_NAMES.get(message.tensorType.dataType, f"type {message.tensorType.dataType}")
    if any(d.WhichOneof("dimension") == "unknown" and d.unknown.variadic for d in dimensions):
        return Kind(name, None)
    return Kind(name, tuple(d.constant.size if d.WhichOneof("dimension") == "constant" else None for d in dimensions))


@dataclass(frozen=True, eq=False)
class Operation:
    """One operation: its message, the types of the names visible to it, and which of those are constants."""

    function: str
    message: Any
    opset: int
    kinds: Mapping[str, Kind]
    constants: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The operation's own name; empty if it has none."""
        if "name" not in self.message.attributes:
            return ""
        return "".join(self.message.attributes["name"].immediateValue.tensor.strings.values)

    @property
    def where(self) -> str:
        """The location, for messages."""
        name = self.message.outputs[0].name if self.message.outputs else self.name
        return f"{self.function}: `{self.message.type}` `{name[:_LONGEST]}`"

    @property
    def form(self) -> Form | None:
        """The operation's definition in its opset, or None if the opset lacks it."""
        return operations().form(self.message.type, self.opset)

    def arguments(self) -> Iterator[tuple[str, Any]]:
        """Each argument's parameter and binding; a variadic parameter is repeated."""
        for parameter, argument in sorted(self.message.inputs.items()):
            for binding in argument.arguments:
                yield parameter, binding

    def kind(self, binding: Any) -> Kind | None:
        """The type of an argument, or None if its name is unknown."""
        if binding.WhichOneof("binding") == "value":
            return kind_of(binding.value.type)
        return self.kinds.get(binding.name)

    def literal(self, parameter: str) -> Any:
        """The `Value` of a constant argument, or None."""
        if parameter not in self.message.inputs:
            return self.message.attributes.get(parameter)
        arguments = self.message.inputs[parameter].arguments
        if len(arguments) != 1:
            return None
        binding = arguments[0]
        return binding.value if binding.WhichOneof("binding") == "value" else self.constants.get(binding.name)


_LONGEST = 80


@dataclass(frozen=True, eq=False)
class Function:
    """A function: its message and the block of its opset (or None)."""

    name: str
    message: Any
    block: Any


@dataclass(frozen=True, eq=False)
class Package:
    """A Core ML package as read from its files. `root` is the folder, `model` the parsed message."""

    root: Path
    folder: Path
    model: Any

    @property
    def version(self) -> int:
        """The specification version."""
        return int(self.model.specificationVersion)

    @cached_property
    def functions(self) -> tuple[Function, ...]:
        """The program's functions, by name."""
        found = sorted(self.model.mlProgram.functions.items())
        return tuple(Function(n, f, f.block_specializations.get(f.opset)) for n, f in found)

    @property
    def descriptions(self) -> tuple[tuple[str, Any], ...]:
        """The interface of each function, by name; without named functions it is that of `main`."""
        description = self.model.description
        if description.functions:
            return tuple((f.name, f) for f in description.functions)
        return (("main", description),)

    @cached_property
    def operations(self) -> tuple[Operation, ...]:
        """All operations, those of nested blocks after the operation that contains them."""
        return tuple(op for f in self.functions if f.block is not None for op in _of_function(f))

    @cached_property
    def made_ahead(self) -> frozenset[str]:
        """Values that Core ML computes at load time: `constexpr_…`."""
        constant = (op for op in self.operations if op.message.type.startswith("constexpr_"))
        return frozenset(value.name for op in constant for value in op.message.outputs)

    def function(self, name: str) -> Function | None:
        """The function of that name."""
        return next((f for f in self.functions if f.name == name), None)


def _of_function(function: Function) -> Iterator[Operation]:
    kinds = {value.name: kind_of(value.type) for value in function.message.inputs}
    yield from _of_block(function.block, function, kinds, {})


def _of_block(block: Any, function: Function, kinds: dict[str, Kind], constants: dict[str, Any]) -> Iterator[Operation]:
    """Each operation sees the names defined before it: the scope grows with each, and a block gets a copy."""
    opset = opset_version(function.message.opset) or 0
    for message in block.operations:
        yield Operation(function.name, message, opset, kinds, constants)
        for inner in message.blocks:
            own = {**kinds, **{value.name: kind_of(value.type) for value in inner.inputs}}
            yield from _of_block(inner, function, own, dict(constants))
        for value in message.outputs:
            kinds[value.name] = kind_of(value.type)
        if message.type == "const" and message.outputs and "val" in message.attributes:
            constants[message.outputs[0].name] = message.attributes["val"]


def opset_version(name: str) -> int | None:
    """The specification version that introduced an opset: 6 (iOS 15) for `CoreML5`."""
    digits = name.removeprefix("CoreML")
    return int(digits) + 1 if name.startswith("CoreML") and digits.isdigit() else None


def read_package(path: Path) -> Package:
    """Raises `EdgecError` E0604 if it is not a package, E0603 for one without a program, E0502 without coremltools."""
    opened, messages = open_package(path), model_pb2()
    try:
        model = messages.Model.FromString(opened.model.read_bytes())
    except Exception as cause:  # DecodeError's module differs between protobuf implementations
        raise malformed(path, f"`{opened.model.name}` is not a Core ML model") from cause
    if model.WhichOneof("Type") != "mlProgram":
        raise error(
            "E0603", f"`{path.name}` is not an ML Program", help=["neural networks and pipelines have other rules"]
        )
    return Package(path, opened.model.parent, model)
