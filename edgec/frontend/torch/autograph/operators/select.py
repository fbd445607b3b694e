"""One value out of two: what a branch leaves on either side, selected element by element."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils import _pytree as pytree

from edgec.diag import EdgecError, Place, error
from edgec.frontend.torch.autograph.operators.symbolic_numbers import is_number, mark


class Undefined:
    """A name that is not bound yet. Reading it is an error of the program, so its value never matters."""

    def __repr__(self) -> str:
        return "not bound"


UNDEFINED = Undefined()

Number = bool | int | float


@dataclass(frozen=True)
class Site:
    """A branch or loop in the user's source: what it is, its line and the first lines of its two sides."""

    kind: str
    file: str
    line: int
    sides: tuple[int, int]

    @property
    def place(self) -> Place:
        """Where the diagnostic points."""
        return Place(self.file, self.line)


@dataclass(frozen=True)
class Either:
    """A function or module of each side: a call of it is a branch of its own."""

    condition: torch.Tensor
    site: Site
    yes: Callable[..., Any]
    no: Callable[..., Any]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call both, and select."""
        from edgec.frontend.torch.autograph.operators.branches import Branch, select  # which are made of merges

        def yes() -> tuple[Any, tuple[Any, ...]]:
            return self.yes(*args, **kwargs), ()

        def no() -> tuple[Any, tuple[Any, ...]]:
            return self.no(*args, **kwargs), ()

        return select(self.condition, yes, no, (), Branch(self.site, returns=True)).value


def merge(condition: torch.Tensor, name: str, site: Site, yes: Any, no: Any) -> Any:
    """`yes` where the condition holds, else `no`: tensors of one shape and type, numbers, or equal structures of them.

    Raises `EdgecError` E0206 naming both sides where no single value can stand for both.
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


def _leaf(condition: torch.Tensor, name: str, site: Site, yes: Any, no: Any) -> Any:
    if yes is no:
        return yes
    tensors = [isinstance(v, torch.Tensor) for v in (yes, no)]
    if not any(tensors):
        if type(yes) is type(no) and yes == no:
            return yes
        if callable(yes) and callable(no):
            return Either(condition, site, yes, no)
        if not (isinstance(yes, Number) and isinstance(no, Number)):
            raise _differ(name, site, "values that no tensor holds", _shown(yes), _shown(no))
    numbers = all(is_number(v) or isinstance(v, Number) for v in (yes, no))
    if not all(tensors):
        yes, no = _as_tensors(yes, no)
        if not all(isinstance(v, torch.Tensor) for v in (yes, no)):
            raise _differ(name, site, "different kinds of value", _shown(yes), _shown(no))
    if yes.shape != no.shape:
        raise _differ(name, site, "different shapes", _shown(yes), _shown(no))
    if yes.dtype != no.dtype:
        raise _differ(name, site, "different element types", _shown(yes), _shown(no))
    if yes.dtype == torch.bool:  # runtimes select numbers
        found = torch.logical_or(torch.logical_and(condition, yes), torch.logical_and(~condition, no))
    else:
        found = torch.where(condition, yes, no)
    return mark(found) if numbers else found


def _as_tensors(yes: Any, no: Any) -> tuple[Any, Any]:
    """A number beside a tensor takes its element type; two numbers take the type that torch gives them together."""
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


def different(site: Site, what: str, how: str, yes: str, no: str) -> EdgecError:
    """E0206 for what the two sides of a branch leave in forms that no single value can stand for."""
    return error(
        "E0206",
        f"the two sides of this `{site.kind}` give {what} {how}",
        place=site.place,
        notes=[f"{site.file}:{site.sides[0]} gives {yes}", f"{site.file}:{site.sides[1]} gives {no}"],
        help=["give both sides the same shape and type, for instance by padding, or build one model for each side"],
    )


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
