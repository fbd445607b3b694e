"""One element of a list or dictionary, where data say which: a tensor is selected, a module is called."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from edgec.frontend.torch.autograph.operators.branches import Branch
from edgec.frontend.torch.autograph.operators.select import Site

Branching = Callable[[torch.Tensor, Callable[[], Any], Callable[[], Any], Branch], Any]
"""Computes the first function where the condition holds, else the second."""


@dataclass(frozen=True)
class Choice:
    """Elements that can be called, and for all but the last the condition under which it is meant, with its branch."""

    elements: Sequence[Any]
    conditions: Sequence[tuple[torch.Tensor, Branch]]
    branching: Branching

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the element that is meant."""
        return self.of(lambda element: element(*args, **kwargs))

    def of(self, compute: Callable[[Any], Any]) -> Any:
        """What `compute` makes of the element that is meant."""
        return self._from(0, compute)

    def _from(self, i: int, compute: Callable[[Any], Any]) -> Any:
        if i == len(self.conditions):
            return compute(self.elements[i])
        test, branch = self.conditions[i]
        return self.branching(test, lambda: compute(self.elements[i]), lambda: self._from(i + 1, compute), branch)


def chosen(container: Any, index: torch.Tensor, branching: Branching, site: Site) -> Any:
    """`container[index]` of a list for a tensor of one element; a `Choice` where what is in it is called."""
    scalar = index.reshape(())
    scalar = torch.where(scalar < 0, scalar + len(container), scalar)
    places = range(len(container))
    conditions = [(scalar == k, Branch(site_of(site, k), returns=True)) for k in places[:-1]]
    return choice_of(Choice([container[k] for k in places], conditions, branching))


def choice_of(choice: Choice) -> Any:
    """The choice itself where what is meant is called later, else the element that is meant."""
    return choice if all(callable(e) for e in choice.elements) else choice.of(lambda element: element)


def site_of(site: Site, key: Any) -> Site:
    """The decision whether an element is meant; for the last there may be none to take."""
    return replace(site, kind=f"{site.kind} {key!r}")


def holds_choices(container: Any) -> bool:
    """Whether Python, not torch, looks up the elements, and all are there to be chosen from."""
    kinds = (list, tuple, torch.nn.ModuleList, torch.nn.ParameterList, torch.nn.Sequential)
    return isinstance(container, kinds) and len(container) > 0
