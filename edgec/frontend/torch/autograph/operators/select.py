"""Two tensors in one: selected element by element, by a condition that the data decide."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from edgec.diag import EdgecError, Place, error


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


def select_tensors(condition: torch.Tensor, yes: torch.Tensor, no: torch.Tensor) -> torch.Tensor:
    """`yes` where the condition holds, else `no`: of one shape and element type."""
    if yes.dtype == torch.bool:  # runtimes select numbers
        return torch.logical_or(torch.logical_and(condition, yes), torch.logical_and(~condition, no))
    return torch.where(condition, yes, no)


def different(site: Site, what: str, how: str, yes: str, no: str) -> EdgecError:
    """E0206 for what the two sides of a branch leave in forms that no single value can stand for."""
    return error(
        "E0206",
        f"the two sides of this `{site.kind}` give {what} {how}",
        place=site.place,
        notes=[f"{site.file}:{site.sides[0]} gives {yes}", f"{site.file}:{site.sides[1]} gives {no}"],
        help=["give both sides the same shape and type, for instance by padding, or build one model for each side"],
    )


def different_sizes(site: Site, what: str, yes: str, no: str) -> EdgecError:
    """E0206 for an open size that the two sides compute in different ways."""
    return error(
        "E0206",
        f"the two sides of this `{site.kind}` on an open size give {what} different sizes",
        place=site.place,
        notes=[f"{site.file}:{site.sides[0]} gives {yes}", f"{site.file}:{site.sides[1]} gives {no}"],
        help=["compute it without a branch, by `max`, `min`, `//` and `%`, or leave the dimension fixed"],
    )
