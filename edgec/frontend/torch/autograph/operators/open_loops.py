"""Loops over a dynamic dimension: a loop of the graph with as many iterations as that dimension is long."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from edgec.diag import EdgecError, Place, error
from edgec.frontend.torch.autograph.operators.branches import Branch, State
from edgec.frontend.torch.autograph.operators.loop_bounds import Range, is_open
from edgec.frontend.torch.autograph.operators.loops import Body, Carried, Test
from edgec.frontend.torch.autograph.operators.open_sequences import (
    Backwards,
    Counted,
    Enumerated,
    Zipped,
    elements_of,
    extent,
)
from edgec.frontend.torch.autograph.operators.select import Site
from edgec.frontend.torch.autograph.operators.symbolic_numbers import mark


class OpenLoops:
    """The replacements for the iterables of such loops in rewritten functions: part of the runtime."""

    tracing: bool
    elements = staticmethod(elements_of)
    enumerated, zipped, backwards = Enumerated, Zipped, Backwards
    extent = staticmethod(extent)

    @staticmethod
    def counted(*bounds: Any) -> Counted:
        """`range(…)`."""
        start, stop, step = (0, bounds[0], 1) if len(bounds) == 1 else (*bounds, 1)[:3]
        return Counted(start, stop, step)

    def mapped(self, function: Callable[[Any], Any], elements: Any, line: int) -> Any:
        """`[function(e) for e in elements]`."""
        steps = extent(elements)
        if not self.tracing or not is_open(steps):
            return [function(elements[i]) for i in range(steps)]

        def step(place: Any, made: Any) -> State:
            made.append(function(elements[place]))
            return place + 1, made

        bounds = Range(0, steps, 1)
        branch = Branch(
            Site("list comprehension", function.__code__.co_filename, line, (line, line)),
            ("place", "made"),
            frozenset(("place", "made")),
        )
        return over_open_size(lambda place, _: _tensors(bounds).holds(place), step, (0, []), branch, steps)[1]


def over_open_size(test: Test, body: Body, state: State, branch: Branch, steps: Any) -> State:
    """The state after a loop of `steps` iterations. Raises `EdgecError` E0202 or E0206 if the graph cannot have one."""
    given = tuple(_tensors(v) for v in state)
    try:
        after = Carried(branch.site, branch.names, given, branch.live, steps).run(test, body)
    except EdgecError as refused:
        raise _refused(branch.site.place, refused) from refused
    return tuple(old if new is g else new for old, g, new in zip(state, given, after, strict=True))


def _tensors(value: Any) -> Any:
    """Dynamic sizes as tensors that represent numbers: a loop of the graph accepts tensors only."""
    if isinstance(value, Range):
        return replace(value, start=_tensors(value.start), stop=_tensors(value.stop))
    return mark(torch.scalar_tensor(value, dtype=torch.int64)) if is_open(value) else value


def _refused(place: Place, refused: EdgecError) -> EdgecError:
    (first, *_) = refused.diagnostics
    return error(
        "E0202",
        "this loop over an open dimension cannot be a loop of the graph: " + first.message,
        place=first.place or place,
        notes=[*first.notes, *([] if any("rejected" in n for n in first.notes) else ["rejected by `open-loop`"])],
        help=[
            *first.help,
            "or let a layer step through it (`nn.GRU`, `nn.LSTM`, `nn.RNN`, `cumsum`), or leave the dimension fixed",
        ],
    )
