"""Tracing one side of a branch with its side effects undone, and selecting between the two sides."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils import _pytree as pytree

from edgec.diag import EdgecError
from edgec.frontend.torch.autograph.analysis.side_effects import Content, ReachableState
from edgec.frontend.torch.autograph.operators.select import (
    UNDEFINED,
    Number,
    Site,
    Undefined,
    different,
    different_sizes,
    select_tensors,
)
from edgec.frontend.torch.autograph.operators.speculation import Speculation
from edgec.frontend.torch.autograph.operators.symbolic_numbers import is_number, mark

State = tuple[Any, ...]
Side = Callable[..., tuple[Any, State]]


@dataclass(frozen=True)
class Branch:
    """A branch with the variables it reads and writes. `live` are the names read afterwards; `flag` is the variable
    that ends a loop early.
    """

    site: Site
    names: tuple[str, ...] = ()
    live: frozenset[str] = frozenset()
    returns: bool = False
    flag: str = ""


@dataclass(frozen=True)
class Outcome:
    """The result of a side: its return value, its variables, and its side effects."""

    value: Any
    state: State
    changes: dict[int, Content]


@dataclass(frozen=True)
class Selected:
    """The result of a branch: its value, and its variables. `raises`: one side raises, and only the other is used;
    `numbers`: some values were different numbers on each side, and have become tensors.
    """

    value: Any
    state: State
    raises: bool
    numbers: bool = False


class SideRaisesError(Exception):
    """A side of a data-dependent branch ends in `raise`, which a graph cannot express."""

    def __str__(self) -> str:
        return "the code raises on a side that data decide on, whatever it does elsewhere"


def trace_side(run: Side, state: State, branch: Branch, taken: torch.Tensor, around: ReachableState) -> Outcome:
    """Trace one side, executed if `taken`, and undo its side effects."""
    changes: dict[int, Content] = {}
    try:
        with Speculation(branch.site, taken):
            value, after = run(*state)
    finally:
        changes = around.changes()
        around.restore(changes)
    return Outcome(value, after, changes)


def select(condition: torch.Tensor, yes: Side, no: Side, state: State, branch: Branch) -> Selected:
    """Trace both sides and select their results by the condition. Raises `EdgecError` E0206 if that is impossible.

    A side that raises is omitted: the result is that of the other side, whose operations remain guarded.
    """
    around = ReachableState((state, yes, no))
    a, b = (
        _tried(side, state, branch, taken, around)
        for side, taken in ((yes, condition), (no, torch.logical_not(condition)))
    )
    raises = a is None or b is None
    a, b = a or b, b or a
    if a is None or b is None:
        raise SideRaisesError
    around.select(merging(condition, branch.site), branch.site, a.changes, b.changes)
    merged = tuple(_variable(condition, i, state[i], a, b, branch) for i in range(len(state)))
    value = merge(condition, "", branch.site, a.value, b.value) if branch.returns else None
    live = [(x, y) for name, x, y in zip(branch.names, a.state, b.state, strict=True) if name in branch.live]
    numbers = any(_are_numbers(x, y) for x, y in [*live, (a.value, b.value)])
    return Selected(value, merged, raises, numbers)


def _are_numbers(yes: Any, no: Any) -> bool:
    return isinstance(yes, Number) and isinstance(no, Number) and yes != no


def _tried(run: Side, state: State, branch: Branch, taken: torch.Tensor, around: ReachableState) -> Outcome | None:
    try:
        return trace_side(run, state, branch, taken, around)
    except SideRaisesError:
        return None


def _variable(condition: torch.Tensor, i: int, old: Any, a: Outcome, b: Outcome, branch: Branch) -> Any:
    """A variable that neither side assigns keeps its value, although its contents may have changed."""
    if a.state[i] is old and b.state[i] is old:
        return old
    if branch.names[i] not in branch.live:
        return UNDEFINED
    return merge(condition, branch.names[i], branch.site, a.state[i], b.state[i])


@dataclass(frozen=True)
class Either:
    """A callable that differs between the sides of a branch: calling it is a branch itself."""

    condition: torch.Tensor
    site: Site
    yes: Callable[..., Any]
    no: Callable[..., Any]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call both, and select."""

        def yes() -> tuple[Any, tuple[Any, ...]]:
            return self.yes(*args, **kwargs), ()

        def no() -> tuple[Any, tuple[Any, ...]]:
            return self.no(*args, **kwargs), ()

        return select(self.condition, yes, no, (), Branch(self.site, returns=True)).value


def merge(condition: torch.Tensor, name: str, site: Site, yes: Any, no: Any) -> Any:
    """`yes` if the condition holds, else `no`: tensors of equal shape and type, numbers, or equal structures of them.

    Raises `EdgecError` E0206 naming both sides if no single value can represent both.
    """
    if yes is no or isinstance(no, Undefined):
        return yes
    if isinstance(yes, Undefined):
        return no
    leaves_yes, spec_yes = pytree.tree_flatten(yes)
    leaves_no, spec_no = pytree.tree_flatten(no)
    if spec_yes != spec_no:
        raise _differ(name, site, "a different structure", structure(spec_yes), structure(spec_no))
    merged = [_leaf(condition, name, site, a, b) for a, b in zip(leaves_yes, leaves_no, strict=True)]
    return pytree.tree_unflatten(merged, spec_yes)


def merging(condition: torch.Tensor, site: Site) -> Callable[[str, Any, Any], Any]:
    """`merge` with a fixed condition, for named values."""

    def merged(name: str, yes: Any, no: Any) -> Any:
        return merge(condition, name, site, yes, no)

    return merged


def _leaf(condition: torch.Tensor, name: str, site: Site, yes: Any, no: Any) -> Any:
    if yes is no:
        return yes
    tensors = [isinstance(v, torch.Tensor) for v in (yes, no)]
    if not any(tensors):
        if type(yes) is type(no) and yes == no:
            return yes
        if callable(yes) and callable(no):
            return Either(condition, site, yes, no)
        if any(isinstance(v, torch.SymInt) for v in (yes, no)):
            raise different_sizes(site, f"`{name}`" if name else "the result", _shown(yes), _shown(no))
        if not (isinstance(yes, Number) and isinstance(no, Number)):
            raise _differ(name, site, "values that a tensor cannot represent", _shown(yes), _shown(no))
    numbers = all(is_number(v) or isinstance(v, Number) for v in (yes, no))
    if not all(tensors):
        yes, no = _as_tensors(yes, no)
        if not all(isinstance(v, torch.Tensor) for v in (yes, no)):
            raise _differ(name, site, "different kinds of value", _shown(yes), _shown(no))
    if yes.shape != no.shape:
        raise _differ(name, site, "different shapes", _shown(yes), _shown(no))
    if yes.dtype != no.dtype:
        raise _differ(name, site, "different element types", _shown(yes), _shown(no))
    found = select_tensors(condition, yes, no)
    return mark(found) if numbers else found


def _as_tensors(yes: Any, no: Any) -> tuple[Any, Any]:
    """A number combined with a tensor takes its element type; two numbers take torch's result type."""
    if isinstance(yes, torch.Tensor) and isinstance(no, Number):
        return yes, torch.tensor(no, dtype=yes.dtype, device=yes.device)
    if isinstance(no, torch.Tensor) and isinstance(yes, Number):
        return torch.tensor(yes, dtype=no.dtype, device=no.device), no
    if isinstance(yes, Number) and isinstance(no, Number):
        kind = torch.promote_types(torch.tensor(yes).dtype, torch.tensor(no).dtype)
        return torch.tensor(yes, dtype=kind), torch.tensor(no, dtype=kind)
    return yes, no


def _differ(name: str, site: Site, how: str, yes: str, no: str) -> EdgecError:
    return different(site, f"`{name}`" if name else "the result", how, yes, no)


def structure(spec: pytree.TreeSpec) -> str:
    """A structure in words: `a list of 2`, `a dict with y, aux`."""
    if spec.is_leaf():
        return "a single value"
    kind = getattr(spec.type, "__name__", str(spec.type))
    if spec.type in (list, tuple):
        return f"a {kind} of {spec.num_children}"
    keys = spec.context[-1] if spec.type is defaultdict else spec.context
    return f"a {kind} with {', '.join(map(str, keys)) or 'nothing'}" if isinstance(keys, list) else f"a {kind}"


def _shown(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        return f"{str(value.dtype).removeprefix('torch.')}{list(value.shape)}"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
