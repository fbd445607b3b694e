"""Feature values that exercise an estimator: of the size of those that it was fitted on, as far as it remembers them.

Standard normal numbers would take the same side of every decision of a tree on features of other sizes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_ROWS = ("support_vectors_", "_fit_X", "cluster_centers_", "theta_", "means_", "quantiles_", "bin_edges_")
"""Attributes with one row a point of the features' space."""


@dataclass(frozen=True)
class Typical:
    """The mean and the deviation of each feature."""

    mean: Array
    deviation: Array

    def draw(self, rows: int, seed: int) -> Array:
        """Seeded normal samples (rows, features) in float32."""
        normal = np.random.default_rng(seed).standard_normal((rows, len(self.mean)))
        return (self.mean + normal * self.deviation).astype(np.float32)


def typical(estimator: Any) -> Typical:
    """What the first step of a pipeline remembers; standard normal where that is nothing."""
    count = int(estimator.n_features_in_)
    found = _known(estimator)
    if found is None or found.mean.shape != (count,) or found.deviation.shape != (count,):
        return Typical(np.zeros(count), np.ones(count))
    spread = np.where(np.isfinite(found.deviation) & (found.deviation > 0), found.deviation, 1.0)
    return Typical(np.where(np.isfinite(found.mean), found.mean, 0.0), spread)


def _known(estimator: Any) -> Typical | None:
    if hasattr(estimator, "steps"):
        return next((found for _, step in estimator.steps if (found := _known(step)) is not None), None)
    if hasattr(estimator, "best_estimator_"):
        return _known(estimator.best_estimator_)
    if hasattr(estimator, "_transformer_to_input_indices"):
        return _of_columns(estimator)
    return _of_scaler(estimator) or _of_rows(estimator) or _of_trees(estimator)


def _of_columns(transformer: Any) -> Typical:
    """Each transformer's own columns; standard normal for those that none remembers."""
    count = int(transformer.n_features_in_)
    mean, deviation = np.zeros(count), np.ones(count)
    columns = transformer._transformer_to_input_indices
    for name, part, _ in transformer.transformers_:
        found = _known(part)
        if found is not None and len(columns[name]) == len(found.mean):
            mean[columns[name]], deviation[columns[name]] = found.mean, found.deviation
    return Typical(mean, deviation)


def _of_scaler(scaler: Any) -> Typical | None:
    mean, deviation = getattr(scaler, "mean_", getattr(scaler, "center_", None)), getattr(scaler, "scale_", None)
    if isinstance(mean, np.ndarray) and isinstance(deviation, np.ndarray):
        return Typical(mean, deviation)
    low, high = getattr(scaler, "data_min_", None), getattr(scaler, "data_max_", None)
    if isinstance(low, np.ndarray) and isinstance(high, np.ndarray):
        return Typical((low + high) / 2, (high - low) / 4)
    return None


def _of_rows(estimator: Any) -> Typical | None:
    for name in _ROWS:
        rows = getattr(estimator, name, None)
        if isinstance(rows, np.ndarray) and rows.ndim == 2 and rows.dtype.kind == "f":
            return Typical(rows.mean(axis=0), rows.std(axis=0))
    return None


def _of_trees(estimator: Any) -> Typical | None:
    """The thresholds of each feature, in all trees."""
    members = getattr(estimator, "estimators_", [estimator])
    trees = [m.tree_ for m in np.ravel(np.asarray(members, dtype=object)) if hasattr(m, "tree_")]
    if not trees:
        return None
    features = np.concatenate([tree.feature for tree in trees])
    thresholds = np.concatenate([tree.threshold for tree in trees])
    each = [thresholds[features == i] for i in range(int(estimator.n_features_in_))]
    everywhere = thresholds[features >= 0]
    each = [part if len(part) else everywhere for part in each]
    return Typical(*(np.asarray([f(part) if len(part) else 0.0 for part in each]) for f in (np.mean, np.std)))
