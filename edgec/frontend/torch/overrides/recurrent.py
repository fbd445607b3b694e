"""Recurrent layers over sequences of dynamic length, as ONNX operators; torch would unroll them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class _Kind:
    """An operator of ONNX, the order of its gates in torch's terms, and its activation if it has a choice."""

    operator: str
    gates: tuple[int, ...]
    activation: str | None = None


_KINDS: dict[Any, _Kind] = {
    torch._VF.lstm: _Kind("LSTM", (0, 3, 1, 2)),  # torch: input, forget, cell, output
    torch._VF.gru: _Kind("GRU", (1, 0, 2)),  # torch: reset, update, new
    torch._VF.rnn_tanh: _Kind("RNN", (0,), "Tanh"),
    torch._VF.rnn_relu: _Kind("RNN", (0,), "Relu"),
}


def of_any_length(function: Callable[..., Any]) -> Callable[..., Any]:
    """`torch._VF.lstm`, `gru`, `rnn_tanh` or `rnn_relu`; for dynamic lengths as one ONNX operator per layer."""
    kind = _KINDS[function]

    def form(x: Any, state: Any, *rest: Any, **more: Any) -> Any:
        given = (state,) if isinstance(state, Tensor) else tuple(state)
        projects = len(given) == 2 and given[0].shape[-1] != given[1].shape[-1]
        if more or len(rest) != 7 or projects or not isinstance(x.shape[1 if rest[-1] else 0], torch.SymInt):
            return function(x, state, *rest, **more)
        weights, biased, layers, _, _, both_ways, batch_first = rest
        sequence = x.transpose(0, 1) if batch_first else x
        each, ways = 4 if biased else 2, 2 if both_ways else 1
        last: list[Sequence[Tensor]] = []
        for layer in range(layers):
            places = range(layer * ways, (layer + 1) * ways)
            sides = [weights[place * each : (place + 1) * each] for place in places]
            initial = [s[layer * ways : (layer + 1) * ways] for s in given]
            sequence, *after = _layer(sequence, initial, sides, kind)
            last.append(after)
        y = sequence.transpose(0, 1) if batch_first else sequence
        return (y, *(torch.cat(list(parts)) for parts in zip(*last, strict=True)))

    return form


def _layer(x: Tensor, states: Sequence[Tensor], sides: Sequence[Sequence[Tensor]], kind: _Kind) -> Sequence[Tensor]:
    """One layer (T, B, I) -> (T, B, D*H) and its final states (D, B, H); ONNX's first output is (T, D, B, H)."""
    steps, batch, hidden = x.shape[0], x.shape[1], states[0].shape[-1]
    ordered = [[_ordered(weight, kind.gates) for weight in side] for side in sides]
    stacked = [torch.stack([side[i] for side in ordered]) for i in (0, 1)]
    biases = torch.stack([torch.cat(side[2:]) for side in ordered]) if len(sides[0]) > 2 else None
    attributes: dict[str, Any] = {
        "hidden_size": hidden,
        "direction": "bidirectional" if len(sides) > 1 else "forward",
    }
    if kind.activation is not None:
        attributes["activations"] = [kind.activation] * len(sides)
    if kind.operator == "GRU":
        attributes["linear_before_reset"] = 1
    last = (len(sides), batch, hidden)
    y, *after = torch.onnx.ops.symbolic_multi_out(
        kind.operator,
        [x, *stacked, biases, None, *states],
        attributes,
        dtypes=(x.dtype,) * (1 + len(states)),
        shapes=((steps, len(sides), batch, hidden), *(last for _ in states)),
        version=22,
    )
    return [y.transpose(1, 2).reshape(steps, batch, len(sides) * hidden), *after]


def _ordered(weight: Tensor, gates: Sequence[int]) -> Tensor:
    """The weight (G * H, …) with its gates in ONNX's order."""
    parts = weight.chunk(len(gates))
    return torch.cat([parts[i] for i in gates]) if len(gates) > 1 else weight
