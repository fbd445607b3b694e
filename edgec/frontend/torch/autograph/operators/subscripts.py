"""List and dictionary elements with a data-dependent index: tensors are selected, modules are called in a branch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from edgec.frontend.torch.autograph.operators.branches import Branch
from edgec.frontend.torch.autograph.operators.select import Site

Branching = Callable[[torch.Tensor, Callable[[], Any], Callable[[], Any], Branch], Any]
"""Evaluates the first function if the condition holds, else the second."""


@dataclass(frozen=True)
class Choice:
    """Callable elements; each but the last with the condition that selects it, and its branch."""

    elements: Sequence[Any]
    conditions: Sequence[tuple[torch.Tensor, Branch]]
    branching: Branching

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the selected element."""
        return self.of(lambda element: element(*args, **kwargs))

    def of(self, compute: Callable[[Any], Any]) -> Any:
        """The result of `compute` for the selected element."""
        return self._from(0, compute)

    def _from(self, i: int, compute: Callable[[Any], Any]) -> Any:
        if i == len(self.conditions):
            return compute(self.elements[i])
        test, branch = self.conditions[i]
        return self.branching(test, lambda: compute(self.elements[i]), lambda: self._from(i + 1, compute), branch)


def chosen(container: Any, index: torch.Tensor, branching: Branching, site: Site) -> Any:
    """`container[index]` of a list for a one-element tensor; a `Choice` if its elements are callable."""
    scalar = index.reshape(())
    scalar = torch.where(scalar < 0, scalar + len(container), scalar)
    places = range(len(container))
    conditions = [(scalar == k, Branch(site_of(site, k), returns=True)) for k in places[:-1]]
    return choice_of(Choice([container[k] for k in places], conditions, branching))


def choice_of(choice: Choice) -> Any:
    """The choice itself if the elements are to be called later, otherwise the selected element."""
    return choice if all(callable(e) for e in choice.elements) else choice.of(lambda element: element)


def site_of(site: Site, key: Any) -> Site:
    """The branch on whether an element is selected; for the last there may be none."""
    return replace(site, kind=f"{site.kind} {key!r}")


def holds_choices(container: Any) -> bool:
    """Whether the lookup is Python's rather than torch's, and all elements can be selected."""
    kinds = (list, tuple, torch.nn.ModuleList, torch.nn.ParameterList, torch.nn.Sequential)
    return isinstance(container, kinds) and len(container) > 0
