"""The reference for an estimator: scikit-learn, in double precision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgec.diag import error
from edgec.diag.foreign import said
from edgec.frontend.imported import Array
from edgec.frontend.sklearn.convert import INPUT
from edgec.frontend.sklearn.typical_features import Typical

_METHODS = {
    "label": ("predict",),
    "probabilities": ("predict_proba", "decision_function"),
    "scores": ("decision_function", "transform"),
    "variable": ("predict", "transform"),
}
"""skl2onnx's names of outputs, and the estimator's methods that compute them; the first that exists is used."""


@dataclass(frozen=True)
class Output:
    """An output of the graph: its name, its element type, and whether it is a matrix (rows, columns)."""

    name: str
    dtype: np.dtype[Any]
    matrix: bool


class EstimatorReference:
    """The graph's outputs, computed by the estimator's methods."""

    def __init__(self, estimator: Any, outputs: Sequence[Output], features: Typical) -> None:
        self.name = "scikit-learn"
        self._estimator, self._outputs, self._features = estimator, outputs, features

    def precise(self, inputs: Mapping[str, Array]) -> dict[str, Array] | None:
        """None: `run` computes in double precision already."""

    def rounded(self, inputs: Mapping[str, Array], roundings: float, seed: int) -> dict[str, Array] | None:
        """None, for the same reason."""

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs for a matrix (rows, features). Raises `EdgecError` E0201 if the estimator fails."""
        rows = self._features.exact(inputs[INPUT])
        try:
            return {output.name: self._computed(output, rows) for output in self._outputs}
        except Exception as failure:  # an estimator may raise any exception
            raise error("E0201", "the estimator fails on the example", notes=[said("it", failure)]) from failure

    def _computed(self, output: Output, rows: Array) -> Array:
        method = next(m for m in _METHODS[output.name] if hasattr(self._estimator, m))
        found = np.asarray(getattr(self._estimator, method)(rows)).astype(output.dtype)
        return found.reshape(len(found), -1) if output.matrix else found


def unknown_outputs(outputs: Sequence[Output], estimator: Any) -> list[str]:
    """Outputs of the graph that no method of the estimator computes."""
    return [o.name for o in outputs if not any(hasattr(estimator, m) for m in _METHODS.get(o.name, ()))]
