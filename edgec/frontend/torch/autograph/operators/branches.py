"""One side of a branch, after which everything is as it was, and the two sides selected into one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from edgec.frontend.torch.autograph.analysis.side_effects import Content, Surroundings
from edgec.frontend.torch.autograph.operators.select import UNDEFINED, Number, Site, merge
from edgec.frontend.torch.autograph.operators.speculation import Guard

State = tuple[Any, ...]
Side = Callable[..., tuple[Any, State]]


@dataclass(frozen=True)
class Branch:
    """A branch with what it reads and writes. `live` are the names whose values matter afterwards; `flag` is the one
    that ends a loop early.
    """

    site: Site
    names: tuple[str, ...] = ()
    live: frozenset[str] = frozenset()
    returns: bool = False
    flag: str = ""


@dataclass(frozen=True)
class Outcome:
    """What a side gave: its return value, its variables after it, and what it changed around it."""

    value: Any
    state: State
    changes: dict[int, Content]


@dataclass(frozen=True)
class Selected:
    """What a branch leaves: its value, and its variables. `raises`: the one side raises, and the other stands alone;
    `numbers`: some were numbers, another on each side, and are tensors now.
    """

    value: Any
    state: State
    raises: bool
    numbers: bool = False


class SideRaisesError(Exception):
    """A side that data decide on ends in `raise`, which no graph can do."""

    def __str__(self) -> str:
        return "the code raises on a side that data decide on, whatever it does elsewhere"


def trace_side(run: Side, state: State, branch: Branch, taken: torch.Tensor, around: Surroundings) -> Outcome:
    """Trace one side, which is `taken` or not. What it changes around it is put back."""
    changes: dict[int, Content] = {}
    try:
        with Guard(branch.site, taken):
            value, after = run(*state)
    finally:
        changes = around.changes()
        around.restore(changes)
    return Outcome(value, after, changes)


def select(condition: torch.Tensor, yes: Side, no: Side, state: State, branch: Branch) -> Selected:
    """Trace both sides and select their results by the condition. Raises `EdgecError` E0206 where none can be.

    A side that raises is left out: the other stands for both, and what must not fail there stays guarded.
    """
    around = Surroundings((state, yes, no))
    a, b = (
        _tried(side, state, branch, taken, around)
        for side, taken in ((yes, condition), (no, torch.logical_not(condition)))
    )
    raises = a is None or b is None
    a, b = a or b, b or a
    if a is None or b is None:
        raise SideRaisesError
    around.settle(condition, branch.site, a.changes, b.changes)
    merged = tuple(_variable(condition, i, state[i], a, b, branch) for i in range(len(state)))
    value = merge(condition, "", branch.site, a.value, b.value) if branch.returns else None
    live = [(x, y) for name, x, y in zip(branch.names, a.state, b.state, strict=True) if name in branch.live]
    numbers = any(_are_numbers(x, y) for x, y in [*live, (a.value, b.value)])
    return Selected(value, merged, raises, numbers)


def _are_numbers(yes: Any, no: Any) -> bool:
    return isinstance(yes, Number) and isinstance(no, Number) and yes != no


def _tried(run: Side, state: State, branch: Branch, taken: torch.Tensor, around: Surroundings) -> Outcome | None:
    try:
        return trace_side(run, state, branch, taken, around)
    except SideRaisesError:
        return None


def _variable(condition: torch.Tensor, i: int, old: Any, a: Outcome, b: Outcome, branch: Branch) -> Any:
    """What both sides leave is as it was, though what it holds may have changed."""
    if a.state[i] is old and b.state[i] is old:
        return old
    if branch.names[i] not in branch.live:
        return UNDEFINED
    return merge(condition, branch.names[i], branch.site, a.state[i], b.state[i])
