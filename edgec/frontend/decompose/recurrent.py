"""An LSTM that projects its output: ONNX has no such layer, and the exporter does not say so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as functional

from edgec.frontend.decompose.base import Decomposition


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
    """Step by step: the outputs, and the last states of each layer and direction."""
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
    """One direction of one layer: the outputs in order, and the last states. `weights` end with the projection."""
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


RECURRENT: dict[str, Decomposition] = {"aten.lstm.input": Decomposition(_lstm, _projects)}
