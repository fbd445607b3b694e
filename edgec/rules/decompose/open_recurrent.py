"""LSTM, GRU and RNN of open length as a loop; the inputs of all steps are projected before it, in one product."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ops.base import Reader, Value
from edgec.ops.recurrent import Recurrent
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule
from edgec.rules.decompose.cells import Squash, State, squashes
from edgec.rules.decompose.recurrent import RecurrentDirection


class OpenRecurrentToLoop(Rule):
    """LSTM, GRU and RNN of open length -> a Loop that writes the state of each step to its position."""

    name = "open-recurrent-to-loop"
    roots = ("LSTM", "GRU", "RNN")
    examples = (
        Example(
            "float[N,1,2] x",
            "y, h = RNN<hidden_size = 3>(x, w, r)",
            "t = Gather<axis = 0>(r, c)  z = Transpose<perm = [1, 0]>(t)  v = Shape<start = 0, end = 1>(x)  "
            "o = Squeeze(v, d)  k = Gather<axis = 0>(w, e)  l = Transpose<perm = [1, 0]>(k)  m = MatMul(x, l)  "
            "n = Concat<axis = 0>(f, g)  aa = ConstantOfShape(n)  ab = Shape<start = 0, end = 1>(x)  "
            "ac = Concat<axis = 0>(ab, f, i)  ad = ConstantOfShape(ac)  ae = Sub(o, p)  "
            "af, ag = Loop<body = …>(o, , aa, ad)  y = Unsqueeze(ag, q)  ah = Unsqueeze(af, s)",
            constants="float[1,3,2] w = {1, 2, 3, 4, 5, 6}, float[1,3,3] r = {0, 1, 0, 0, 0, 1, 1, 0, 0}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = Recurrent.decode(Reader(node))
        sizes = op.x.shape
        if sizes is None or isinstance(sizes[0], int) or op.batch_first or op.hidden == 0:
            return NOT_HERE
        chosen = squashes(op)
        if chosen is None:
            return Miss("an activation is not defined by ONNX")
        each = len(chosen) // op.directions
        runs = [_OpenDirection(op, d, chosen[d * each : (d + 1) * each], g).run() for d in range(op.directions)]
        joined = []
        for i in range(len(node.outputs)):
            axis = 1 if i == 0 else 0
            parts = [g.op("Unsqueeze", run[i], g.ints(axis)) for run in runs]
            joined.append(parts[0] if len(parts) == 1 else g.op("Concat", *parts, axis=axis))
        return joined


class _OpenDirection(RecurrentDirection):
    """One direction: the states of all steps (T, B, H), then the last states (B, H)."""

    def __init__(self, op: Recurrent, index: int, chosen: list[Squash], g: GraphBuilder) -> None:
        super().__init__(op, index, chosen, g)
        steps, batch, _ = op.x.shape or (None, None, None)
        self._sizes = (steps, batch, op.hidden)
        self._count = g.op("Squeeze", g.op("Shape", op.x, start=0, end=1), g.ints(0))
        self._batch = g.ints(batch) if isinstance(batch, int) else g.op("Shape", op.x, start=1, end=2)

    def run(self) -> list[Value]:
        """The loop over all steps."""
        g, op = self._g, self._op
        projected = self._projected(op.x)
        states = [self._start(v) for v in ((op.h0, op.c0) if op.kind == "LSTM" else (op.h0,))]
        shape = g.op("Concat", g.op("Shape", op.x, start=0, end=1), self._batch, g.ints(op.hidden), axis=0)
        carried = [*states, self._zeros(shape, self._sizes)]
        types = [(v.type, v.shape) for v in carried]
        found = list(g.multi("Loop", len(carried), self._count, None, *carried, body=self._body(projected, types)))
        for value, (kind, sizes) in zip(found, types, strict=True):
            value.type, value.shape = kind, sizes
        return [found[-1], *found[:-1]]

    def _start(self, value: Value | None) -> Value:
        """The initial state (B, H)."""
        part = self._initial(value)
        sizes = self._sizes[1:]
        if part is None:
            return self._zeros(self._g.op("Concat", self._batch, self._g.ints(self._op.hidden), axis=0), sizes)
        part.shape = ir.Shape(list(sizes))
        return part

    def _zeros(self, shape: Value, sizes: Sequence[int | ir.SymbolicDim | None]) -> Value:
        kind = np.float32 if self._op.x.dtype is None else self._op.x.dtype.numpy()
        found = self._g.op("ConstantOfShape", shape, value=ir.Tensor(np.zeros(1, dtype=kind)))
        found.shape = ir.Shape(list(sizes))
        return found

    def _body(self, projected: Value, carried: Sequence[tuple[ir.TypeProtocol | None, ir.Shape | None]]) -> ir.Graph:
        """One step: reads its projected input, runs the cell, and writes the state to its position."""
        label = f"{self._op.node.name or 'recurrent'}/step{self._index}"
        number = ir.Value(name=f"{label}/number", shape=ir.Shape([]), type=ir.TensorType(ir.DataType.INT64))
        going = ir.Value(name=f"{label}/going", shape=ir.Shape([]), type=ir.TensorType(ir.DataType.BOOL))
        states = [ir.Value(name=f"{label}/state{i}", type=t, shape=s) for i, (t, s) in enumerate(carried)]
        last = self._g.op("Sub", self._count, self._g.const(np.asarray(1, dtype=np.int64)))
        body = ir.Graph([number, going, *states], [], nodes=[], name=label)
        g = GraphBuilder(body, [self._op.node], f"{OpenRecurrentToLoop.name}.step{self._index}")
        at = g.op("Sub", last, number) if self._reverse else number
        x = g.op("Gather", projected, at, axis=0)
        *before, written = states
        old = State(before[0], before[1] if len(before) > 1 else None)
        output, new = self._kept(self._cell.step(x, old, g), old, at, g)
        place = g.op("Reshape", at, g.ints(1, 1))
        after = g.op("ScatterND", written, place, g.op("Unsqueeze", output, g.ints(0)))
        results = [v for v in (new.h, new.c) if v is not None] + [after]
        for value, state in zip(results, states, strict=True):
            value.shape = state.shape
        body.extend(g.nodes)
        further = GraphBuilder(body, [self._op.node], f"{OpenRecurrentToLoop.name}.going{self._index}")
        body.outputs.extend([further.op("Identity", going), *results])
        body.extend(further.nodes)
        return body

    def _kept(self, new: State, old: State, at: Value, g: GraphBuilder) -> tuple[Value, State]:
        """Rows whose sequence has ended output zeros and keep their state."""
        lengths = self._op.lengths
        assert new.h is not None
        if lengths is None:
            return new.h, new
        column = g.op("Cast", g.op("Unsqueeze", lengths, g.ints(1)), to=int(ir.DataType.INT64))
        alive = g.op("Greater", column, at)
        output = g.op("Where", alive, new.h, g.like(0, new.h))
        c = None if new.c is None else g.op("Where", alive, new.c, old.c)
        return output, State(g.op("Where", alive, new.h, old.h), c)
