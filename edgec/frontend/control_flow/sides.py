"""One side of a branch, traced on copies of what it reads, and the two sides selected into one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils import _pytree as pytree

from edgec.frontend.control_flow.guard import Guard
from edgec.frontend.control_flow.merge import UNDEFINED, Site, merge

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
    attributes: tuple[tuple[Any, str], ...] = ()
    flag: str = ""


class Lent:
    """A copy of one variable, lent to a side: it can tell whether the side changed it in place."""

    def __init__(self, original: Any) -> None:
        self.original = original
        self.value = _copy(original)
        self._leaves, self._structure = pytree.tree_flatten(self.value)
        self._versions = [_version(leaf) for leaf in self._leaves]

    def tensors(self) -> list[torch.Tensor]:
        """The copies of tensors in it."""
        return [leaf for leaf in self._leaves if isinstance(leaf, torch.Tensor)]

    def changed(self) -> bool:
        """Whether a tensor in it was written to, or a list or dictionary is not what it was."""
        if not isinstance(self.value, torch.Tensor | list | dict | tuple):
            return False
        leaves, structure = pytree.tree_flatten(self.value)
        return (
            structure != self._structure
            or any(a is not b for a, b in zip(leaves, self._leaves, strict=True))
            or [_version(leaf) for leaf in leaves] != self._versions
        )


@dataclass(frozen=True)
class Outcome:
    """What a side gave: its return value, its variables and attributes after it, and the copies that it was lent."""

    value: Any
    state: State
    attributes: State
    lent: tuple[Lent, ...]

    def leaves_alone(self, i: int) -> bool:
        """Whether variable `i` is neither bound anew nor changed in place."""
        return self.state[i] is self.lent[i].value and not self.lent[i].changed()


@dataclass(frozen=True)
class Selected:
    """What a branch leaves: its value, and its variables. `raises`: the one side raises, and the other stands alone."""

    value: Any
    state: State
    raises: bool


class SideRaisesError(Exception):
    """A side that data decide on ends in `raise`, which no graph can do."""

    def __str__(self) -> str:
        return "the code raises on a side that data decide on, whatever it does elsewhere"


def trace_side(run: Side, state: State, branch: Branch, taken: torch.Tensor) -> Outcome:
    """Trace one side, which is `taken` or not, on copies; attributes that it assigns are put back."""
    before = _attributes(branch)
    lent = tuple(Lent(v) for v in state)
    try:
        with Guard(branch.site, [t for v in lent for t in v.tensors()], taken):
            value, after = run(*(v.value for v in lent))
        return Outcome(value, after, _attributes(branch), lent)
    finally:
        for (owner, name), old in zip(branch.attributes, before, strict=True):
            setattr(owner, name, old)


def select(condition: torch.Tensor, yes: Side, no: Side, state: State, branch: Branch) -> Selected:
    """Trace both sides and select their results by the condition. Raises `EdgecError` E0206 where none can be.

    A side that raises is left out: the other stands for both, and what must not fail there stays guarded.
    """
    a, b = _tried(yes, state, branch, condition), _tried(no, state, branch, torch.logical_not(condition))
    raises = a is None or b is None
    a, b = a or b, b or a
    if a is None or b is None:
        raise SideRaisesError
    merged = tuple(_variable(condition, i, state[i], a, b, branch) for i in range(len(state)))
    for i, (owner, name) in enumerate(branch.attributes):
        setattr(owner, name, merge(condition, f"self.{name}", branch.site, a.attributes[i], b.attributes[i]))
    value = merge(condition, "", branch.site, a.value, b.value) if branch.returns else None
    return Selected(value, merged, raises)


def _tried(run: Side, state: State, branch: Branch, taken: torch.Tensor) -> Outcome | None:
    try:
        return trace_side(run, state, branch, taken)
    except SideRaisesError:
        return None


def _variable(condition: torch.Tensor, i: int, old: Any, a: Outcome, b: Outcome, branch: Branch) -> Any:
    if a.leaves_alone(i) and b.leaves_alone(i):
        return old
    rebound = a.state[i] is not a.lent[i].value or b.state[i] is not b.lent[i].value
    if rebound and branch.names[i] not in branch.live:
        return UNDEFINED
    merged = merge(condition, branch.names[i], branch.site, a.state[i], b.state[i])
    return merged if rebound else _written_back(old, merged)


def _written_back(old: Any, merged: Any) -> Any:
    """A change in place is seen by everyone who holds the object."""
    if isinstance(old, torch.Tensor):
        return old.copy_(merged)
    if isinstance(old, list):
        old[:] = merged
        return old
    if isinstance(old, dict):
        old.clear()
        old.update(merged)
        return old
    return merged


def _copy(value: Any) -> Any:
    """The same structure with tensors of its own: what one side changes in place, the other does not see."""
    if isinstance(value, torch.Tensor | list | dict | tuple):
        return pytree.tree_map(lambda leaf: leaf.clone() if isinstance(leaf, torch.Tensor) else leaf, value)
    return value


def _attributes(branch: Branch) -> State:
    return tuple(getattr(owner, name, UNDEFINED) for owner, name in branch.attributes)


def _version(leaf: Any) -> int:
    return leaf._version if isinstance(leaf, torch.Tensor) else 0
