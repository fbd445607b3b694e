"""What a whole-graph pass is, and how a pipeline of them is put together and run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, Protocol

from edgec.ir.model import Model
from edgec.passes.log import RewriteLog


class Pass(Protocol):
    """A whole-graph rewrite. `needs` and `gives` are properties of the model, in words (`"types"`)."""

    name: str
    needs: ClassVar[frozenset[str]]
    gives: ClassVar[frozenset[str]]

    def run(self, model: Model, log: RewriteLog) -> None:
        """Change the model in place and record what was done."""
        ...


AfterPass = Callable[[str, Model], None]


class Pipeline:
    """Passes in order. A pass whose needs nobody before it gives is refused here, not in a user's build."""

    def __init__(self, name: str, passes: Sequence[Pass], given: frozenset[str] = frozenset()) -> None:
        have = set(given)
        for step in passes:
            if missing := step.needs - have:
                raise ValueError(f"{name}: pass `{step.name}` needs {sorted(missing)}, which nothing before it gives")
            have |= step.gives
        self.name = name
        self.passes = tuple(passes)

    def run(self, model: Model, log: RewriteLog, after: AfterPass | None = None) -> None:
        """Run every pass; `after(name, model)` is called behind each (to check the dialect or the numbers)."""
        for step in self.passes:
            step.run(model, log)
            if after is not None:
                after(step.name, model)
