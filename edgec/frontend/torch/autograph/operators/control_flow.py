"""The operators that rewritten functions call: branches, loops and logic on tensors as well as Python values."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.fx.experimental.symbolic_shapes import is_concrete_bool, is_concrete_int

from edgec.diag import EdgecError
from edgec.frontend.torch.autograph.operators.augmented_assignment import augmented, in_place
from edgec.frontend.torch.autograph.operators.branches import Branch, Side, SideRaisesError, State, merge, select
from edgec.frontend.torch.autograph.operators.loop_bounds import Bounds, Range
from edgec.frontend.torch.autograph.operators.loops import UNROLLED, Carried, truth, unrolled
from edgec.frontend.torch.autograph.operators.open_loops import OpenLoops, over_open_size
from edgec.frontend.torch.autograph.operators.path_duplication import Forks
from edgec.frontend.torch.autograph.operators.py_builtins import Conversions
from edgec.frontend.torch.autograph.operators.select import UNDEFINED, Site
from edgec.frontend.torch.autograph.operators.speculation import Speculation

_AND, _OR = Site("and", "", 0, (0, 0)), Site("or", "", 0, (0, 0))


STAYS_LOOP = "it stays a loop of the graph"


def _same(value: Any) -> Any:
    return value


@dataclass
class Runtime(Conversions, OpenLoops):
    """The functions of `__edgec__`. While `tracing`, tensor conditions become selections; otherwise sides are recorded.

    `sides` contains, for each location with a tensor condition, the sides taken in eager runs; `rounds`, for each loop,
    the number of iterations: 0, 1 or 2 (several). `unchecked` are checks of data that no graph can express: each
    `assert`, and each branch with a side that raises. `begun` are the loops whose first iteration does not depend on
    data, `handled` the exception handlers that could have run since it was last cleared, and whether they did.
    `symbols`: torch represents some data-dependent numbers by symbols.
    """

    tracing: bool = False
    sides: dict[Site, set[bool]] = field(default_factory=dict)
    rounds: dict[Site, set[int]] = field(default_factory=dict)
    longest: int = 0
    forks: Forks = field(default_factory=Forks)
    patience: int | None = None
    selected: dict[Site, str] = field(default_factory=dict)
    unchecked: dict[Site, None] = field(default_factory=dict)
    begun: set[Site] = field(default_factory=set)
    handled: dict[Site, bool] = field(default_factory=dict)
    known: Callable[[Any], Any] = _same
    symbols: bool = False
    UNDEFINED = UNDEFINED

    def begin(self) -> None:
        """Discard what an earlier, failed export recorded about branches."""
        self.selected.clear()
        self.unchecked.clear()
        self.begun.clear()

    def record(self) -> tuple[dict[Site, set[bool]], dict[Site, set[int]]]:
        """The sides and iteration counts seen in eager runs so far."""
        return {s: set(v) for s, v in self.sides.items()}, {s: set(v) for s, v in self.rounds.items()}

    def recall(self, record: tuple[dict[Site, set[bool]], dict[Site, set[int]]]) -> None:
        """Discard what was recorded since."""
        self.sides, self.rounds = record

    @contextmanager
    def trace(self) -> Iterator[None]:
        """For use around an export."""
        self.tracing = True
        try:
            yield
        finally:
            self.tracing = False

    @contextmanager
    def knowing(self, known: Callable[[Any], Any]) -> Iterator[None]:
        """While active, `known` returns the values of tensors that do not depend on data."""
        self.known = known
        try:
            yield
        finally:
            self.known = _same

    def value(self, read: Callable[[], Any]) -> Any:
        """A local variable's value, or `UNDEFINED` if it is not bound."""
        try:
            return read()
        except NameError:
            return UNDEFINED

    def describe(
        self,
        where: tuple[str, str, int, tuple[int, int]],
        names: tuple[str, ...],
        live: tuple[str, ...],
        returns: bool,
        flag: str,
    ) -> Branch:
        """The description of a branch, as written in the rewritten source."""
        return Branch(Site(*where), names, frozenset(live), returns, flag)

    def branch(self, test: Any, yes: Side, no: Side, state: State, branch: Branch) -> tuple[Any, State]:
        """`if test: yes else: no`. Each side takes the state and returns its return value and the new state."""
        test = self._of_sizes(test)
        if not self.is_traced(test):
            return yes(*state) if self._take(branch.site, test) else no(*state)
        forked = self.forks.side(branch.site, truth(test))
        if forked is not None:
            self.selected.setdefault(branch.site, "the model is computed for each side and one result selected")
            return yes(*state) if forked else no(*state)
        try:
            found = select(truth(test), yes, no, state, branch)
        except EdgecError as refused:
            raise self.forks.asked(branch, refused) from refused
        self.forks.ends(branch, state, found.state)
        if found.numbers and not Speculation.nested():
            self.forks.numbers.setdefault(branch.site)
        if found.raises:
            self.unchecked.setdefault(branch.site)
        else:
            self.selected.setdefault(branch.site, "both sides are computed and one is selected")
        return found.value, found.state

    def loop(self, test: Callable[..., Any], body: Callable[..., State], state: State, branch: Branch) -> State:
        """`while test: body`. Unrolled if something other than data bounds it, otherwise a loop of the graph."""
        for step in itertools.count():
            if self.patience is not None and step > max(self.patience, 4 * self.longest):
                raise RuntimeError(f"the loop has not ended after {step} steps")
            with Bounds() as bounds:
                going = test(*state)
            if self.tracing and bounds.rounds is not None:
                return over_open_size(test, body, state, branch, bounds.rounds)
            if self.is_traced(going):
                forked = self.forks.side(branch.site, truth(going)) if bounds.seen else None
                if forked is None:
                    return self._loop_of_graph(going, test, body, state, branch, bounded=bounds.seen)
                self.selected.setdefault(branch.site, "the model is computed for each number of steps and one selected")
                if not forked:
                    return state
            elif not self._take(branch.site, going):
                self._ran(branch.site, step)
                return state
            elif self.tracing:
                self.begun.add(branch.site)
            state = body(*state)
        raise AssertionError("unreachable")  # pragma: no cover

    def _loop_of_graph(
        self,
        going: torch.Tensor,
        test: Callable[..., Any],
        body: Callable[..., State],
        state: State,
        branch: Branch,
        *,
        bounded: bool,
    ) -> State:
        """The state after a data-dependent loop: unrolled if short, else a loop of the graph, else unrolled further."""
        try:
            done = unrolled(going, test, body, state, branch) if bounded else None
            if done is None:
                try:
                    state = Carried(branch.site, branch.names, state, branch.live).run(test, body)
                except Exception:  # anything in a body that a loop of the graph does not support
                    done = unrolled(going, test, body, state, branch, UNROLLED) if bounded else None
                    if done is None:
                        raise
        except EdgecError as refused:
            if not bounded:
                raise
            raise self.forks.asked(branch, refused) from refused
        if done is None:
            self.selected.setdefault(branch.site, STAYS_LOOP)
            return state
        self.selected.setdefault(branch.site, "it is unrolled and each iteration selected")
        return done

    def both(self, first: Any, *others: Callable[[], Any]) -> Any:
        """`first and …`: the first false operand, else the last."""
        first = self._of_sizes(first)
        for other in others:
            Bounds.note(first)
            if not self.is_traced(first):
                first = other() if first else first
                continue
            second = _guarded(_AND, truth(first), other)
            Bounds.note(second)
            if not isinstance(second, torch.Tensor) and not second:
                return second  # false regardless of the data
            logical = _logical(torch.logical_and, first, second)
            first = merge(truth(first), "", _AND, second, first) if logical is None else logical
        return first

    def either(self, first: Any, *others: Callable[[], Any]) -> Any:
        """`first or …`: the first true operand, else the last."""
        first = self._of_sizes(first)
        for other in others:
            if not self.is_traced(first):
                first = first or other()
                continue
            second = _guarded(_OR, torch.logical_not(truth(first)), other)
            logical = _logical(torch.logical_or, first, second)
            first = merge(truth(first), "", _OR, first, second) if logical is None else logical
        return first

    def going(self, stopped: Any, *others: Callable[[], Any]) -> Any:
        """`not stopped and …`: a loop's test with its early exit, which does not bound it."""
        if not self.is_traced(stopped):
            return False if stopped else (others[0]() if others else True)
        rest = _guarded(_AND, self.negated(stopped), others[0]) if others else True
        if not isinstance(rest, torch.Tensor):
            return self.negated(stopped) if rest else rest
        return torch.logical_and(self.negated(stopped), truth(rest))

    def chain(self, first: Any, *links: tuple[Callable[[Any, Any], Any], Callable[[], Any]]) -> Any:
        """`first < b < c`: each link is a comparison and its right operand, which is evaluated once."""
        left, holds = first, None
        for compare, value in links:
            right = value()
            this = compare(left, right)
            holds = this if holds is None else self.both(holds, functools.partial(_same, this))
            if not isinstance(holds, torch.Tensor) and not holds:
                return holds
            left = right
        return holds

    def negated(self, value: Any) -> Any:
        """`not value`."""
        value = self._of_sizes(value)
        return torch.logical_not(truth(value)) if self.is_traced(value) else not value

    def choose(self, test: Any, yes: Callable[[], Any], no: Callable[[], Any], where: tuple[Any, ...]) -> Any:
        """`yes if test else no`."""
        return self.branching(test, yes, no, Branch(Site(*where), returns=True))

    def branching(self, test: Any, yes: Callable[[], Any], no: Callable[[], Any], branch: Branch) -> Any:
        """The result of one of two functions."""
        return self.branch(test, lambda: (yes(), ()), lambda: (no(), ()), (), branch)[0]

    def certain(self, flag: Any, loop: tuple[Any, ...]) -> bool:
        """Whether the flag that ends a loop early is true regardless of the data."""
        known = not isinstance(flag, torch.Tensor) and bool(flag)
        if known and not self.tracing:
            self.sides.setdefault(Site(*loop), set()).add(False)
        return known

    def holds(self, test: Any, where: tuple[Any, ...]) -> Any:
        """The test of an assertion; a data-dependent one cannot be kept in a graph."""
        if not self.is_traced(test):
            return test
        self.unchecked.setdefault(Site(*where))
        return True

    def caught(self, where: tuple[Any, ...]) -> None:
        """Record that an exception handler runs."""
        self.handled[Site(*where)] = True

    def entered(self, where: tuple[Any, ...]) -> None:
        """Record that a `try` with that handler is entered."""
        self.handled.setdefault(Site(*where), False)

    @contextmanager
    def within(self, where: tuple[Any, ...]) -> Iterator[None]:
        """The body of a `with` that may suppress exceptions."""
        self.entered(where)
        try:
            yield
        except Exception:
            self.caught(where)
            raise

    def raised(self, make: Callable[[], Any]) -> Any:
        """The exception of a `raise`. On a data-dependent side its message may be omitted, since it may show data."""
        return SideRaisesError() if Speculation.taken() is not None else make()

    def augment(self, operation: str, target: Any, value: Any) -> Any:
        """`target += value`: in place, except for 0-d tensors, which may represent numbers."""
        return augmented(operation, target, value)

    def augment_attribute(self, operation: str, owner: Any, name: str, value: Any) -> None:
        """`owner.name += value`. A module's buffer is changed in place: it is a state of the model."""
        if isinstance(owner, torch.nn.Module) and name in owner._buffers:
            setattr(owner, name, in_place(operation, getattr(owner, name), value))
        else:
            setattr(owner, name, self.augment(operation, getattr(owner, name), value))

    def augment_item(self, operation: str, container: Any, index: Any, value: Any) -> None:
        """`container[index] += value`."""
        container[index] = self.augment(operation, container[index], value)

    def some(self, values: Iterable[Any]) -> Any:
        """`any(values)`."""
        found: Any = False
        for value in values:
            if not self.is_traced(value):
                if value:
                    return True
            else:
                found = truth(value) if found is False else torch.logical_or(found, truth(value))
        return found

    def every(self, values: Iterable[Any]) -> Any:
        """`all(values)`."""
        return self.negated(self.some(self.negated(value) for value in values))

    @staticmethod
    def Range(*bounds: Any) -> Range:  # noqa: N802 - stands for the builtin
        """The bounds of a `for … in range(…)`."""
        start, stop, step = (0, bounds[0], 1) if len(bounds) == 1 else (*bounds, 1)[:3]
        return Range(start, stop, step)

    def _of_sizes(self, test: Any) -> Any:
        """A condition on data-dependent sizes, such as `found.numel() > 0`, as a tensor; one on the module's own flags
        as its value."""
        if self.tracing:
            test = self.known(test)
        if self.tracing and isinstance(test, torch.SymInt) and not is_concrete_int(test):
            test = test != 0
        if not self.tracing or not isinstance(test, torch.SymBool) or is_concrete_bool(test):
            return test
        number: Any = torch.sym_ite(test, 1, 0)  # type: ignore[no-untyped-call]
        return torch.scalar_tensor(number, dtype=torch.int64) != 0

    def _take(self, site: Site, test: Any) -> bool:
        taken = bool(test)
        if not self.tracing:
            self.sides.setdefault(site, set()).add(taken)
        return taken

    def _ran(self, site: Site, steps: int) -> None:
        if not self.tracing:
            self.rounds.setdefault(site, set()).add(min(steps, 2))
            self.longest = max(self.longest, steps)


def _logical(operation: Callable[..., torch.Tensor], first: Any, second: Any) -> torch.Tensor | None:
    """For booleans, `and` and `or` are logical operators; None if an operand is not boolean."""
    values = [torch.tensor(v) if isinstance(v, bool) else v for v in (first, second)]
    if not all(isinstance(v, torch.Tensor) and v.dtype == torch.bool and v.numel() == 1 for v in values):
        return None
    return operation(truth(values[0]), truth(values[1]))


def _guarded(site: Site, taken: torch.Tensor, compute: Callable[[], Any]) -> Any:
    with Speculation(site, taken):
        return compute()
