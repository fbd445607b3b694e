"""Loops that depend on data or on a dynamic size: unrolled with selections, or kept as a loop of the graph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch._higher_order_ops.while_loop import while_loop_op
from torch.utils import _pytree as pytree

from edgec.diag import EdgecError, error
from edgec.frontend.torch.autograph.analysis.free_tensors import Collect, Substitute
from edgec.frontend.torch.autograph.analysis.side_effects import ReachableState
from edgec.frontend.torch.autograph.operators.branches import Branch, State, merge, merging, trace_side
from edgec.frontend.torch.autograph.operators.filled_lists import FilledList
from edgec.frontend.torch.autograph.operators.select import Site, Undefined
from edgec.frontend.torch.autograph.operators.speculation import Speculation
from edgec.frontend.torch.autograph.operators.symbolic_numbers import Numbers, is_number, mark
from edgec.frontend.torch.overrides.functions import Overrides

FEW = 16
"""The number of iterations up to which a loop is unrolled immediately: accelerators prefer graphs without loops."""

UNROLLED = 128
"""The number of iterations up to which a loop is unrolled if its variables change their shapes."""

Values = tuple[torch.Tensor, ...]
Test = Callable[..., Any]
Body = Callable[..., State]


class Lent:
    """A copy of a variable for one iteration of a loop, which detects whether the iteration changes it in place."""

    def __init__(self, original: Any) -> None:
        self.original = original
        self.value = _copy(original)
        self._leaves, self._structure = pytree.tree_flatten(self.value)
        self._versions = [_version(leaf) for leaf in self._leaves]

    def changed(self) -> bool:
        """Whether a tensor in it was written to, or a list or dictionary was modified."""
        if not isinstance(self.value, torch.Tensor | list | dict | tuple):
            return False
        leaves, structure = pytree.tree_flatten(self.value)
        return (
            structure != self._structure
            or any(a is not b for a, b in zip(leaves, self._leaves, strict=True))
            or [_version(leaf) for leaf in leaves] != self._versions
        )


def _copy(value: Any) -> Any:
    """The same structure with copies of its tensors."""
    if isinstance(value, torch.Tensor | list | dict | tuple):
        return pytree.tree_map(lambda leaf: leaf.clone() if isinstance(leaf, torch.Tensor) else leaf, value)
    return value


def _version(leaf: Any) -> int:
    return leaf._version if isinstance(leaf, torch.Tensor) else 0


def truth(test: torch.Tensor) -> torch.Tensor:
    """A condition as a 0-d tensor. Raises, as Python does, for a tensor with several elements."""
    if test.numel() != 1:
        raise RuntimeError("the truth of a tensor with more than one element is ambiguous; use .any() or .all()")
    scalar = test.reshape(())
    return scalar if scalar.dtype == torch.bool else scalar != 0


def unrolled(
    going: torch.Tensor, test: Test, body: Body, state: State, branch: Branch, most: int = FEW
) -> State | None:
    """Iterate as long as conditions other than data allow; values are kept once the data-dependent condition is false.

    None if the loop has more than `most` iterations.
    """
    active = truth(going)
    live = final = state
    for _ in range(most):
        around = ReachableState((live, body))
        step = trace_side(lambda *s: (None, body(*s)), live, branch, active, around)
        around.select(merging(active, branch.site), branch.site, step.changes, {})
        live = step.state
        final = tuple(
            merge(active, name, branch.site, new, old) if name in branch.live else new
            for name, new, old in zip(branch.names, live, final, strict=True)
        )
        going = test(*live)
        if isinstance(going, torch.Tensor):
            active = torch.logical_and(active, truth(going))
        elif not going:
            return final
    return None


@dataclass(frozen=True)
class _Variable:
    """A variable carried by a loop: its index in the state, structure and tensors, and which of them are `numbers`."""

    index: int
    structure: pytree.TreeSpec
    leaves: tuple[torch.Tensor, ...]
    numbers: tuple[bool, ...]

    def bound(self, leaves: Values) -> Any:
        """The variable's value in an iteration."""
        own = [mark(v) if n else v for v, n in zip(leaves, self.numbers, strict=True)]
        return pytree.tree_unflatten(own, self.structure)

    def next(self, leaves: Values, after: Any) -> Values:
        """The leaves after an iteration."""
        found = pytree.tree_leaves(after)
        return tuple(_tensor(leaf).to(v.dtype) for leaf, v in zip(found, leaves, strict=True))

    def result(self, leaves: Values) -> Any:
        """The variable after the loop."""
        return self.bound(leaves)


@dataclass(frozen=True)
class Carried:
    """A loop of the graph: the variables that its body changes are carried as tensors.

    A variable may be a tensor, a number, or a list, tuple or dictionary of them whose structure does not change.
    Variables that are not `live`, assigned in each iteration and not read later, are not carried. With `steps`, a
    dynamic number of iterations, each may append a tensor to a list; a data-dependent loop has no `steps`.
    """

    site: Site
    names: tuple[str, ...]
    state: State
    live: frozenset[str]
    steps: Any = None

    def run(self, test: Test, body: Body) -> State:
        """The state after the loop. Raises `EdgecError` E0206 if a variable changes its shape or type."""
        variables = self._variables(body)

        def apart(values: Values) -> list[tuple[_Variable | FilledList, Values]]:
            found, rest = [], values
            for variable in variables:
                count = len(variable.leaves)
                found.append((variable, rest[:count]))
                rest = rest[count:]
            return found

        def state(values: Values) -> State:
            full = list(self.state)
            for variable, own in apart(values):
                full[variable.index] = variable.bound(own)
            return tuple(full)

        taken = Speculation.taken()

        def going(values: Values) -> torch.Tensor:
            with Speculation.outside():
                found = test(*state(values))
            further = truth(found).clone() if isinstance(found, torch.Tensor) else _tensor(bool(found))
            return further if taken is None else torch.logical_and(taken, further)

        def step(values: Values) -> Values:
            with Speculation.outside():
                after = body(*state(tuple(v.clone() for v in values)))  # the body may change them in place
            found: list[torch.Tensor] = []
            for variable, own in apart(values):
                following = variable.next(own, after[variable.index])
                if following is None:
                    raise self._refused(self.names[variable.index], "a list", "a list that is not longer by one tensor")
                found += following
            return tuple(found)

        full = list(self.state)
        for variable, own in apart(_loop(going, step, tuple(leaf for v in variables for leaf in v.leaves))):
            full[variable.index] = variable.result(own)
        return tuple(full)

    def _variables(self, body: Body) -> list[_Variable | FilledList]:
        """The variables that trial iterations change, each converted so that it can be carried.

        A number that becomes a tensor may affect further variables: this is repeated until nothing changes.
        """
        found: dict[int, _Variable | FilledList] = {}
        while True:
            state = [self._as_carried(i, found) for i in range(len(self.state))]
            lent = [Lent(v) for v in state]
            around = ReachableState((self.state, body))
            with Speculation.outside():
                after = body(*(v.value for v in lent))
            if changes := around.changes():
                around.restore(changes)
                raise self._changes_around(around.names(changes))
            pairs = zip(self.names, lent, after, strict=True)
            changed = [i for i, (name, given, new) in enumerate(pairs) if name in self.live and _changes(given, new)]
            if all(i in found for i in changed):
                return [found[i] for i in sorted(found)]
            found |= {i: self._variable(i, self.names[i], state[i], after[i]) for i in changed}

    def _changes_around(self, names: list[str]) -> EdgecError:
        return error(
            "E0206",
            f"each iteration of this loop changes {', '.join(f'`{n}`' for n in names)} of an object",
            place=self.site.place,
            notes=["a data-dependent loop carries only the variables of the function"],
            help=["keep the value in a variable of the function during the loop"],
        )

    def _as_carried(self, index: int, found: dict[int, _Variable | FilledList]) -> Any:
        variable = found.get(index)
        if variable is None:
            return self.state[index]
        return variable.bound(tuple(leaf.clone() for leaf in variable.leaves))

    def _variable(self, index: int, name: str, old: Any, new: Any) -> _Variable | FilledList:
        """A variable first assigned in the body starts as zeros, since it is unbound before the first iteration."""
        if self.steps is not None and isinstance(old, list) and isinstance(new, list):
            filled = FilledList.of(index, self.state[index], new, self.steps)
            if filled is not None:
                return filled
        leaves, structure = pytree.tree_flatten(new)
        if isinstance(old, Undefined):
            old = pytree.tree_unflatten([_zeros(leaf) for leaf in leaves], structure)
        before, structure_before = pytree.tree_flatten(old)
        if structure != structure_before:
            raise self._refused(name, _form(old, len(before)), _form(new, len(leaves)))
        for a, b in zip(before, leaves, strict=True):
            self._check(name, a, b)
        numbers = tuple(is_number(leaf) or not isinstance(leaf, torch.Tensor) for leaf in before)
        return _Variable(index, structure, tuple(_tensor(leaf) for leaf in before), numbers)

    def _check(self, name: str, old: Any, new: Any) -> None:
        kinds = (torch.Tensor, bool, int, float)
        if not (isinstance(old, kinds) and isinstance(new, kinds)):
            raise self._refused(name, type(old).__name__, type(new).__name__)
        a, b = _tensor(old), _tensor(new)
        if a.shape != b.shape or a.dtype != b.dtype:
            raise self._refused(name, f"{a.dtype}{list(a.shape)}", f"{b.dtype}{list(b.shape)}")

    def _refused(self, name: str, before: str, after: str) -> EdgecError:
        return error(
            "E0206",
            f"`{name}` is not of the same form before and after an iteration of this loop",
            place=self.site.place,
            notes=[f"before: {before}", f"after: {after}"],
            help=["keep its shape and element type, and collect results in a tensor of fixed size"],
        )


def _form(value: Any, count: int) -> str:
    return f"a {type(value).__name__} of {count} {'value' if count == 1 else 'values'}"


def _loop(going: Callable[[Values], torch.Tensor], step: Callable[[Values], Values], carried: Values) -> Values:
    """torch's loop operator; outer tensors used by the two functions are passed as additional inputs."""
    with Collect(carried) as collect:
        going(tuple(t.clone() for t in carried))
        step(tuple(t.clone() for t in carried))
    outside, count = list(collect.found), len(carried)

    def inside(function: Callable[[Values], Any]) -> Callable[..., Any]:
        def run(*inputs: torch.Tensor) -> Any:
            # torch traces the functions of its loops outside the surrounding modes.
            with Overrides(), Substitute(dict(zip(outside, inputs[count:], strict=True))), Numbers():
                return function(inputs[:count])

        return run

    operator: Any = while_loop_op  # torch declares its third parameter as a tuple of one
    return tuple(operator(inside(going), inside(step), carried, tuple(collect.found.values())))


def _changes(given: Lent, new: Any) -> bool:
    """Whether an iteration assigns a variable or changes it in place."""
    same = new is given.value or (not isinstance(new, torch.Tensor) and _equal(new, given.value))
    return (not same or given.changed()) and not isinstance(new, Undefined)


def _zeros(like: Any) -> Any:
    return torch.zeros_like(like) if isinstance(like, torch.Tensor) else like


def _equal(a: Any, b: Any) -> bool:
    return type(a) is type(b) and isinstance(a, bool | int | float | str | type(None)) and bool(a == b)


def _tensor(value: Any) -> torch.Tensor:
    return value.clone() if isinstance(value, torch.Tensor) else torch.tensor(value)
