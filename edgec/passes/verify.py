"""Checks between passes: the graph is well formed and still computes the same numbers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator

from edgec.diag import error
from edgec.ir.model import Model
from edgec.passes.base import AfterPass

Array = NDArray[np.generic]

TOLERANCE = 1e-4
"""Largest error, relative to the output's largest magnitude, between two passes in float32."""


def evaluate(model: Model, inputs: Mapping[str, Array]) -> list[Array]:
    """Run a model with onnx's reference implementation: slow, readable, and nobody's kernels."""
    own = model.clone()
    ir.external_data.load_to_model(own)
    proto = ir.to_proto(own)
    return [np.asarray(y) for y in ReferenceEvaluator(proto).run(None, dict(inputs))]


def check_after_each(model: Model, inputs: Mapping[str, Array]) -> AfterPass:
    """A hook for `Pipeline.run` that compares the model behind every pass with the model as it is now.

    The hook raises `EdgecError` E0301 naming the pass that broke the graph or changed its numbers.
    """
    expected = evaluate(model, inputs)

    def check(name: str, changed: Model) -> None:
        try:
            onnx.checker.check_model(ir.to_proto(changed))
        except onnx.checker.ValidationError as failure:
            raise error(
                "E0301", f"pass `{name}` left an invalid graph", notes=[str(failure).splitlines()[0]]
            ) from failure
        for i, (a, b) in enumerate(zip(expected, evaluate(changed, inputs), strict=True)):
            peak = float(np.abs(a.astype(np.float64)).max(initial=0.0))
            apart = float(np.abs(a.astype(np.float64) - b.astype(np.float64)).max(initial=0.0))
            if not apart <= TOLERANCE * max(peak, 1e-30):
                raise error(
                    "E0301", f"pass `{name}` changed output {i} by {apart:.3g} (its largest value is {peak:.3g})"
                )

    return check
