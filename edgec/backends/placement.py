"""The unit of a device on which each instruction will run: predicted by published rules, or measured."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass

from edgec.diag import Place


@dataclass(frozen=True)
class Placed:
    """One instruction's unit. `rule` is empty if the instruction runs on the preferred unit."""

    op: str
    name: str
    place: Place
    unit: str
    rule: str = ""


@dataclass(frozen=True)
class Placement:
    """A program's placement, in the order of its instructions. `evidence` is the source of each rule.

    `kind` is `predicted` (by rules) or `measured` (reported by the runtime).
    """

    placed: tuple[Placed, ...] = ()
    evidence: tuple[tuple[str, str], ...] = ()
    kind: str = "predicted"

    @property
    def counts(self) -> dict[str, int]:
        """Instructions by unit."""
        return dict(sorted(Counter(p.unit for p in self.placed).items()))

    @property
    def switches(self) -> int:
        """The number of neighbouring instructions on different units; each costs a transfer."""
        units = [p.unit for p in self.placed]
        return sum(a != b for a, b in itertools.pairwise(units))
