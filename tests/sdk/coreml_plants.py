"""Violations of Core ML's requirements, one for each row of the ledger, planted in packages built by coremltools."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgec.runners.mil.package import open_package
from edgec.runners.mil.proto import model_pb2


class Planted:
    """A package to be modified: its message, the parts that are modified most, and its folder."""

    def __init__(self, path: Path) -> None:
        self.path, self.file = path, open_package(path).model
        self.model = model_pb2().Model.FromString(self.file.read_bytes())
        self.description = self.model.description
        self.function = next(iter(self.model.mlProgram.functions.values()))
        self.block = self.function.block_specializations[self.function.opset]
        self.blob = self.file.parent / "weights/weight.bin"

    def op(self, kind: str) -> Any:
        return next(op for op in self.block.operations if op.type == kind)

    def save(self) -> None:
        self.file.write_bytes(self.model.SerializeToString())

    def rename(self, old: str, new: str) -> None:
        """Rename a value everywhere."""
        for op in self.block.operations:
            for value in (*op.outputs, *(b for a in op.inputs.values() for b in a.arguments)):
                if value.name == old:
                    value.name = new

    @property
    def inner(self) -> str:
        """The name of an inner value."""
        return self.op("relu").outputs[0].name

    @property
    def weight(self) -> Any:
        """The `Value` of a weight in the weight file."""
        ops = (op for op in self.block.operations if op.type == "const")
        return next(o.attributes["val"] for o in ops if o.attributes["val"].WhichOneof("value") == "blobFileValue")

    @property
    def array(self) -> Any:
        return self.description.input[0].type.multiArrayType

    @property
    def image(self) -> Any:
        return self.description.input[0].type.imageType

    def poke(self, at: int, layout: str, value: int) -> None:
        """Write a number into the weight file."""
        content = bytearray(self.blob.read_bytes())
        struct.pack_into(layout, content, at, value)
        self.blob.write_bytes(bytes(content))

    def reopcode(self, name: str) -> None:
        """Change the function's opset."""
        moved = model_pb2().Model.FromString(self.model.SerializeToString())
        (function,) = moved.mlProgram.functions.values()
        block = function.block_specializations[function.opset]
        self.function.block_specializations[name].CopyFrom(block)
        self.function.opset = name


class Text:
    """A repeated text field that is replaced as a whole."""

    def __init__(self, message: Any) -> None:
        object.__setattr__(self, "message", message)

    def __setattr__(self, name: str, values: list[str]) -> None:
        self.message.values[:] = values


def set_(**values: Any) -> Callable[[Any], None]:
    """Set attributes by dotted names."""

    def spoil(message: Any) -> None:
        for name, value in values.items():
            setattr(message, name, value)

    return spoil


def swap(p: Planted) -> None:
    ops = list(p.block.operations)
    at = next(i for i, op in enumerate(ops) if op.type == "relu")
    order = [*ops[:at], *ops[at + 1 :], ops[at]]
    copies = [type(op).FromString(op.SerializeToString()) for op in order]
    del p.block.operations[:]
    p.block.operations.extend(copies)


def drop(message: Any, key: str) -> None:
    del message[key]


def literal(p: Planted) -> Any:
    """The value of an immediate number."""
    ops = (op for op in p.block.operations if op.type == "const")
    values = (op.attributes["val"] for op in ops)
    return next(v for v in values if v.immediateValue.tensor.WhichOneof("value") == "ints")


def other_field(p: Planted) -> None:
    tensor = literal(p).immediateValue.tensor
    numbers = list(tensor.ints.values)
    tensor.longInts.values.extend(numbers)


def other_outputs(p: Planted) -> None:
    p.function.block_specializations["CoreML7"].CopyFrom(p.block)
    p.function.block_specializations["CoreML7"].outputs[0] = p.inner


def may_be_left_out(p: Planted) -> None:
    p.description.input[0].type.isOptional = True


def add_input(p: Planted, name: str = "spare") -> None:
    """Add an unused input to the program and the interface."""
    p.function.inputs.add().CopyFrom(p.function.inputs[0])
    p.function.inputs[-1].name = name
    p.description.input.add().CopyFrom(p.description.input[0])
    p.description.input[-1].name = name


def text_of(p: Planted, op: str, parameter: str) -> Any:
    """The text of a constant parameter, to be modified in place."""
    name = p.op(op).inputs[parameter].arguments[0].name
    made = next(o for o in p.block.operations if o.outputs and o.outputs[0].name == name)
    return made.attributes["val"].immediateValue.tensor.strings


def odd_key(p: Planted) -> None:
    p.op("relu").attributes["a.b"].CopyFrom(p.op("relu").attributes["name"])


def own_name(op: Any) -> Any:
    return op.attributes["name"].immediateValue.tensor.strings


def rank_six(p: Planted) -> None:
    dimensions = p.op("relu").outputs[0].type.tensorType.dimensions
    for _ in range(2):
        dimensions.add().constant.size = 1


def manifest(p: Planted, change: Callable[[dict[str, Any]], None]) -> None:
    path = p.path / "Manifest.json"
    document = json.loads(path.read_text())
    change(document["itemInfoEntries"])
    path.write_text(json.dumps(document))


def weights_entry(entries: dict[str, Any]) -> str:
    return next(key for key, entry in entries.items() if "weights" in entry["path"])


def state_of(p: Planted) -> Any:
    return next(v for v in p.function.inputs if v.type.WhichOneof("type") == "stateType").type.stateType.wrappedType


def listed(p: Planted) -> Any:
    return p.array.enumeratedShapes.shapes


def many_sizes(p: Planted) -> None:
    for side in range(130):
        listed(p).add().shape.extend([1, 3, 32 + side, 16])


def other_scalar(p: Planted) -> None:
    """One operand of a multiplication declared with another type."""
    name = p.op("mul").inputs["y"].arguments[0].name
    made = next(o for o in p.block.operations if o.outputs and o.outputs[0].name == name)
    made.outputs[0].type.tensorType.dataType = 11
    made.attributes["val"].type.tensorType.dataType = 11


def string_relu(p: Planted) -> None:
    """A boolean where floats are required."""
    p.op("max_pool").outputs[0].type.tensorType.dataType = 1


def make_constant_computed(p: Planted) -> None:
    p.op("concat").inputs["axis"].arguments[0].name = p.inner


def two_in_scope(p: Planted) -> None:
    op = next(o for o in p.block.operations if o.type == "const")
    p.block.operations.add().CopyFrom(op)


def no_results(p: Planted) -> None:
    del p.op("relu").outputs[:]


def no_labels(p: Planted) -> None:
    del p.op("classify").inputs["classes"].arguments[0].value.immediateValue.list.values[1:]


def drop_block(p: Planted) -> None:
    del p.op("cond").blocks[1:]


def output_twice(p: Planted) -> None:
    p.block.outputs.append(p.block.outputs[0])


def feature_twice(p: Planted) -> None:
    p.description.output.add().CopyFrom(p.description.output[0])


def read_an_input(p: Planted) -> None:
    p.op("read_state").inputs["input"].arguments[0].name = next(
        v.name for v in p.function.inputs if v.type.WhichOneof("type") == "tensorType"
    )


def bool_output(p: Planted) -> None:
    made = next(o for o in p.block.operations if o.outputs and o.outputs[0].name == p.block.outputs[0])
    made.outputs[0].type.tensorType.dataType = 1


def state_before(p: Planted) -> None:
    p.model.specificationVersion = 8


def old_half_image(p: Planted) -> None:
    p.model.specificationVersion = 6
    p.function.inputs[0].type.tensorType.dataType = 10


def functions_without_default(p: Planted) -> None:
    p.description.defaultFunctionName = "third"


PLANTS: dict[str, tuple[str, Callable[[Planted], None]]] = {
    "name-identifier": ("plain", lambda p: p.rename(p.inner, "relu/1")),
    "name-reserved": ("plain", lambda p: p.rename(p.inner, "tensor")),
    "attribute-identifier": ("plain", odd_key),
    "name-unique": ("plain", two_in_scope),
    "name-defined": ("plain", swap),
    "operation-name": ("plain", lambda p: set_(values=["relu/1"])(Text(own_name(p.op("relu"))))),
    "interface-unique": ("plain", feature_twice),
    "specification-version": ("plain", lambda p: set_(specificationVersion=5)(p.model)),
    "program-version": ("plain", lambda p: set_(version=2)(p.model.mlProgram)),
    "opset-known": ("plain", lambda p: p.reopcode("CoreML4")),
    "opset-fits-version": ("plain", lambda p: set_(specificationVersion=8)(p.model)),
    "opset-block": ("plain", lambda p: set_(opset="CoreML7")(p.function)),
    "operation-known": ("plain", lambda p: set_(type="leaky_gelu")(p.op("relu"))),
    "parameter-known": ("plain", lambda p: p.op("relu").inputs["slope"].CopyFrom(p.op("relu").inputs["x"])),
    "parameter-required": ("plain", lambda p: drop(p.op("concat").inputs, "interleave")),
    "parameter-explicit": ("plain", lambda p: drop(p.op("conv").inputs, "groups")),
    "parameter-constant": ("plain", make_constant_computed),
    "operand-type": ("plain", string_relu),
    "operand-one-type": ("plain", other_scalar),
    "result-rank": ("plain", rank_six),
    "cast-type": ("old", lambda p: set_(values=["int16"])(Text(text_of(p, "cast", "dtype")))),
    "operation-results": ("plain", no_results),
    "operation-blocks": ("fork", drop_block),
    "parameter-word": ("plain", lambda p: set_(values=["valid_ish"])(Text(text_of(p, "conv", "pad_type")))),
    "functions": ("several", functions_without_default),
    "specializations": ("plain", other_outputs),
    "not-updatable": ("plain", lambda p: set_(isUpdatable=True)(p.model)),
    "type-known": ("plain", lambda p: set_(dataType=0)(p.op("relu").outputs[0].type.tensorType)),
    "type-rank": ("plain", lambda p: set_(rank=2)(p.op("relu").outputs[0].type.tensorType)),
    "value-shape": ("plain", lambda p: p.weight.type.tensorType.dimensions[0].unknown.SetInParent()),
    "value-field": ("plain", other_field),
    "value-elements": ("plain", lambda p: literal(p).immediateValue.tensor.ints.values.append(7)),
    "argument-number": ("plain", lambda p: p.op("relu").inputs["x"].arguments.add().CopyFrom(
        p.op("relu").inputs["x"].arguments[0])),
    "state-type": ("state", lambda p: set_(dataType=11)(state_of(p).tensorType)),
    "state-version": ("state", state_before),
    "state-use": ("state", read_an_input),
    "state-interface": ("state", lambda p: p.description.state[0].type.multiArrayType.CopyFrom(p.array)),
    "input-used": ("plain", add_input),
    "output-once": ("plain", output_twice),
    "output-some": ("plain", lambda p: p.description.output.pop()),
    "interface-agrees": ("plain", lambda p: set_(name="image")(p.description.input[0])),
    "interface-kind": ("plain", lambda p: p.description.input[0].type.stringType.SetInParent()),
    "interface-type": ("plain", lambda p: set_(dataType=131104)(p.array)),
    "interface-shape": ("plain", lambda p: p.array.shape.append(1)),
    "interface-array-type": ("old", lambda p: set_(dataType=65552)(p.array)),
    "interface-program-type": ("plain", bool_output),
    "interface-dimensions": ("plain", lambda p: p.array.ClearField("shape")),
    "image-program": ("image", lambda p: set_(colorSpace=10)(p.image)),
    "image-size": ("image", lambda p: set_(width=0)(p.image)),
    "interface-optional": ("plain", may_be_left_out),
    "image-version": ("image", old_half_image),
    "classifier-features": ("image", lambda p: set_(predictedFeatureName="label")(p.description)),
    "classifier-classes": ("image", no_labels),
    "flexible-order": ("range", lambda p: set_(lowerBound=64)(p.array.shapeRange.sizeRanges[2])),
    "flexible-rank": ("range", lambda p: p.array.shapeRange.sizeRanges.pop()),
    "flexible-default": ("range", lambda p: set_(upperBound=15)(p.array.shapeRange.sizeRanges[2])),
    "flexible-end": ("range", lambda p: set_(upperBound=-1)(p.array.shapeRange.sizeRanges[2])),
    "flexible-listed-default": ("listed", lambda p: p.array.shape.__setitem__(2, 20)),
    "flexible-listed": ("listed", many_sizes),
    "flexible-listed-inputs": ("listed", add_input),
    "flexible-program": ("range", lambda p: p.array.ClearField("ShapeFlexibility")),
    "package-entries": ("plain", lambda p: manifest(p, lambda e: e.pop(weights_entry(e)))),
    "weight-file": ("plain", lambda p: set_(fileName="@model_path/weights/0.bin")(p.weight.blobFileValue)),
    "weight-header": ("plain", lambda p: p.poke(4, "<I", 1)),
    "weight-sentinel": ("plain", lambda p: p.poke(p.weight.blobFileValue.offset, "<I", 1)),
    "weight-alignment": ("plain", lambda p: p.poke(p.weight.blobFileValue.offset + 16, "<Q", 132)),
    "weight-type": ("plain", lambda p: p.poke(p.weight.blobFileValue.offset + 4, "<I", 2)),
    "weight-size": ("plain", lambda p: p.poke(p.weight.blobFileValue.offset + 8, "<Q", 2)),
    "weight-version": ("old", lambda p: set_(dataType=32)(p.weight.type.tensorType)),
}  # fmt: skip
"""For each row, the package in which its violation is planted, and how."""
