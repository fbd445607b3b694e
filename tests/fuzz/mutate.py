"""Mutations that break a file: of its bytes, and of a model's structure."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from random import Random

import onnx
from onnx import TensorProto, helper

Change = Callable[[onnx.ModelProto, Random], None]


def mutated_bytes(content: bytes, random: Random) -> bytes:
    """Flip a few bytes, or remove, duplicate or overwrite a part."""
    data = bytearray(content)
    for _ in range(random.randint(1, 4)):
        if not data:
            break
        at = random.randrange(len(data))
        end = min(len(data), at + random.randint(1, 64))
        match random.randrange(5):
            case 0:
                data[at] ^= 1 << random.randrange(8)
            case 1:
                del data[at:]
            case 2:
                del data[at:end]
            case 3:
                data[at:at] = data[at:end]
            case _:
                data[at:end] = random.randbytes(end - at)
    return bytes(data)


def mutated_member(archive: bytes, random: Random) -> bytes:
    """A valid archive with one broken member."""
    with zipfile.ZipFile(io.BytesIO(archive)) as whole:
        members = {name: whole.read(name) for name in whole.namelist()}
    chosen = random.choice(sorted(members))
    members[chosen] = mutated_bytes(members[chosen], random)
    broken = io.BytesIO()
    with zipfile.ZipFile(broken, "w") as changed:
        for name, content in members.items():
            changed.writestr(name, content)
    return broken.getvalue()


def mutated_model(model: onnx.ModelProto, random: Random) -> bytes:
    """Apply one to three structural changes."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for _ in range(random.randint(1, 3)):
        random.choice(_CHANGES)(copy, random)
    return copy.SerializeToString()


def _cycle(model: onnx.ModelProto, random: Random) -> None:
    node = random.choice(model.graph.node)
    if node.input:
        node.input[random.randrange(len(node.input))] = random.choice(model.graph.node).output[0]


def _duplicate_name(model: onnx.ModelProto, random: Random) -> None:
    random.choice(model.graph.node).output[0] = random.choice(model.graph.node).output[0]


def _dangling(model: onnx.ModelProto, random: Random) -> None:
    node = random.choice(model.graph.node)
    node.input.append("nowhere")


def _huge_shape(model: onnx.ModelProto, random: Random) -> None:
    tensors = [*model.graph.initializer]
    if tensors:
        random.choice(tensors).dims.append(random.choice([2**62, -1, 0, 2**31]))
    shape = random.choice(model.graph.input).type.tensor_type.shape
    if shape.dim:
        random.choice(shape.dim).dim_value = random.choice([2**62, 2**40, -5, 0, 100_000])


def _operator(model: onnx.ModelProto, random: Random) -> None:
    random.choice(model.graph.node).op_type = random.choice(
        ["Nothing", "", "Conv", "Reshape", "Loop", "If", "Gather", "Resize", "Einsum", "LSTM", "Pad", "TopK", "Split"]
    )


def _attribute(model: onnx.ModelProto, random: Random) -> None:
    node = random.choice(model.graph.node)
    value = random.choice([[10**9], [-1, -1], [0, 0, 0, 0], "text", 1e30, [2**62] * 4, []])
    name = random.choice(["axis", "axes", "pads", "strides", "perm", "kernel_shape", "to", "group", "equation"])
    kept = [a for a in node.attribute if a.name != name]
    del node.attribute[:]
    node.attribute.extend(kept)
    if value != []:
        node.attribute.append(helper.make_attribute(name, value))


def _element_type(model: onnx.ModelProto, random: Random) -> None:
    kind = random.choice([0, 99, TensorProto.STRING, TensorProto.BOOL, TensorProto.INT4, TensorProto.COMPLEX64])
    if model.graph.initializer and random.random() < 0.5:
        random.choice(model.graph.initializer).data_type = kind
    else:
        random.choice(model.graph.input).type.tensor_type.elem_type = kind


def _opset(model: onnx.ModelProto, random: Random) -> None:
    model.opset_import[0].version = random.choice([0, 1, 6, 7, 13, 25, 999, -1])


def _external(model: onnx.ModelProto, random: Random) -> None:
    if not model.graph.initializer:
        return
    tensor = random.choice(model.graph.initializer)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (
        ("location", random.choice(["../../etc/passwd", "/etc/passwd", "missing.bin", "", "."])),
        ("offset", random.choice(["0", "-8", "99999999999", "x"])),
        ("length", random.choice(["16", "-1", "99999999999999", "y"])),
    ):
        tensor.external_data.add(key=key, value=value)


def _drop(model: onnx.ModelProto, random: Random) -> None:
    field = random.choice([model.graph.node, model.graph.initializer, model.graph.output, model.graph.input])
    if len(field):
        del field[random.randrange(len(field))]
    if not model.graph.node or not model.graph.input:
        model.graph.node.append(helper.make_node("Identity", ["x"], ["y"]))
        model.graph.input.append(helper.make_tensor_value_info("x", TensorProto.FLOAT, [1]))


_CHANGES: list[Change] = [
    _cycle,
    _duplicate_name,
    _dangling,
    _huge_shape,
    _operator,
    _attribute,
    _element_type,
    _opset,
    _external,
    _drop,
]
