"""Loops whose end depends on data: unrolled under a selection, or kept as a loop of the graph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch._higher_order_ops.while_loop import while_loop_op

from edgec.diag import EdgecError, error
from edgec.frontend.control_flow.guard import Guard
from edgec.frontend.control_flow.merge import Site, Undefined, merge
from edgec.frontend.control_flow.outside import Collect, Substitute
from edgec.frontend.control_flow.sides import Branch, Lent, State, trace_side
from edgec.frontend.settled import Settled

UNROLLED = 128
"""Iterations up to which a loop is unrolled; a longer one stays a loop."""

Test = Callable[..., Any]
Body = Callable[..., State]


def truth(test: torch.Tensor) -> torch.Tensor:
    """A condition of no dimensions. Raises as Python does for a tensor of several elements."""
    if test.numel() != 1:
        raise RuntimeError("the truth of a tensor with more than one element is ambiguous; use .any() or .all()")
    scalar = test.reshape(())
    return scalar if scalar.dtype == torch.bool else scalar != 0


def unrolled(going: torch.Tensor, test: Test, body: Body, state: State, branch: Branch) -> State | None:
    """Iterate while anything but the data allows; values stay as they were once the data say stop.

    None where the loop goes on beyond `UNROLLED` iterations.
    """
    active = truth(going)
    live = final = state
    for _ in range(UNROLLED):
        live = trace_side(lambda *s: (None, body(*s)), live, branch, active).state
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
class Carried:
    """A `while` whose end only the data know: the variables that its body changes are carried as tensors."""

    site: Site
    names: tuple[str, ...]
    state: State

    def run(self, test: Test, body: Body) -> State:
        """The state after the loop. Raises `EdgecError` E0206 where a variable changes its shape or type."""
        changed = self._changed(body)
        carried = tuple(_tensor(self.state[i]) for i in changed)

        def state(values: tuple[torch.Tensor, ...]) -> State:
            full = list(self.state)
            for i, value in zip(changed, values, strict=True):
                full[i] = value
            return tuple(full)

        taken = Guard.taken()

        def going(values: tuple[torch.Tensor, ...]) -> torch.Tensor:
            with Guard.outside():
                found = test(*state(values))
            further = truth(found).clone() if isinstance(found, torch.Tensor) else _tensor(bool(found))
            return further if taken is None else torch.logical_and(taken, further)

        def step(values: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
            with Guard.outside():
                after = body(*state(values))
            return tuple(_tensor(after[i]).to(v.dtype) for i, v in zip(changed, values, strict=True))

        return state(_loop(going, step, carried))

    def _changed(self, body: Body) -> list[int]:
        """Which variables a trial iteration changes, each fit to be carried."""
        lent = [Lent(v) for v in self.state]
        with Guard.outside():
            after = body(*(v.value for v in lent))
        found = []
        for i, (name, given, new) in enumerate(zip(self.names, lent, after, strict=True)):
            same = new is given.value or (not isinstance(new, torch.Tensor) and _equal(new, given.value))
            if (same and not given.changed()) or isinstance(given.original, Undefined):
                continue
            self._check(name, given.original, new)
            found.append(i)
        return found

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
            f"`{name}` is not the same kind of tensor before and after an iteration of this loop",
            place=self.site.place,
            notes=[f"before: {before}", f"after: {after}"],
            help=["keep its shape and element type, and collect results in a tensor of fixed size"],
        )


Values = tuple[torch.Tensor, ...]


def _loop(going: Callable[[Values], torch.Tensor], step: Callable[[Values], Values], carried: Values) -> Values:
    """torch's loop operator; what the two functions use from outside is given to it as further inputs."""
    with Collect(carried) as collect:
        going(tuple(t.clone() for t in carried))
        step(tuple(t.clone() for t in carried))
    outside, count = list(collect.found), len(carried)

    def inside(function: Callable[[Values], Any]) -> Callable[..., Any]:
        def run(*inputs: torch.Tensor) -> Any:
            # torch traces the functions of its loops outside of the modes around them.
            with Settled(), Substitute(dict(zip(outside, inputs[count:], strict=True))):
                return function(inputs[:count])

        return run

    operator: Any = while_loop_op  # torch declares its third parameter as a tuple of one
    return tuple(operator(inside(going), inside(step), carried, tuple(collect.found.values())))


def _equal(a: Any, b: Any) -> bool:
    return type(a) is type(b) and isinstance(a, bool | int | float | str | type(None)) and bool(a == b)


def _tensor(value: Any) -> torch.Tensor:
    return value.clone() if isinstance(value, torch.Tensor) else torch.tensor(value)
