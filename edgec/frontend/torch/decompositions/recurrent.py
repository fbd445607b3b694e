"""Recurrent layers: LSTMs with projection, which ONNX lacks, and plain RNNs, which the exporter unrolls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as functional

from edgec.frontend.torch.decompositions.base import Decomposition


def _lstm(
    x: torch.Tensor,
    state: Sequence[torch.Tensor],
    weights: Sequence[torch.Tensor],
    bias: bool,
    layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Unrolled: the outputs, and the final states of each layer and direction."""
    sequence = x.transpose(0, 1) if batch_first else x
    each, directions = 5 if bias else 3, 2 if bidirectional else 1
    hidden, cells = [], []
    for layer in range(layers):
        sides = []
        for direction in range(directions):
            i = layer * directions + direction
            steps, h, c = _direction(
                sequence, state[0][i], state[1][i], weights[i * each : (i + 1) * each], reverse=direction == 1
            )
            sides.append(steps)
            hidden.append(h)
            cells.append(c)
        sequence = torch.cat(sides, -1)
    return sequence.transpose(0, 1) if batch_first else sequence, torch.stack(hidden), torch.stack(cells)


def _direction(
    sequence: torch.Tensor, h: torch.Tensor, c: torch.Tensor, weights: Sequence[torch.Tensor], *, reverse: bool
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """One direction of one layer: the outputs in order, and the final states. `weights` end with the projection."""
    into, again, *biases, projection = weights
    order = range(sequence.shape[0])
    steps = {}
    for t in reversed(order) if reverse else order:
        gates = functional.linear(sequence[t], into, *biases[:1]) + functional.linear(h, again, *biases[1:])
        i, f, g, o = gates.chunk(4, -1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = functional.linear(torch.sigmoid(o) * torch.tanh(c), projection)
        steps[t] = h
    return torch.stack([steps[t] for t in order]), h, c


def _projects(x: torch.Tensor, state: Sequence[torch.Tensor], *rest: Any) -> bool:
    return state[0].shape[-1] != state[1].shape[-1]


def _plain(activation: str) -> Callable[..., tuple[torch.Tensor, torch.Tensor]]:
    """`nn.RNN` as ONNX's RNN, layer by layer."""

    def rnn(
        x: torch.Tensor,
        state: torch.Tensor,
        weights: Sequence[torch.Tensor],
        bias: bool,
        layers: int,
        dropout: float,
        train: bool,
        bidirectional: bool,
        batch_first: bool,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        sequence = x.transpose(0, 1) if batch_first else x
        each, directions = 4 if bias else 2, 2 if bidirectional else 1
        last = []
        for layer in range(layers):
            first = layer * directions
            sides = [weights[i * each : (i + 1) * each] for i in range(first, first + directions)]
            sequence, h = _layer(sequence, state[first : first + directions], sides, activation)
            last.append(h)
        return sequence.transpose(0, 1) if batch_first else sequence, torch.cat(last)

    return rnn


def _layer(
    x: torch.Tensor, state: torch.Tensor, sides: Sequence[Sequence[torch.Tensor]], activation: str
) -> tuple[torch.Tensor, torch.Tensor]:
    """One layer (T, B, I) -> (T, B, D*H) and its final states (D, B, H); ONNX's outputs are (T, D, B, H)."""
    steps, batch, hidden = x.shape[0], x.shape[1], state.shape[-1]
    stacked = [torch.stack([side[i] for side in sides]) for i in (0, 1)]
    biases = torch.stack([torch.cat(list(side[2:])) for side in sides]) if len(sides[0]) > 2 else None
    y, last = torch.onnx.ops.symbolic_multi_out(
        "RNN",
        [x, *stacked, biases, None, state],
        {
            "hidden_size": hidden,
            "direction": "bidirectional" if len(sides) > 1 else "forward",
            "activations": [activation] * len(sides),
        },
        dtypes=(x.dtype, x.dtype),
        shapes=((steps, len(sides), batch, hidden), (len(sides), batch, hidden)),
        version=22,
    )
    return y.transpose(1, 2).reshape(steps, batch, len(sides) * hidden), last


RECURRENT: dict[str, Decomposition] = {
    "aten.lstm.input": Decomposition(_lstm, _projects),
    "aten.rnn_tanh.input": Decomposition(_plain("Tanh")),
    "aten.rnn_relu.input": Decomposition(_plain("Relu")),
}
