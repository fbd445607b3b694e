"""LSTM, GRU and RNN over many time steps, as a loop over blocks of steps, each a shorter recurrent node."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import static_shape
from edgec.ops.base import Reader, Value
from edgec.ops.recurrent import Recurrent
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule
from edgec.rules.decompose.cells import Squash, squashes

LONGEST = 64
"""The most steps that are fully unrolled. Measured on XNNPACK (batch 1, hidden size 64): at 64 steps a loop takes 1.4
times as long as unrolled code, at 128 as long, at 256 a third, at 512 an eighth."""

_LONGEST_BLOCK = 32
"""Steps per block: the loop copies its carried values, including the results of all steps, once per block."""

_PACKED_BYTES = 8 << 20
"""The most bytes of recurrent weights per block. XNNPACK packs a copy for each product, so that unrolled steps read
them from memory: with hidden size 256 (1 MiB) blocks of 8 take a third of the time of blocks of 32."""


class RecurrentToBlocks(Rule):
    """LSTM, GRU and RNN of many steps -> a Loop over blocks of steps, and one node for the remaining steps.

    LiteRT's sequence kernels are no alternative: `docs/adr/0005-recurrences-are-loops.md`.
    """

    name = "recurrent-to-blocks"
    roots = ("LSTM", "GRU", "RNN")
    examples = (
        Example(
            "float[130,1,2] x",
            "y, h = RNN<hidden_size = 3>(x, w, r)",
            "t = Slice(x, c, d, e)  z = Reshape(t, f)  v, o = Loop<body = …>(g, , h, p)  k = Reshape(o, q)  "
            "l = Slice(x, r, s, w)  "
            'm, n = RNN<activations = [Tanh], direction = "forward", hidden_size = 3>(l, w, r, , , v)  '
            "y = Concat<axis = 0>(k, m)",
            constants="float[1,3,2] w = {1, 2, 3, 4, 5, 6}, float[1,3,3] r = {0, 1, 0, 0, 0, 1, 1, 0, 0}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = Recurrent.decode(Reader(node))
        shape = static_shape(op.x)
        if shape is None or op.batch_first or op.hidden == 0:
            return Miss("the shape is not static")
        block = _block(op)
        if shape[0] <= block or (shape[0] <= LONGEST and shape[0] * _weight_bytes(op) <= _PACKED_BYTES):
            return NOT_HERE
        chosen = squashes(op)
        if chosen is None:
            return Miss("an activation is not one of ONNX's")
        each = len(chosen) // op.directions
        runs = [_Direction(op, d, chosen[d * each : (d + 1) * each], block, g).run() for d in range(op.directions)]
        return [_joined([run[i] for run in runs], 1 if i == 0 else 0, g) for i in range(len(node.outputs))]


def _weight_bytes(op: Recurrent) -> int:
    """Bytes of the recurrent weights of one direction, in float32."""
    return 4 * math.prod((static_shape(op.r) or (0,))[1:])


def _block(op: Recurrent) -> int:
    """The number of steps of a block, a power of 2."""
    fitting = min(_LONGEST_BLOCK, _PACKED_BYTES // max(_weight_bytes(op), 1))
    return 1 << max(fitting.bit_length() - 1, 0)


def _joined(parts: Sequence[Value], axis: int, g: GraphBuilder) -> Value:
    return parts[0] if len(parts) == 1 else g.op("Concat", *parts, axis=axis)


@dataclass(frozen=True)
class _Weights:
    """One direction's weights of a recurrent node; lengths and states change from block to block."""

    w: Value | None
    r: Value | None
    b: Value | None
    peephole: Value | None


class _Direction:
    """One direction over all steps: results are Y (T, 1, B, H), then the last states (1, B, H)."""

    def __init__(self, op: Recurrent, index: int, chosen: Sequence[Squash], block: int, g: GraphBuilder) -> None:
        shape = static_shape(op.x)
        assert shape is not None
        self._op, self._index, self._g, self._chosen, self._block = op, index, g, chosen, block
        self._steps, self._batch, _ = shape
        self._reverse = op.direction == "reverse" or index == 1
        self._shows_steps = bool(op.y.name and (list(op.y.uses()) or op.y.is_graph_output()))
        self._weights = _Weights(*(self._part(v) for v in (op.w, op.r, op.b, op.peephole)))

    def run(self) -> list[Value]:
        """The blocks and the remaining steps, in the direction's order."""
        count = self._steps // self._block
        split = count * self._block
        states = [self._initial(v) for v in ((self._op.h0, self._op.c0) if self._op.kind == "LSTM" else (self._op.h0,))]
        if split == self._steps:
            return self._loop(count, states)
        if self._reverse:
            after, *states = self._rest(split, states)
            before, *states = self._loop(count, states)
        else:
            before, *states = self._loop(count, states)
            after, *states = self._rest(split, states)
        y = self._g.op("Concat", before, after, axis=0) if self._shows_steps else after
        return [y, *states]

    def _rest(self, start: int, states: Sequence[Value]) -> list[Value]:
        """The remaining steps, outside the blocks."""
        g = self._g
        x = g.op("Slice", self._op.x, g.ints(start), g.ints(self._steps), g.ints(0))
        return self._node(x, self._lengths(g.const(start), self._steps - start, g), states, g)

    def _loop(self, count: int, states: Sequence[Value]) -> list[Value]:
        """Y and the last states of `count` blocks."""
        g, op = self._g, self._op
        shape = (count, self._block, self._batch, op.hidden)
        carried = list(states)
        if self._shows_steps:
            zero = np.zeros(1, dtype=None if op.x.dtype is None else op.x.dtype.numpy())
            carried.append(g.op("ConstantOfShape", g.ints(*shape), value=ir.Tensor(zero)))
        body = self._body(count, [(v.type, v.shape) for v in carried])
        found = list(g.multi("Loop", len(carried), g.const(count), None, *carried, body=body))
        for value, given in zip(found, carried, strict=True):
            value.type, value.shape = given.type, given.shape
        y = found.pop() if self._shows_steps else None
        joined = found[0] if y is None else g.op("Reshape", y, g.ints(count * self._block, 1, self._batch, op.hidden))
        return [joined, *found]

    def _body(self, count: int, carried: Sequence[tuple[ir.TypeProtocol | None, ir.Shape | None]]) -> ir.Graph:
        """One block: slice its input, run the shorter node, and write its results."""
        label = f"{self._op.node.name or 'recurrent'}/block{self._index}"
        number = ir.Value(name=f"{label}/number", shape=ir.Shape([]), type=ir.TensorType(ir.DataType.INT64))
        going = ir.Value(name=f"{label}/going", shape=ir.Shape([]), type=ir.TensorType(ir.DataType.BOOL))
        states = [ir.Value(name=f"{label}/state{i}", type=t, shape=s) for i, (t, s) in enumerate(carried)]
        body = ir.Graph([number, going, *states], [], nodes=[], name=label)
        rule = f"{RecurrentToBlocks.name}.block{self._index}"
        g = GraphBuilder(body, [self._op.node], rule)
        at = g.op("Sub", g.const(count - 1), number) if self._reverse else number
        y = states.pop() if self._shows_steps else None
        x = g.op("Gather", self._blocks(count), at, axis=0)
        lengths = self._lengths(g.op("Mul", at, g.const(self._block)), self._block, g)
        made, *after = self._node(x, lengths, states, g)
        if y is not None:
            block = g.op("Reshape", made, g.ints(1, self._block, self._batch, self._op.hidden))
            after.append(g.op("ScatterND", y, g.op("Reshape", at, g.ints(1, 1)), block))
        body.extend(g.nodes)
        further = GraphBuilder(body, [self._op.node], f"{rule}.going")
        body.outputs.extend([further.op("Identity", going), *after])
        body.extend(further.nodes)
        return body

    def _blocks(self, count: int) -> Value:
        """The input of all blocks (count, self._block, B, I), prepared before the loop."""
        g, x = self._g, self._op.x
        if count * self._block < self._steps:
            x = g.op("Slice", x, g.ints(0), g.ints(count * self._block), g.ints(0))
        return g.op("Reshape", x, g.ints(count, self._block, self._batch, -1))

    def _node(self, x: Value, lengths: Value | None, states: Sequence[Value], g: GraphBuilder) -> list[Value]:
        """The recurrent node of one direction on some of the steps."""
        op, weights = self._op, self._weights
        inputs = [x, weights.w, weights.r, weights.b, lengths, *states]
        if weights.peephole is not None:
            inputs.append(weights.peephole)
        given = [s for s in self._chosen if s.parameters]
        attributes: dict[str, Any] = {
            "activations": [s.kind for s in self._chosen],
            "activation_alpha": [s.alpha for s in given] or None,
            "activation_beta": [s.beta for s in given if s.parameters > 1] or None,
            "direction": "reverse" if self._reverse else "forward",
            "hidden_size": op.hidden,
            "clip": op.clip or None,
            "input_forget": int(op.input_forget) or None,
            "linear_before_reset": int(op.linear_before_reset) or None,
        }
        return list(g.multi(op.kind, 1 + len(states), *inputs, **attributes))

    def _lengths(self, start: Value, steps: int, g: GraphBuilder) -> Value | None:
        """The number of steps of each sequence within the `steps` from `start` on."""
        lengths = self._op.lengths
        if lengths is None:
            return None
        left = g.op("Sub", lengths, g.op("Cast", start, to=int(ir.DataType.INT32)))
        return g.op("Clip", left, g.like(0, lengths), g.like(steps, lengths))

    def _part(self, value: Value | None) -> Value | None:
        """This direction's part of a weight or state (D, …), with the axis kept."""
        if value is None or self._op.directions == 1:
            return value
        g = self._g
        return g.op("Slice", value, g.ints(self._index), g.ints(self._index + 1), g.ints(0))

    def _initial(self, value: Value | None) -> Value:
        g, op = self._g, self._op
        part = self._part(value)
        return g.const(np.zeros((1, self._batch, op.hidden)), dtype=op.x.dtype) if part is None else part
