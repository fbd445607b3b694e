"""Branches whose sides cannot be merged into a single value: the model is traced to its end once for each side.

`h = a(x) if c else b(x)` with results of different shapes, or `m = None` on one side, cannot be selected at that point.
If the model's results have equal shapes nevertheless, these are selected instead.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.utils import _pytree as pytree

from edgec.diag import EdgecError, error
from edgec.diag.foreign import said
from edgec.frontend.torch.autograph.analysis.names import FLAG
from edgec.frontend.torch.autograph.operators.branches import Branch, State, merge
from edgec.frontend.torch.autograph.operators.select import Site
from edgec.frontend.torch.autograph.operators.speculation import Speculation

_MOST = 16
"""The maximum number of paths into which forks may divide the model."""


class ForkError(Exception):
    """The branches at `sites` must be forked; `refused` is the error to report if that is impossible."""

    def __init__(self, sites: Sequence[Site], refused: EdgecError) -> None:
        super().__init__(str(refused))
        self.sites, self.refused = sites, refused


@dataclass
class _Run:
    """One trace of the model: the sides to take at its first forks (the first side at later ones), and its actual
    forks.
    """

    sides: list[bool]
    sites: list[Site] = field(default_factory=list)
    conditions: list[torch.Tensor] = field(default_factory=list)
    guards: ExitStack = field(default_factory=ExitStack)


@dataclass
class Forks:
    """The branches that are forked, each with the refusal of its selection. `numbers` are those whose results are
    numbers; `keeps` is whether the model changed something that the next path would see.
    """

    refused: dict[Site, EdgecError] = field(default_factory=dict)
    numbers: dict[Site, None] = field(default_factory=dict)
    keeps: Callable[[], bool] = bool
    _run: _Run | None = None
    _enders: dict[tuple[str, str], set[Site]] = field(default_factory=dict)

    def of_numbers(self, failure: BaseException) -> bool:
        """Fork the last branch whose results, different numbers, became tensors: torch may require numbers.

        False if none is left to be forked.
        """
        left = [site for site in self.numbers if site not in self.refused]
        for site in left[-1:]:
            self.refused[site] = error(
                "E0206",
                f"the two sides of this `{site.kind}` give different numbers where torch does not accept a tensor",
                place=site.place,
                notes=[said("torch", failure)],
                help=["compute what depends on the number on each side, and return the result"],
            )
        return bool(left)

    def ends(self, branch: Branch, before: State, after: State) -> None:
        """Record which loops a branch may end early, by the flags that it changes."""
        for name, old, new in zip(branch.names, before, after, strict=True):
            if name.startswith(FLAG) and new is not old:
                self._enders.setdefault((branch.site.file, name), set()).add(branch.site)

    def asked(self, branch: Branch, refused: EdgecError) -> Exception:
        """The exception for a refused branch or loop: it is to be forked, or, if that is impossible, `refused`.

        For a loop that branches end early, these branches are forked, so that on each path the end of the loop is
        known.
        """
        enders = self._enders.get((branch.site.file, branch.flag), set()) if branch.flag else set()
        new = [site for site in (*sorted(enders, key=lambda s: s.line), branch.site) if site not in self.refused]
        if Speculation.nested() or not new:
            return refused
        return ForkError([site for site in new if site in enders] or new, refused)

    def side(self, site: Site, condition: torch.Tensor) -> bool | None:
        """The side that this trace takes; None if the branch is not forked. Operations on it are guarded."""
        run = self._run
        if run is None or site not in self.refused or Speculation.nested():
            return None
        place = len(run.sites)
        if place == _MOST:
            raise self.refused[site]
        if place == len(run.sides):
            run.sides.append(True)
        run.sites.append(site)
        run.conditions.append(condition)
        taken = condition if run.sides[place] else torch.logical_not(condition)
        run.guards.enter_context(Speculation(site, taken, whole=True))
        return run.sides[place]

    @contextmanager
    def applied(self, module: torch.nn.Module) -> Iterator[None]:
        """While active, the module's `forward` is traced once for each path through its forks."""
        if not self.refused:
            yield
            return
        plain = module.forward

        @functools.wraps(plain)
        def forward(*args: Any, **kwargs: Any) -> Any:
            return _Tree(self, module, lambda: plain(*_own(args), **_own(kwargs))).result([])

        module.forward = forward
        try:
            yield
        finally:
            del module.forward

    def traced(self, run: _Run, call: Callable[[], Any]) -> Any:
        """The result of one path."""
        self._run = run
        try:
            with run.guards:
                return call()
        finally:
            self._run = None


@dataclass
class _Tree:
    """All paths through one call of the model."""

    forks: Forks
    module: torch.nn.Module
    call: Callable[[], Any]
    _count: int = 0

    def result(self, sides: Sequence[bool]) -> Any:
        """The selection among the results of all paths that begin with these sides.

        Raises the refusal of a branch's own selection if the results do not match either, if there are too many paths,
        or if the model updates a buffer, which would happen once for each path.
        """
        run = _Run(list(sides))
        before = _buffers(self.module)
        found = self.forks.traced(run, self.call)
        self._count += 1
        changed = _buffers(self.module) != before or self.forks.keeps()
        if run.sites and (self._count >= _MOST or changed):
            raise self.forks.refused[run.sites[-1]]
        for place in range(len(run.sites) - 1, len(sides) - 1, -1):
            other = self.result([*run.sides[:place], False])
            try:
                found = merge(run.conditions[place], "", run.sites[place], found, other)
            except EdgecError as unfit:
                raise self.forks.refused[run.sites[place]] from unfit
        return found


def _own(values: Any) -> Any:
    """Copies of the inputs, which one path may change without affecting the next."""
    return pytree.tree_map(lambda leaf: leaf.clone() if isinstance(leaf, torch.Tensor) else leaf, values)


def _buffers(module: torch.nn.Module) -> list[tuple[int, int]]:
    return [(id(buffer), buffer._version) for buffer in module.buffers()]
