"""Legalization as data: a pipeline of a backend's, run on a copy."""

from __future__ import annotations

from edgec.backends.legality import refuse_illegal
from edgec.dialect.base import Dialect
from edgec.ir.model import Model
from edgec.passes.base import AfterPass, Pass, Pipeline, Rewritten
from edgec.passes.remarks import Remark
from edgec.spec.target import Target

CANONICAL = frozenset({"flat", "initializers", "types", "live"})
"""What canonicalization gives."""


class OnlyLegal(Pass):
    """Nothing is changed: what is outside the dialect is refused."""

    name = "legality"

    def __init__(self, dialect: Dialect, target: Target) -> None:
        self.dialect, self.target = dialect, target

    def run(self, model: Model) -> list[Remark]:
        """Raises `EdgecError` E0412 with every operator that has no way there."""
        refuse_illegal(model, self.dialect, self.target)
        return []


def legalized(model: Model, pipeline: Pipeline, after: AfterPass | None = None) -> Rewritten:
    """A copy of the model, brought through the pipeline."""
    legal = model.clone()
    return Rewritten(legal, pipeline.run(legal, after))
