"""Bounds of a loop besides data: ranges, possibly of dynamic size, and parts of its test that do not depend on data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch.fx.experimental.symbolic_shapes import free_unbacked_symbols, is_concrete_int

from edgec.frontend.torch.autograph.operators.open_sequences import rounds


@dataclass(frozen=True)
class Range:
    """`range(start, stop, step)` whose bounds may be tensors."""

    start: Any
    stop: Any
    step: Any

    def holds(self, value: Any) -> Any:
        """Whether `value` is still in the range."""
        if isinstance(self.step, torch.Tensor):
            return torch.where(self.step > 0, value < self.stop, value > self.stop)
        Bounds.of_range(self)
        inside = value < self.stop if self.step > 0 else value > self.stop
        Bounds.note(inside)
        return inside

    def rounds(self) -> Any:
        """The number of iterations as a dynamic size; None if it is not one."""
        ends = (self.start, self.stop)
        opened = any(is_open(end) for end in ends)
        return rounds(*ends, self.step) if opened and all(is_open(e) or isinstance(e, int) for e in ends) else None


def is_open(size: Any) -> bool:
    """Whether it is a dynamic size of an input, or computed from dynamic sizes."""
    return isinstance(size, torch.SymInt) and not is_concrete_int(size) and not free_unbacked_symbols(size)


class Bounds:
    """Records whether a loop's test has a part that does not depend on data, which may bound the loop; `rounds` is the
    number of iterations if that part is a range of dynamic size.
    """

    _open: list[Bounds] = []  # noqa: RUF012 - a stack of the tests being evaluated

    def __init__(self) -> None:
        self.seen = False
        self.rounds: Any = None

    def __enter__(self) -> Bounds:
        self._open.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._open.pop()

    @classmethod
    def note(cls, value: Any) -> None:
        """Record a part of the test that is being evaluated."""
        if cls._open and not isinstance(value, torch.Tensor):
            cls._open[-1].seen = True

    @classmethod
    def of_range(cls, bounds: Range) -> None:
        """Record a range whose end is checked by the test that is being evaluated."""
        if cls._open:
            cls._open[-1].rounds = bounds.rounds()
