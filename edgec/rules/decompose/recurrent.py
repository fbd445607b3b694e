"""Unrolls LSTM, GRU and RNN of static length; the inputs of all steps are projected in one product."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import constant, static_shape
from edgec.ops.base import Reader, Value
from edgec.ops.recurrent import Recurrent
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule
from edgec.rules.decompose.cells import Cell, Gates, Gru, Lstm, Rnn, Squash, State, squashes

LONGEST = 512
"""The largest number of unrolled steps: an LSTM takes about 12 instructions for each."""


class RecurrentToSequenceFirst(Rule):
    """LSTM, GRU and RNN with layout 1 (batch first) -> layout 0 between transposes."""

    name = "recurrent-to-sequence-first"
    roots = ("LSTM", "GRU", "RNN")
    examples = (
        Example(
            "float[2,3,4] x",
            "y = RNN<layout = 1, hidden_size = 5>(x, w, r)",
            "t = Transpose<perm = [1, 0, 2]>(x)  s = RNN<hidden_size = 5>(t, w, r)  "
            "y = Transpose<perm = [2, 0, 1, 3]>(s)",
            constants=f"float[1,5,4] w = {{{', '.join(['0.1'] * 20)}}}, float[1,5,5] r = {{{', '.join(['0.2'] * 25)}}}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        r = Reader(node)
        if not r.integer("layout", 0):
            return NOT_HERE
        swapped = {0, 5, 6}  # x, the initial hidden state and the initial cell
        inputs = [
            g.op("Transpose", v, perm=[1, 0, 2]) if v is not None and i in swapped else v
            for i, v in enumerate(node.inputs)
        ]
        attributes = {k: a.value for k, a in node.attributes.items() if k != "layout"}
        outputs = g.multi(node.op_type, len(node.outputs), *inputs, **attributes)
        perms = ([2, 0, 1, 3], [1, 0, 2], [1, 0, 2])
        return [
            g.op("Transpose", new, perm=perm) if old.name else new
            for old, new, perm in zip(node.outputs, outputs, perms, strict=False)
        ]


class UnrollRecurrent(Rule):
    """LSTM, GRU and RNN of static length -> one MatMul for the inputs of all steps, then each step."""

    name = "unroll-recurrent"
    roots = ("LSTM", "GRU", "RNN")
    examples = (
        Example(
            "float[2,1,3] x",
            "y = RNN<hidden_size = 2>(x, w, r)",
            "c = Gather<axis = 0>(r, i)  d = Transpose<perm = [1, 0]>(c)  s = Reshape(x, a)  "
            "g = Gather<axis = 0>(w, i)  t = Transpose<perm = [1, 0]>(g)  m = MatMul(s, t)  "
            "u, v = Split<axis = 0>(m, b)  e = Tanh(u)  f = MatMul(e, d)  h = Add(v, f)  k = Tanh(h)  "
            "n = Concat<axis = 0>(e, k)  y = Reshape(n, o)",
            constants="float[1,2,3] w = {1, 2, 3, 4, 5, 6}, float[1,2,2] r = {0.5, -1, 1, 0.25}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = Recurrent.decode(Reader(node))
        shape = static_shape(op.x)
        if shape is None or op.batch_first or op.hidden == 0:
            return Miss("the shape is not static")
        if shape[0] > LONGEST:
            return Miss(f"{shape[0]} steps are more than {LONGEST}")
        chosen = squashes(op)
        if chosen is None:
            return Miss("an activation is not defined by ONNX")
        per_direction = len(chosen) // op.directions
        runs = [
            Direction(op, d, chosen[d * per_direction : (d + 1) * per_direction], g).run() for d in range(op.directions)
        ]
        return [_joined(node, i, runs, shape[:2], op, g) for i in range(len(node.outputs))]


def _joined(
    node: ir.Node, index: int, runs: list[Run], steps_and_batch: tuple[int, ...], op: Recurrent, g: GraphBuilder
) -> Value:
    """Output `index` from its directions: all states (T, D, B, H), the last state or the last cell (D, B, H)."""
    if not node.outputs[index].name:
        return runs[0].last
    steps, batch = steps_and_batch
    if index == 0:
        shaped = [g.op("Reshape", g.op("Concat", *r.states, axis=0), g.ints(steps, 1, batch, op.hidden)) for r in runs]
        return shaped[0] if len(shaped) == 1 else g.op("Concat", *shaped, axis=1)
    found = [r.last if index == 1 or r.cell is None else r.cell for r in runs]
    shaped = [g.op("Reshape", v, g.ints(1, batch, op.hidden)) for v in found]
    return shaped[0] if len(shaped) == 1 else g.op("Concat", *shaped, axis=0)


@dataclass(frozen=True)
class Run:
    """The results of one direction: the states (B, H) in input order, the last state, the last cell state."""

    states: list[Value]
    last: Value
    cell: Value | None


class RecurrentDirection:
    """One direction of a recurrent operator: its weights, its cell, and the projection of its inputs."""

    def __init__(self, op: Recurrent, index: int, chosen: list[Squash], g: GraphBuilder) -> None:
        self._op, self._index, self._g = op, index, g
        self._reverse = op.direction == "reverse" or index == 1
        self._cell = self._make_cell(chosen)

    def _part(self, value: Value) -> Value:
        """This direction's part of a weight or state, without the axis of directions."""
        return self._g.op("Gather", value, self._g.const(self._index), axis=0)

    def _make_cell(self, chosen: list[Squash]) -> Cell:
        """The cell, with the recurrent weights and those biases that cannot be added to the projected input."""
        op, g = self._op, self._g
        r = g.op("Transpose", self._part(op.r), perm=[1, 0])
        gates = Gates(op.hidden, chosen, op.clip)
        if op.kind == "RNN":
            return Rnn(gates, r)
        if op.kind == "LSTM":
            peephole = None if op.peephole is None or _all_zero(op.peephole) else self._part(op.peephole)
            parts = None if peephole is None else g.multi("Split", 3, peephole, g.ints(*(op.hidden,) * 3), axis=0)
            return Lstm(gates, r, parts, op.input_forget)
        bias = None
        if op.linear_before_reset and op.b is not None:
            h = op.hidden
            bias = g.op("Slice", self._part(op.b), g.ints(5 * h), g.ints(6 * h), g.ints(0))
        r_zr, r_n = gates.split(r, (2, 1), g)
        return Gru(gates, r_zr, r_n, bias, op.linear_before_reset)

    def _projected(self, x: Value) -> Value:
        """x W^T + b for every row of x."""
        op, g = self._op, self._g
        found = g.op("MatMul", x, g.op("Transpose", self._part(op.w), perm=[1, 0]))
        return found if op.b is None or _all_zero(op.b) else g.op("Add", found, self._bias(op.b))

    def _bias(self, b: Value) -> Value:
        """The sum of both biases; if a GRU resets after its product, without the recurrent bias of the candidate."""
        op, g = self._op, self._g
        part, width = self._part(b), (static_shape(b) or (0, 0))[1] // 2
        first = g.op("Slice", part, g.ints(0), g.ints(width), g.ints(0))
        second = g.op("Slice", part, g.ints(width), g.ints(2 * width), g.ints(0))
        if op.kind == "GRU" and op.linear_before_reset:
            kept = np.repeat([1.0, 1.0, 0.0], op.hidden)
            second = g.op("Mul", second, g.const(kept, dtype=b.dtype))
        return g.op("Add", first, second)

    def _initial(self, value: Value | None) -> Value | None:
        """The initial state (B, H), or None for zeros."""
        return None if value is None or _all_zero(value) else self._part(value)


class Direction(RecurrentDirection):
    """One direction with a static number of steps."""

    def __init__(self, op: Recurrent, index: int, chosen: list[Squash], g: GraphBuilder) -> None:
        super().__init__(op, index, chosen, g)
        shape = static_shape(op.x)
        assert shape is not None
        self._steps, self._batch, self._inputs = shape

    def run(self) -> Run:
        """All steps, in reverse order if the direction is."""
        projected = self._project()
        h, c = self._initial(self._op.h0), self._initial(self._op.c0)
        state = State(h, c)
        states: dict[int, Value] = {}
        for t in reversed(range(self._steps)) if self._reverse else range(self._steps):
            new = self._cell.step(projected[t], state, self._g)
            states[t], state = self._masked(t, new, state)
        assert state.h is not None
        return Run([states[t] for t in range(self._steps)], state.h, state.c)

    def _project(self) -> list[Value]:
        """x W^T + b for all steps: one product on (T * B, I), split into (B, G * H)."""
        op, g = self._op, self._g
        found = self._projected(g.op("Reshape", op.x, g.ints(self._steps * self._batch, self._inputs)))
        if self._steps == 1:
            return [found]
        return list(g.multi("Split", self._steps, found, g.ints(*(self._batch,) * self._steps), axis=0))

    def _masked(self, t: int, new: State, old: State) -> tuple[Value, State]:
        """The output and state after step t: rows whose sequence has ended output zeros and keep their state."""
        lengths, g = self._op.lengths, self._g
        assert new.h is not None
        known = None if lengths is None else constant(lengths)
        if lengths is None or (known is not None and bool((known.astype(np.int64) > t).all())):
            return new.h, new
        column = g.op("Reshape", lengths, g.ints(self._batch, 1))
        alive = g.op("Greater", column, g.const(np.asarray(t), dtype=lengths.dtype))
        zero = g.like(0, new.h)

        def keep(now: Value | None, before: Value | None) -> Value | None:
            return None if now is None else g.op("Where", alive, now, zero if before is None else before)

        output = g.op("Where", alive, new.h, zero)
        return output, State(keep(new.h, old.h), keep(new.c, old.c))


def _all_zero(value: Value) -> bool:
    array = constant(value)
    return array is not None and not np.any(array)
