"""Models, and wrong lowerings of them, as changes of the canonical graph or of a target's program."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import onnx_ir as ir
import torch
import torch.nn.functional as F
from torch import nn

from edgec.backends.base import Array, Const, Instr, Operand, Program
from edgec.ir.model import Model, constant


class Heat(nn.Module):
    """A detector's heat map without objects: 1e-5 everywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.head = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.Conv2d(8, 1, 1)
        nn.init.constant_(self.head.bias, -11.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(self.head(torch.relu(self.norm(self.conv(x)))))


class Unit(nn.Module):
    """Unit vectors, and the differences of their lengths to 1, which are only rounding."""

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        q = F.normalize(x, dim=-1)
        return q, (q * q).sum(-1) - 1


class Upscale(nn.Module):
    """A pixel shuffle, a grouped transposed convolution, and a bicubic resize."""

    def __init__(self) -> None:
        super().__init__()
        self.shuffle, self.up = nn.PixelShuffle(2), nn.ConvTranspose2d(3, 3, 4, 2, 1, groups=3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.interpolate(self.up(self.shuffle(x)), size=(11, 17), mode="bicubic", align_corners=True)


class Ordinary(nn.Module):
    """A bit of everything: an image, then tokens, then counts."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.Conv2d(8, 8, 3, padding=1)
        self.norm, self.mix = nn.LayerNorm(8), nn.Linear(8, 8)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        y = F.max_pool2d(F.gelu(self.conv1(x)), 3, 2, 1)
        y = torch.relu(self.conv2(F.interpolate(y, (7, 7), mode="bilinear")))
        tokens = self.norm(y.flatten(2).transpose(1, 2))
        seen = torch.softmax(tokens @ tokens.transpose(1, 2) / 8**0.5, -1) @ tokens
        apart = self.mix(tokens) - seen
        return apart, torch.ceil(apart.cumsum(1)), apart.mean(1)


MODELS: dict[type[nn.Module], tuple[int, ...]] = {
    Heat: (1, 3, 12, 12), Unit: (4, 4), Upscale: (1, 12, 4, 5), Ordinary: (1, 3, 16, 16),
}  # fmt: skip
"""The shape of each model's input."""

GraphChange = Callable[[Model], None]
ProgramChange = Callable[[Program], Program]


def _node(model: Model, op: str, index: int) -> ir.Node:
    return [node for node in model.graph if node.op_type == op][index]


def attribute(op: str, name: str, value: Any, index: int = 0) -> GraphChange:
    """Change an attribute of an operator."""

    def change(model: Model) -> None:
        _node(model, op, index).attributes[name] = ir.convenience.convert_attribute(name, value)

    return change


def parameter(op: str, place: int, made: Callable[[Array], Array], index: int = 0) -> GraphChange:
    """Change a constant operand of an operator."""

    def change(model: Model) -> None:
        node = _node(model, op, index)
        old = constant(node.inputs[place])
        assert old is not None
        other = ir.node("Constant", [], {"value": ir.tensor(np.ascontiguousarray(made(old).astype(old.dtype)))})
        model.graph.insert_before(node, [other])
        node.replace_input_with(place, other.outputs[0])

    return change


def swapped(op: str, index: int = 0) -> GraphChange:
    """Exchange the operands of an operator."""

    def change(model: Model) -> None:
        node = _node(model, op, index)
        first, second = node.inputs
        node.replace_input_with(0, second)
        node.replace_input_with(1, first)

    return change


def instead(op: str, other: str, index: int = 0) -> GraphChange:
    """Replace an operator by another one with the same operands and no attributes."""

    def change(model: Model) -> None:
        node = _node(model, op, index)
        made = ir.node(other, node.inputs)
        made.outputs[0].type, made.outputs[0].shape = node.outputs[0].type, node.outputs[0].shape
        model.graph.insert_after(node, [made])
        ir.convenience.replace_all_uses_with(node.outputs[0], made.outputs[0], replace_graph_outputs=True)
        made.outputs[0].name, node.outputs[0].name = node.outputs[0].name, "before"

    return change


def _at(op: str, index: int, made: Callable[[Instr], Instr]) -> ProgramChange:
    def change(program: Program) -> Program:
        at = [i for i, instr in enumerate(program.instrs) if instr.op == op][index]
        instrs = [made(instr) if i == at else instr for i, instr in enumerate(program.instrs)]
        return replace(program, instrs=tuple(instrs))

    return change


def attrs(op: str, index: int = 0, **values: Any) -> ProgramChange:
    """Change attributes of an instruction."""
    return _at(op, index, lambda instr: replace(instr, attrs=tuple((dict(instr.attrs) | values).items())))


def operand(op: str, name: str, made: Callable[[Array], Array], index: int = 0) -> ProgramChange:
    """Change a constant operand of an instruction."""

    def other(given: Any) -> Operand:
        assert isinstance(given, Const)
        array = np.ascontiguousarray(made(given.numpy()).astype(given.numpy().dtype))
        return replace(given, tensor=ir.tensor(array, name=given.name))

    def change(instr: Instr) -> Instr:
        return replace(instr, inputs=tuple((n, other(v) if n == name else v) for n, v in instr.inputs))

    return _at(op, index, change)


def exchanged(op: str, first: str, second: str, index: int = 0) -> ProgramChange:
    """Exchange two operands of an instruction."""

    def change(instr: Instr) -> Instr:
        given = dict(instr.inputs)
        return replace(instr, inputs=tuple((given | {first: given[second], second: given[first]}).items()))

    return _at(op, index, change)
