"""Legalization: a backend's pipeline, run on a copy of the model."""

from __future__ import annotations

from edgec.backends.legality import refuse_illegal
from edgec.dialect.base import Dialect
from edgec.ir.model import Model
from edgec.passes.base import AfterPass, Pass, Pipeline, Rewritten
from edgec.passes.remarks import Remark
from edgec.spec.target import Target

CANONICAL = frozenset({"flat", "initializers", "types", "live"})
"""Guaranteed by canonicalization."""


class OnlyLegal(Pass):
    """Verifies, without changes, that all operators are inside the dialect."""

    name = "legality"

    def __init__(self, dialect: Dialect, target: Target) -> None:
        self.dialect, self.target = dialect, target

    def run(self, model: Model) -> list[Remark]:
        """Raises `EdgecError` E0412 with every operator outside the dialect."""
        refuse_illegal(model, self.dialect, self.target)
        return []


def legalized(model: Model, pipeline: Pipeline, after: AfterPass | None = None) -> Rewritten:
    """Run the pipeline on a copy of the model."""
    legal = model.clone()
    return Rewritten(legal, pipeline.run(legal, after))
