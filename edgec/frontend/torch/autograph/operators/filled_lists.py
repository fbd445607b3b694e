"""A list to which each iteration of a loop over a dynamic dimension appends a tensor, carried as one stacked tensor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from edgec.frontend.torch.autograph.operators.open_sequences import Filled, Growing


@dataclass(frozen=True)
class FilledList:
    """A loop variable: `leaves` are the elements appended so far (N, …), the number of iterations, and, if the list was
    not empty, the newest element. `before` are its previous elements.
    """

    index: int
    before: tuple[torch.Tensor, ...]
    leaves: tuple[torch.Tensor, ...]
    in_front: bool

    @staticmethod
    def of(index: int, before: list[Any], after: list[Any], steps: Any) -> FilledList | None:
        """The loop variable at this index of the state, judged by a trial iteration; None unless that appended one
        tensor of the same shape and type as all others.
        """
        in_front = len(after) > 1 and bool(before) and after[-1] is before[-1]
        added = after[0] if in_front else after[-1] if after else None
        tensors = [v for v in (*before, added) if isinstance(v, torch.Tensor)]
        if len(after) != len(before) + 1 or len(tensors) != len(after):
            return None
        first = tensors[-1]
        if any(t.shape != first.shape or t.dtype != first.dtype for t in tensors):
            return None
        rows = torch.zeros([steps, *first.shape], dtype=first.dtype)
        newest = () if in_front or not before else (before[-1].clone(),)
        leaves = (rows, torch.zeros((), dtype=torch.int64), *newest)
        return FilledList(index, tuple(before), leaves, in_front)

    def bound(self, leaves: tuple[torch.Tensor, ...]) -> Growing:
        """The variable's value in an iteration."""
        return Growing(leaves[2] if len(leaves) > 2 else None)

    def next(self, leaves: tuple[torch.Tensor, ...], after: Any) -> tuple[torch.Tensor, ...] | None:
        """The leaves after an iteration; None if it did not append exactly one tensor."""
        if not isinstance(after, Growing) or len(after.added) != 1:
            return None
        rows, count, *_ = leaves
        (added,) = after.added
        place = rows.shape[0] - 1 - count if after.in_front or self.in_front else count
        written = torch.index_put(rows, (place.reshape(1),), added.unsqueeze(0))
        return (written, count + 1, *([added] if len(leaves) > 2 else []))

    def result(self, leaves: tuple[torch.Tensor, ...]) -> Filled:
        """The list after the loop."""
        rows = leaves[0]
        if self.before:
            held = torch.stack(self.before)
            rows = torch.cat([rows, held] if self.in_front else [held, rows])
        return Filled(rows)
