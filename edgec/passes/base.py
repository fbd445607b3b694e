"""What a whole-graph pass is, and how a pipeline of them is put together and run."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import ClassVar

from edgec.ir.model import Model
from edgec.passes.remarks import Remark


class Pass(ABC):
    """A whole-graph rewrite. `needs` and `gives` are properties of the model, in words (`"types"`)."""

    name: str
    needs: ClassVar[frozenset[str]] = frozenset()
    gives: ClassVar[frozenset[str]] = frozenset()

    @abstractmethod
    def run(self, model: Model) -> list[Remark]:
        """Change the model in place; what was done."""

    def without(self, disabled: Collection[str]) -> Pass | None:
        """The pass without what was disabled by name; None where nothing of it is left."""
        return self


class OptionalPass(Pass):
    """A pass that a target or `--disable` may switch off by its name, as a rule."""

    def without(self, disabled: Collection[str]) -> Pass | None:
        """None where it is disabled itself."""
        return None if self.name in disabled else self


AfterPass = Callable[[str, Model], None]
"""Called behind each pass with its name, to check the dialect or the numbers."""


@dataclass(frozen=True)
class Timed(Remark):
    """The seconds that a pass took."""

    name: str
    seconds: float


@dataclass(frozen=True)
class Rewritten:
    """A model behind a pipeline, and what was done to bring it there."""

    model: Model
    remarks: list[Remark]


class Pipeline:
    """Passes in order, without what is disabled.

    A pass whose needs nobody before it gives is refused here, not in a user's build.
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
