"""Recurrent layers over x [sequence, batch, features], step by step in float32.

Direction `reverse` processes the sequence backwards and returns the outputs in the order of computation; the backward
half of a bidirectional LSTM is returned in the order of the input.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edgec.runners.mil.arrays import Array
from edgec.runners.mil.ops.table import Table, computed


def _sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def _sigmoid_hard(x: Array) -> Array:
    result: Array = np.clip(np.float32(0.2) * x + np.float32(0.5), 0, 1)
    return result


# The parametrized activations use the defaults of their ops: `scaled_tanh` is tanh, `linear` the identity.
_ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "linear": lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    "sigmoid": _sigmoid,
    "tanh": np.tanh,
    "scaled_tanh": np.tanh,
    "sigmoid_hard": _sigmoid_hard,
    "hard_sigmoid": _sigmoid_hard,
}


def _activation(name: str) -> Callable[[Array], Array]:
    if name not in _ACTIVATIONS:
        raise ValueError(f"activation `{name}`")
    return _ACTIVATIONS[name]


def _sequence(steps: list[Array], whole: Array | bool) -> Array:
    return np.stack(steps) if whole else steps[-1][None]


def _ordered(x: Array, direction: str) -> Array:
    if direction not in ("forward", "reverse"):
        raise ValueError(f"direction `{direction}`")
    return x if direction == "forward" else x[::-1]


def _rnn(
    x: Array, initial_h: Array, weight_ih: Array, weight_hh: Array, bias: Array | None = None,
    direction: str = "forward", output_sequence: Array | bool = False, activation: str = "tanh",
) -> tuple[Array, Array]:  # fmt: skip
    act = _activation(activation)
    h, steps = initial_h, []
    shift = np.float32(0) if bias is None else bias
    for step in _ordered(x, direction):
        h = act(step @ weight_ih.T + h @ weight_hh.T + shift)
        steps.append(h)
    return _sequence(steps, output_sequence), h


def _gru(
    x: Array, initial_h: Array, weight_ih: Array, weight_hh: Array, bias: Array | None = None,
    direction: str = "forward", output_sequence: Array | bool = False, recurrent_activation: str = "sigmoid",
    activation: str = "tanh", reset_after: Array | bool = False, input_bias: Array | None = None,
) -> tuple[Array, Array]:  # fmt: skip
    """Gates in the order reset, output, update. The reset gate is applied to the state before its product with the
    output weights, or with `reset_after` to the product and its bias."""
    gate, act = _activation(recurrent_activation), _activation(activation)
    size = initial_h.shape[-1]
    hidden_bias = np.zeros(3 * size, np.float32) if bias is None else bias
    outer_bias = np.zeros(3 * size, np.float32) if input_bias is None else input_bias
    w_r, w_o, w_z = np.split(weight_hh, 3)
    b_r, b_o, b_z = np.split(hidden_bias, 3)
    h, steps = initial_h, []
    for step in _ordered(x, direction):
        x_r, x_o, x_z = np.split(step @ weight_ih.T + outer_bias, 3, axis=-1)
        r = gate(x_r + h @ w_r.T + b_r)
        z = gate(x_z + h @ w_z.T + b_z)
        o = act(x_o + r * (h @ w_o.T + b_o)) if reset_after else act(x_o + (r * h) @ w_o.T + b_o)
        h = (1 - z) * o + z * h
        steps.append(h)
    return _sequence(steps, output_sequence), h


@dataclass(frozen=True)
class _Cell:
    """One direction of an LSTM. Gates in the order input, forget, output, cell."""

    weight_ih: Array
    weight_hh: Array
    bias: Array | None
    peephole: Array | None
    gate: Callable[[Array], Array]
    cell_activation: Callable[[Array], Array]
    activation: Callable[[Array], Array]
    clip: float | None

    def run(self, x: Array, h: Array, c: Array) -> tuple[list[Array], Array, Array]:
        """The hidden state after each step, and the last hidden and cell states."""
        p_i, p_f, p_o = (np.float32(0),) * 3 if self.peephole is None else np.split(self.peephole, 3)
        shift = np.float32(0) if self.bias is None else self.bias
        steps = []
        for step in x:
            gates = step @ self.weight_ih.T + h @ self.weight_hh.T + shift
            i, f, o, z = np.split(gates, 4, axis=-1)
            kept = self.gate(f + p_f * c) * c
            c = kept + self.gate(i + p_i * c) * self.cell_activation(z)
            if self.clip is not None:
                c = np.clip(c, -self.clip, self.clip)
            h = self.gate(o + p_o * c) * self.activation(c)
            steps.append(h)
        return steps, h, c


def _lstm(
    x: Array, initial_h: Array, initial_c: Array, weight_ih: Array, weight_hh: Array, bias: Array | None = None,
    peephole: Array | None = None, weight_ih_back: Array | None = None, weight_hh_back: Array | None = None,
    bias_back: Array | None = None, peephole_back: Array | None = None, direction: str = "forward",
    output_sequence: Array | bool = False, recurrent_activation: str = "sigmoid", cell_activation: str = "tanh",
    activation: str = "tanh", clip: Array | None = None,
) -> tuple[Array, Array, Array]:  # fmt: skip
    acts = _activation(recurrent_activation), _activation(cell_activation), _activation(activation)
    limit = None if clip is None else float(clip)
    cell = _Cell(weight_ih, weight_hh, bias, peephole, *acts, limit)
    if direction != "bidirectional":
        steps, h, c = cell.run(_ordered(x, direction), initial_h, initial_c)
        return _sequence(steps, output_sequence), h, c
    if weight_ih_back is None or weight_hh_back is None:
        raise ValueError("a bidirectional lstm needs backward weights")
    back = _Cell(weight_ih_back, weight_hh_back, bias_back, peephole_back, *acts, limit)
    (h_f, h_b), (c_f, c_b) = np.split(initial_h, 2, axis=-1), np.split(initial_c, 2, axis=-1)
    steps_f, h_f, c_f = cell.run(x, h_f, c_f)
    steps_b, h_b, c_b = back.run(x[::-1], h_b, c_b)
    last_h, last_c = np.concatenate([h_f, h_b], -1), np.concatenate([c_f, c_b], -1)
    if not output_sequence:
        return last_h[None], last_h, last_c
    return np.concatenate([np.stack(steps_f), np.stack(steps_b[::-1])], -1), last_h, last_c


OPS: Table = computed(rnn=_rnn, gru=_gru, lstm=_lstm)
