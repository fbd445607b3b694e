"""Packed sequences, whose sizes depend on data, represented as padded sequences with lengths.

`PackedSequence.data` is then the padded tensor (T B, F), time first, and `batch_sizes` a `Lengths`; positions after a
sequence's end are computed but never used.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

_CLOSED = 1e4
"""An argument at which the sigmoid is exactly 0 or 1, also in float16."""


class Longest(int):
    """The number of steps if none is requested: it depends on data."""


class Lengths:
    """A replacement for `batch_sizes`: the length of each sequence (B), of at most `steps`."""

    def __init__(self, values: Tensor, steps: int) -> None:
        self.values = values
        self._steps = steps
        self.device = values.device

    def __getitem__(self, step: int) -> int:
        """The number of sequences at the first step: all of them."""
        return int(self.values.shape[0])

    def size(self, dim: int) -> int:
        """The number of steps."""
        return Longest(self._steps)

    @classmethod
    def __torch_function__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Makes torch accept it as a tensor; the functions below handle it before torch does."""
        return NotImplemented

    def within(self) -> Tensor:
        """Whether a step is within its sequence: (T, B, 1)."""
        step = torch.arange(self._steps, device=self.device)
        return (step.unsqueeze(1) < self.values).unsqueeze(-1)

    def padded(self, x: Tensor) -> Tensor:
        """(T B, F) as (T, B, F)."""
        return x.reshape(self._steps, -1, *x.shape[1:])

    def last(self, x: Tensor) -> Tensor:
        """Each sequence's last step of (T, B, F): (B, F)."""
        index = torch.clamp(self.values - 1, min=0).reshape(1, -1, 1).expand(1, -1, x.shape[2])
        return torch.gather(x, 0, index).squeeze(0)

    def turned(self, x: Tensor) -> Tensor:
        """Each sequence of (T, B, F) reversed."""
        step = torch.arange(self._steps, device=self.device).unsqueeze(1)
        index = torch.where(step < self.values, self.values - 1 - step, step)
        return torch.gather(x, 0, index.unsqueeze(-1).expand(-1, -1, x.shape[2]))


def pack(x: Tensor, lengths: Tensor, batch_first: bool) -> tuple[Tensor, Lengths]:
    """Like `torch._VF._pack_padded_sequence`."""
    padded = x.transpose(0, 1) if batch_first else x
    return padded.flatten(0, 1), Lengths(lengths.to(x.device), padded.shape[0])


def unpack(
    x: Tensor, lengths: Lengths, batch_first: bool, padding_value: float, total_length: int
) -> tuple[Tensor, Tensor]:
    """Like `torch._VF._pad_packed_sequence`: with the requested number of steps, or that of the longest sequence."""
    x = lengths.padded(x)
    filler = torch.full((), padding_value, dtype=x.dtype, device=x.device)
    kept = torch.where(lengths.within(), x, filler)
    missing = total_length - x.shape[0]
    if isinstance(total_length, Longest):
        longest = lengths.values.max().item()
        torch._check(longest >= 0)  # type: ignore[no-untyped-call]
        torch._check(longest <= x.shape[0])  # type: ignore[no-untyped-call]
        kept = kept[:longest]
    elif missing > 0:
        kept = torch.cat([kept, filler.expand(missing, *x.shape[1:])])
    return kept.transpose(0, 1) if batch_first else kept, lengths.values


def long_short(function: Callable[..., Any]) -> Callable[..., Any]:
    """`torch._VF.lstm` for packed sequences. After a sequence's end the gates keep the cell: forget 1, input 0."""

    def form(x: Any, second: Any, *rest: Any, **more: Any) -> Any:
        if not isinstance(second, Lengths):
            return function(x, second, *rest, **more)
        (h, c), weights, biased, layers, *_, both_ways = rest
        flag = torch.where(second.within(), 0.0, _CLOSED).to(x.dtype)

        def run(y: Tensor, place: int, given: Sequence[Tensor]) -> tuple[Tensor, ...]:
            wide = torch.cat([y, flag], 2)
            own = [_with_gates(given[0]), *given[1:]]
            initial = (h[place : place + 1], c[place : place + 1])
            out, _, cell = function(wide, initial, own, biased, 1, 0.0, False, False, False)
            return out, second.last(out), cell[0]

        return _layers(run, second, x, weights, layers, both_ways)

    return form


def plain(function: Callable[..., Any]) -> Callable[..., Any]:
    """`torch._VF.gru`, `rnn_tanh` or `rnn_relu` for packed sequences."""

    def form(x: Any, second: Any, *rest: Any, **more: Any) -> Any:
        if not isinstance(second, Lengths):
            return function(x, second, *rest, **more)
        h, weights, biased, layers, *_, both_ways = rest

        def run(y: Tensor, place: int, given: Sequence[Tensor]) -> tuple[Tensor, ...]:
            out, _ = function(y, h[place : place + 1], list(given), biased, 1, 0.0, False, False, False)
            return out, second.last(out)

        return _layers(run, second, x, weights, layers, both_ways)

    return form


def _layers(
    run: Callable[..., tuple[Tensor, ...]],
    lengths: Lengths,
    x: Tensor,
    weights: Sequence[Tensor],
    layers: int,
    both_ways: bool,
) -> tuple[Tensor, ...]:
    """The output of the last layer, and the final states of each layer, its two directions in succession."""
    ways = 2 if both_ways else 1
    each = len(weights) // (layers * ways)
    x = lengths.padded(x)
    states: list[tuple[Tensor, ...]] = []
    for layer in range(layers):
        outputs = []
        for way in range(ways):
            place = layer * ways + way
            given = weights[place * each : (place + 1) * each]
            out, *last = run(lengths.turned(x) if way else x, place, given)
            outputs.append(lengths.turned(out) if way else out)
            states.append(tuple(last))
        x = torch.cat(outputs, 2) if both_ways else outputs[0]
    return (x.flatten(0, 1), *(torch.stack(kind) for kind in zip(*states, strict=True)))


def _with_gates(weight: Tensor) -> Tensor:
    """Add a column that closes the input gate (the first quarter of the rows) and opens the forget gate."""
    rows = weight.shape[0] // 4
    column = torch.cat([torch.full((rows,), -1.0), torch.ones(rows), torch.zeros(2 * rows)])
    return torch.cat([weight, column.to(weight.dtype).unsqueeze(1)], 1)
