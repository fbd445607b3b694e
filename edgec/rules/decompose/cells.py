"""One step of an LSTM, GRU or RNN, by the equations in ONNX's operator definitions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from edgec.ir.build import GraphBuilder
from edgec.ops.base import Value
from edgec.ops.recurrent import Recurrent


@dataclass(frozen=True)
class State:
    """The hidden state and an LSTM's cell state, both (B, H); None means zeros."""

    h: Value | None
    c: Value | None = None


@dataclass(frozen=True)
class Squash:
    """An activation of ONNX's recurrent operators, with its parameters."""

    kind: str
    alpha: float
    beta: float

    @property
    def parameters(self) -> int:
        """How many of `alpha` and `beta` it uses."""
        return sum(default is not None for default in _DEFAULTS[self.kind])

    def apply(self, x: Value, g: GraphBuilder) -> Value:
        """The activation on a value of any shape."""
        match self.kind:
            case "Affine":
                return g.op("Add", g.op("Mul", x, g.like(self.alpha, x)), g.like(self.beta, x))
            case "ScaledTanh":
                return g.op("Mul", g.op("Tanh", g.op("Mul", x, g.like(self.beta, x))), g.like(self.alpha, x))
            case "ThresholdedRelu":
                return g.op("Where", g.op("Greater", x, g.like(self.alpha, x)), x, g.like(0, x))
            case "LeakyRelu" | "Elu":
                return g.op(self.kind, x, alpha=self.alpha)
            case "HardSigmoid":
                return g.op(self.kind, x, alpha=self.alpha, beta=self.beta)
            case _:
                return g.op(self.kind, x)


_PLAIN = ("Relu", "Tanh", "Sigmoid", "Softsign", "Softplus")
_DEFAULTS: dict[str, tuple[float | None, float | None]] = {
    **dict.fromkeys(_PLAIN, (None, None)),
    "Affine": (1.0, 0.0),
    "LeakyRelu": (0.01, None),
    "ThresholdedRelu": (1.0, None),
    "ScaledTanh": (1.0, 1.0),
    "HardSigmoid": (0.2, 0.5),
    "Elu": (1.0, None),
}
"""Default alpha and beta; None if an activation has no such parameter."""


def squashes(op: Recurrent) -> list[Squash] | None:
    """The operator's activations, or None if one is unknown; given parameters go in order to those that have any."""
    names = {name.lower(): name for name in _DEFAULTS}
    alphas, betas = iter(op.activation_alpha), iter(op.activation_beta)
    found = []
    for given in op.activations:
        name = names.get(given.lower())
        if name is None:
            return None
        alpha, beta = _DEFAULTS[name]
        found.append(Squash(name, _next(alphas, alpha), _next(betas, beta)))
    return found


def _next(given: object, default: float | None) -> float:
    if default is None:
        return 0.0
    value: float = next(given, default)  # type: ignore[call-overload]
    return value


@dataclass(frozen=True)
class Gates:
    """What the gates of a cell share: hidden size, activations, and the limit on their arguments (0: none)."""

    hidden: int
    activations: Sequence[Squash]
    clip: float

    def squash(self, index: int, x: Value, g: GraphBuilder) -> Value:
        """Activation `index` of `x`."""
        if self.clip:
            x = g.op("Clip", x, g.like(-self.clip, x), g.like(self.clip, x))
        return self.activations[index].apply(x, g)

    def split(self, x: Value, widths: Sequence[int], g: GraphBuilder) -> Sequence[Value]:
        """(B, n * H) cut along its last axis into parts of `widths` gates."""
        return g.multi("Split", len(widths), x, g.ints(*(w * self.hidden for w in widths)), axis=1)


class Cell(Protocol):
    """The step function of one direction."""

    def step(self, x: Value, state: State, g: GraphBuilder) -> State:
        """The next state from the projected input (B, G * H), biases included."""
        ...


@dataclass(frozen=True)
class Rnn:
    """h = f(x + h R)."""

    gates: Gates
    r: Value

    def step(self, x: Value, state: State, g: GraphBuilder) -> State:
        """See `Cell`."""
        return State(self.gates.squash(0, _plus_recurrent(x, state.h, self.r, g), g))


@dataclass(frozen=True)
class Lstm:
    """i, o, f = σ(…), c' = f c + i g(…), h = o h(c'); R is (H, 4H) in the order i, o, f, c, each `peephole` (H).

    `clip` limits the arguments of the gates, not the cell: ONNX leaves this open, and ONNX Runtime does it so.
    """

    gates: Gates
    r: Value
    peephole: Sequence[Value] | None
    input_forget: bool

    def step(self, x: Value, state: State, g: GraphBuilder) -> State:
        """See `Cell`."""
        total = _plus_recurrent(x, state.h, self.r, g)
        if self.peephole is None:
            three, candidate = self.gates.split(total, (3, 1), g)
            i, o, f = self.gates.split(self.gates.squash(0, three, g), (1, 1, 1), g)
            return self._finish(state, i, o, f, candidate, g)
        p_i, p_o, p_f = self.peephole
        before_i, before_o, before_f, candidate = self.gates.split(total, (1, 1, 1, 1), g)
        i = self.gates.squash(0, _plus_peephole(before_i, p_i, state.c, g), g)
        f = self.gates.squash(0, _plus_peephole(before_f, p_f, state.c, g), g)
        c = self._next_cell(state, i, f, candidate, g)
        o = self.gates.squash(0, _plus_peephole(before_o, p_o, c, g), g)
        return State(g.op("Mul", o, self.gates.activations[2].apply(c, g)), c)

    def _finish(self, state: State, i: Value, o: Value, f: Value, candidate: Value, g: GraphBuilder) -> State:
        c = self._next_cell(state, i, f, candidate, g)
        return State(g.op("Mul", o, self.gates.activations[2].apply(c, g)), c)

    def _next_cell(self, state: State, i: Value, f: Value, candidate: Value, g: GraphBuilder) -> Value:
        new = g.op("Mul", i, self.gates.squash(1, candidate, g))
        if state.c is None:
            return new
        kept = g.op("Sub", g.like(1, i), i) if self.input_forget else f
        return g.op("Add", g.op("Mul", kept, state.c), new)


@dataclass(frozen=True)
class Gru:
    """z, r = σ(…), n = g(…), h = n + z (h - n); R is (H, 2H) of z and r, and (H, H) of n.

    `bias` is the candidate's recurrent bias if the reset gate is applied after the product.
    """

    gates: Gates
    r_zr: Value
    r_n: Value
    bias: Value | None
    reset_after: bool

    def step(self, x: Value, state: State, g: GraphBuilder) -> State:
        """See `Cell`."""
        x_zr, x_n = self.gates.split(x, (2, 1), g)
        z, r = self.gates.split(self.gates.squash(0, _plus_recurrent(x_zr, state.h, self.r_zr, g), g), (1, 1), g)
        recurrent = self._candidate(r, state.h, g)
        n = self.gates.squash(1, x_n if recurrent is None else g.op("Add", x_n, recurrent), g)
        if state.h is None:
            return State(g.op("Sub", n, g.op("Mul", z, n)))
        return State(g.op("Add", n, g.op("Mul", z, g.op("Sub", state.h, n))))

    def _candidate(self, r: Value, h: Value | None, g: GraphBuilder) -> Value | None:
        """The recurrent part of the candidate; None if it is zero."""
        if not self.reset_after:
            return None if h is None else g.op("MatMul", g.op("Mul", r, h), self.r_n)
        product = None if h is None else g.op("MatMul", h, self.r_n)
        if self.bias is not None:
            product = self.bias if product is None else g.op("Add", product, self.bias)
        return None if product is None else g.op("Mul", r, product)


def _plus_recurrent(x: Value, h: Value | None, r: Value, g: GraphBuilder) -> Value:
    return x if h is None else g.op("Add", x, g.op("MatMul", h, r))


def _plus_peephole(x: Value, p: Value, c: Value | None, g: GraphBuilder) -> Value:
    return x if c is None else g.op("Add", x, g.op("Mul", p, c))
