"""On which unit of a device each instruction will run: predicted by published rules, or measured."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass

from edgec.diag import Place


@dataclass(frozen=True)
class Placed:
    """One instruction's unit. `rule` is empty where nothing speaks against the first choice."""

    op: str
    name: str
    place: Place
    unit: str
    rule: str = ""


@dataclass(frozen=True)
class Placement:
    """A program's placement, in its order. `evidence` says where each rule is published.

    `kind` is `predicted` by rules, or `measured`: asked of the runtime itself.
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
        """How often neighbouring instructions lie on different units: each costs a transfer."""
        units = [p.unit for p in self.placed]
        return sum(a != b for a, b in itertools.pairwise(units))
