"""The interface of a whole-graph pass, and pipelines: ordered lists of passes and how they run."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import ClassVar

from edgec.ir.model import Model
from edgec.passes.remarks import Remark


class Pass(ABC):
    """A whole-graph transformation. `needs` and `gives` name properties of the model (`"types"`).

    `needs` must hold before the pass runs; `gives` holds after it.
    """

    name: str
    needs: ClassVar[frozenset[str]] = frozenset()
    gives: ClassVar[frozenset[str]] = frozenset()

    @abstractmethod
    def run(self, model: Model) -> list[Remark]:
        """Change the model in place; returns remarks on what was done."""

    def without(self, disabled: Collection[str]) -> Pass | None:
        """The pass without the parts that are disabled by name; None if nothing is left of it."""
        return self


class OptionalPass(Pass):
    """A pass that a target or `--disable` can switch off by its name, like a rule."""

    def without(self, disabled: Collection[str]) -> Pass | None:
        """None if the pass is disabled."""
        return None if self.name in disabled else self


AfterPass = Callable[[str, Model], None]
"""Called after each pass with its name, to check the dialect or the numbers."""


@dataclass(frozen=True)
class Timed(Remark):
    """How many seconds a pass took."""

    name: str
    seconds: float


@dataclass(frozen=True)
class Rewritten:
    """A model after a pipeline, and the remarks of its passes."""

    model: Model
    remarks: list[Remark]


class Pipeline:
    """Passes in order, without those that are disabled.

    Raises `ValueError` on construction if a pass needs a property that no earlier pass gives.
    """

    def __init__(
        self,
        name: str,
        passes: Sequence[Pass],
        disabled: Collection[str] = (),
        given: frozenset[str] = frozenset(),
    ) -> None:
        have = set(given)
        for step in passes:
            if missing := step.needs - have:
                raise ValueError(f"{name}: pass `{step.name}` needs {sorted(missing)}, which nothing before it gives")
            have |= step.gives
        self.name = name
        self.passes = tuple(kept for step in passes if (kept := step.without(disabled)) is not None)

    def run(self, model: Model, after: AfterPass | None = None) -> list[Remark]:
        """Run every pass on the model, in place."""
        remarks: list[Remark] = []
        for step in self.passes:
            start = time.perf_counter()
            remarks += step.run(model)
            remarks.append(Timed(f"{self.name}/{step.name}", time.perf_counter() - start))
            if after is not None:
                after(step.name, model)
        return remarks
