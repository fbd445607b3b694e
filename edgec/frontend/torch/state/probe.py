"""Classifies what a module keeps between calls, by calling it: caches, states, values never read, and the rest, which
no artifact can keep.

A cache holds the same value whatever the inputs are: it remains as the first call left it. A tensor that exists before
the first call and keeps its shape and type is a state. Values that are only written, such as attention weights kept for
inspection, are restored after each call. Anything else that a later call uses is refused.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.utils._python_dispatch import _disable_current_modes

from edgec.diag import EdgecError, error
from edgec.diag import Place as Line
from edgec.frontend.torch.state.baked_constants import Computed
from edgec.frontend.torch.state.dependence import OfInputs, Uses, depends, watched
from edgec.frontend.torch.state.holders import HOOKS, MISSING
from edgec.frontend.torch.state.locations import Change, Place, is_of_data, is_same, is_same_tensor, leaves
from edgec.frontend.torch.state.memory import Memory
from edgec.frontend.torch.state.uninitialized_memory import Filled

Outputs = list[torch.Tensor]
Calls = Callable[[int], Outputs]
"""Runs the module on one of several inputs by number, each with its own tensors; 0 is the example."""

_NEAR = 1e-3
"""A difference of outputs, relative to their largest element, that is larger than rounding."""

_WEIGHT = torch.nn.Parameter
"""torch replaces each of these by another tensor during a trace."""

_OTHER = (1, 7, 1000)
"""The numbers added to a kept number to see whether a call depends on it."""


@dataclass(frozen=True)
class Lines:
    """How to find lines of the source: the line that changes a location, the line that writes to a tensor, and the line
    after which a second run differs from the first.
    """

    of_change: Callable[[Place], Line | None]
    of_write: Callable[[torch.Tensor], Line | None]
    of_difference: Callable[[], Line | None]


@dataclass
class Probe:
    """A module with its state, how to run it, and how to find lines of its source."""

    module: torch.nn.Module
    memory: Memory
    first: Computed
    run: Calls
    inputs: Callable[[int], Sequence[torch.Tensor]]
    lines: Lines
    count: int = 2
    known: set[tuple[int, Any]] = field(default_factory=set)
    _caches: set[tuple[int, Any]] = field(default_factory=set)
    _late: list[Change] = field(default_factory=list)
    _asked: bool = False

    def classify(self, first: Outputs) -> None:
        """Classify what the first call, whose outputs are `first`, kept. Raises `EdgecError` E0219."""
        found = self.memory.changes()
        self.memory.restore()
        self.memory.follow_buffers(self.module)
        if found and not self._are_library_flags(found, first):
            self._told_apart()
        elif found:
            return
        if not are_near(first, self._fresh(0)) and not self._is_unwritten():
            raise self._written_parameter() or error(
                "E0219",
                "the model gives a different result when it is called again on the same inputs",
                place=self.lines.of_difference(),
                notes=[
                    "it keeps state that cannot be restored, such as an iterator, or uses random numbers",
                    "rejected by `memory-hidden`",
                ],
                help=["keep state in a buffer: `register_buffer`"],
            )

    def _is_unwritten(self) -> bool:
        """Whether runs differ only through uninitialized memory, for which the trace is checked later."""
        with Filled(0):
            return are_near(self._fresh(0), self._fresh(0))

    def _written_parameter(self) -> EdgecError | None:
        """The refusal of a parameter that a call writes to, or None."""
        before = {name: p.detach().clone() for name, p in self.module.named_parameters()}
        self._fresh(0)
        for name, parameter in self.module.named_parameters():
            if not is_same_tensor(parameter.detach(), before[name]):
                return error(
                    "E0219",
                    f"the forward writes to the parameter `{name}`",
                    place=self.lines.of_write(parameter),
                    notes=["a later call uses it", "rejected by `memory-parameter`"],
                    help=["keep it in a buffer: `register_buffer`"],
                )
        return None

    def _are_library_flags(self, found: Sequence[Change], first: Outputs) -> bool:
        """Whether all changes are flags and hooks of an installed library, which the next call does not change and
        which do not change its outputs: then they are kept.
        """
        if not all(map(_is_library_flag, found)):
            return False
        self.memory.keep(found)
        self.memory.restore()
        again = self.run(0)
        if not self.memory.changes() and are_near(first, again):
            self._caches = {c.place.identity for c in found}
            self.known |= self._caches
            return True
        self.memory.keep([Change(c.place, c.after, c.before) for c in found])
        self.memory.restore()
        return False

    @contextmanager
    def traced(self) -> Iterator[None]:
        """For use around a trace, which starts in the state of the first call. What it keeps is recorded."""
        with self.memory.fresh():
            hook = self.module.register_forward_hook(self._note_late)  # torch restores attributes after a trace
            try:
                yield
            finally:
                hook.remove()

    def _note_late(self, *_: Any) -> None:
        with _disable_current_modes(), torch._C.DisableTorchFunction():
            self._late = [c for c in self.memory.changes() if self._is_late(c)]

    def further(self) -> bool:
        """Whether the trace, which takes both sides of branches, found further states, so that it must be repeated.

        Raises `EdgecError` E0219 for values that are kept for some inputs only, which no artifact can keep.
        """
        late, self._late = self._late, []
        whole = [(c, self._whole(c)) for c in late]
        states = [w for _, w in whole if w is not None and w.keeps_form]
        for change in states:
            self._keep_as_state(change)
        rest = [c for c, w in whole if w is None or not w.keeps_form]
        self._check([c for c in rest if c.place.identity in self._caches])
        for change in (c for c in rest if c.place.identity not in self.known):
            raise self._refused(change)
        return bool(states)

    def way_keeps(self) -> bool:
        """Whether one path through the model kept values that the next would read: states and Python values."""
        with _disable_current_modes(), torch._C.DisableTorchFunction():
            return any(map(self._is_read_next, self.memory.changes()))

    def _is_read_next(self, change: Change) -> bool:
        place = change.place
        if self.memory.states.covers(place):
            return self.memory.states.moved(place)
        if place.registry or place.key == "forward" or change.builds or isinstance(change.before, _WEIGHT):
            return False
        if place.identity in self.known - self._caches:
            return False
        return not all(isinstance(leaf, torch.Tensor) for leaf in leaves(change.after))

    def _is_late(self, change: Change) -> bool:
        """Whether a trace kept what no call did, or a data-dependent number where all calls kept the same one."""
        place = change.place
        if change.of_buffer or change.builds or self.memory.states.covers(place) or isinstance(change.before, _WEIGHT):
            return False
        if place.registry in HOOKS or place.key == "forward":
            return False  # these are edgec's own during a trace
        return place.identity not in self.known or (place.identity in self._caches and is_of_data(change.after))

    def computed(self) -> Computed:
        """The values that another call in the initial state computes from its inputs."""
        found = Computed(self.inputs(1))
        with self.memory.fresh(), found:
            self.run(1)
        return found

    def _told_apart(self) -> None:
        runs = [self._marked(), *(self._changed(i) for i in range(1, self.count)), self._changed(0, 0)]
        places = {c.place.identity: c.place for run in runs for c in run.values() if c.place.registry not in HOOKS}
        places |= {i: c.place for i, c in runs[0].items()}  # an installed hook has a new number each time
        self.known |= set(places)
        caches = [runs[0][i] for i in places if i in runs[0] and self._is_cache([r.get(i) for r in runs])]
        self._caches = {c.place.identity for c in caches}
        kept = [next(r[i] for r in runs if i in r) for i in places if i not in self._caches]
        self._classify_caches(caches)
        if self._asked:  # values equal in all calls may still depend on data: the trace shows it
            plain = [c for c in caches if not c.builds and c.place.registry not in HOOKS and not _is_library_flag(c)]
            self.memory.keep([Change(c.place, c.after, c.before) for c in plain])
            self.memory.restore()
        kept = [c for c in kept if not c.of_buffer]
        whole = [(c, self._whole(c)) for c in kept]
        states = [w for _, w in whole if w is not None and w.keeps_form]
        self._check([c for c, w in whole if w is None or not w.keeps_form])
        for change in states:
            self._keep_as_state(change)

    def _classify_caches(self, caches: Sequence[Change]) -> None:
        """Keep them as the first call left them. Refuses flags, counters and caches of functions that change the result
        of a later call.
        """
        first = self._tried(1)
        self.memory.restore()
        self.memory.keep(caches)
        self.memory.restore()
        if any(c.place.holder.counts for c in caches):
            self.run(0)
            self.memory.restore([c for c in self.memory.changes() if not c.place.holder.counts])
        later = self._tried(1)
        self.memory.restore()
        if first is not None and (later is None or not are_near(first, later)):
            self.memory.keep([Change(c.place, c.after, c.before) for c in caches])
            self.memory.restore()
            plain = [c for c in caches if c.place.holder.counts or isinstance(c.after, bool | int | float | str)]
            raise self._refused((plain or caches)[0])

    def _is_cache(self, changes: Sequence[Change | None]) -> bool:
        """Whether each call leaves an equal value not computed from inputs; the first change is that of the example."""
        first, *others = changes
        assert first is not None
        if first.builds or first.place.registry in HOOKS:
            return True
        marked = any(map(depends, leaves(first.after)))
        return not marked and all(c is not None and is_same(first.after, c.after) for c in others)

    def _keep_as_state(self, change: Change) -> None:
        if change.place not in self.memory.states:
            self.memory.states.add(change)
        self.known.add(change.place.identity)

    def _whole(self, change: Change) -> Change | None:
        """For a tensor that was written to in place, the location that holds it; None if several do."""
        if not change.place.of_tensor:
            return change
        places = self.memory.containing(change.place.holder.object)
        value = places[0].read() if len(places) == 1 else None
        return Change(places[0], value, value) if len(places) == 1 else None

    def _marked(self) -> dict[tuple[int, Any], Change]:
        """The changes by a call on the example, with tensors marked that were computed from the inputs."""
        inputs = self.inputs(0)
        with OfInputs(inputs) as marks:
            self.run(0)
        self._asked = marks.asked
        return self._left()

    def _changed(self, *calls: int) -> dict[tuple[int, Any], Change]:
        for i in calls:
            self.run(i)
        return self._left()

    def _left(self) -> dict[tuple[int, Any], Change]:
        found = self.memory.changes()
        self.memory.restore(found)
        return {c.place.identity: c for c in found}

    def _fresh(self, i: int) -> Outputs:
        with self.memory.fresh():
            return self.run(i)

    def _check(self, changes: Sequence[Change]) -> None:
        """Refuse values that a later call uses."""
        if not changes:
            return
        used = self._used(changes) or self._felt(changes)
        if used is not None:
            raise self._refused(used)

    def _used(self, changes: Sequence[Change]) -> Change | None:
        """The first change whose tensor or number is used by a later call."""
        self.run(0)
        now = self.memory.changes()
        left = {c.place.identity: c for c in now}
        mine = [left[c.place.identity] for c in changes if c.place.identity in left]
        self.memory.restore([c for c in now if c.place.identity not in {m.place.identity for m in mine}])
        tensors = {id(t): c for c in mine for t in leaves(c.place.read()) if isinstance(t, torch.Tensor)}
        noted: list[Change] = []
        for change in mine:
            if type(change.after) in (int, float):
                change.place.write(watched(change.after, lambda c=change: noted.append(c)))  # type: ignore[misc]
        with Uses(t for c in mine for t in leaves(c.place.read()) if isinstance(t, torch.Tensor)) as uses:
            self._tried(1)
        self.memory.restore()
        return next(iter([*(tensors[i] for i in uses.used if i in tensors), *noted]), None)

    def _felt(self, changes: Sequence[Change]) -> Change | None:
        """The first change that makes the outputs of a later call differ from those of a first one."""
        first = self._tried(1)
        self.memory.restore()
        for change in changes:
            for put in self._later(change):
                put()
                later = self._tried(1)
                self.memory.restore()
                if first is not None and (later is None or not are_near(first, later)):
                    return change
        return None

    def _later(self, change: Change) -> Iterable[Callable[[], None]]:
        """Actions that store at the location what later calls find there."""

        def after(*calls: int) -> None:
            for i in calls:
                self.run(i)
            self.memory.restore([c for c in self.memory.changes() if c.place.index != change.place.index])

        yield lambda: after(0)
        yield lambda: after(0, 1, 0)
        if type(change.after) in (int, float):
            for number in _OTHER:
                yield lambda n=number: change.place.write(change.after + n)  # type: ignore[misc]

    def _tried(self, i: int) -> Outputs | None:
        try:
            return self.run(i)
        except EdgecError:
            return None  # the source fails with what it kept

    def _refused(self, change: Change) -> EdgecError:
        place = change.place
        kind, how, advice = _kind(change)
        return error(
            "E0219",
            f"`{place.name}` is kept between calls, {how}",
            place=self.lines.of_change(place),
            notes=["a later call uses it", f"rejected by `memory-{kind}`"],
            help=[advice],
        )


def _is_library_flag(change: Change) -> bool:
    if change.builds or change.place.registry in HOOKS:
        return True
    file = getattr(sys.modules.get(type(change.place.holder.object).__module__), "__file__", None) or ""
    return "site-packages" in file and isinstance(change.after, bool | str | None)


def _kind(change: Change) -> tuple[str, str, str]:
    """The end of the label, the kind of location, and what to do."""
    buffer = "give it its shape from the beginning: `register_buffer` of zeros in `__init__`"
    before, after = change.before, change.after
    if change.place.holder.counts:
        return "cache", "and depends on data", "compute it in each call"
    if isinstance(after, bool | int | float | str):
        return "number", "as a Python value, but an artifact can only keep tensors", _as_buffer(change)
    if before is None or before is MISSING:
        return "empty", "and does not exist before the first call", buffer
    return "form", "and changes its shape or structure, or is shared", buffer


def _as_buffer(change: Change) -> str:
    """What to do about a kept number."""
    if not isinstance(change.before, bool | int | float):
        return "keep it in a buffer of one element"
    registered = f'self.register_buffer("{change.place.name.rpartition(".")[2]}", torch.tensor({change.before!r}))'
    return f"keep it in a buffer and compute with the buffer: `{registered}` in `__init__`"


def are_near(a: Sequence[torch.Tensor], b: Sequence[torch.Tensor]) -> bool:
    """Whether the results of two runs are equal up to rounding."""
    return len(a) == len(b) and all(x.shape == y.shape and _near(x, y) for x, y in zip(a, b, strict=True))


def _near(a: torch.Tensor, b: torch.Tensor) -> bool:
    if not (a.is_floating_point() or a.is_complex()):
        return bool((a == b).all())
    largest = a.abs().nan_to_num(0, 0, 0).max().item() if a.numel() else 0.0
    return bool(torch.isclose(a, b, rtol=0, atol=_NEAR * max(largest, 1e-12), equal_nan=True).all())
