"""What bounds a loop beside the data: ranges, and the parts of its test that are not data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class Range:
    """`range(start, stop, step)` whose bounds may be tensors."""

    start: Any
    stop: Any
    step: Any

    def holds(self, value: Any) -> Any:
        """Whether `value` is still inside."""
        if isinstance(self.step, torch.Tensor):
            return torch.where(self.step > 0, value < self.stop, value > self.stop)
        inside = value < self.stop if self.step > 0 else value > self.stop
        Bounds.note(inside)
        return inside


class Bounds:
    """Notes whether a loop's test holds a part that is not data, which may bound the loop."""

    _open: list[Bounds] = []  # noqa: RUF012 - a stack of the tests being evaluated

    def __init__(self) -> None:
        self.seen = False

    def __enter__(self) -> Bounds:
        self._open.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._open.pop()

    @classmethod
    def note(cls, value: Any) -> None:
        """A part of the test that is being evaluated."""
        if cls._open and not isinstance(value, torch.Tensor):
            cls._open[-1].seen = True
