"""Feature values that exercise an estimator, similar to those it was fitted on, as far as its attributes tell.

Standard normal numbers would take the same side of every decision in a tree whose features have another magnitude, and
are not categories of an encoder.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_ROWS = ("support_vectors_", "_fit_X", "cluster_centers_", "theta_", "means_", "quantiles_", "bin_edges_")
"""Attributes with one row for each of several points in feature space."""

_MISSING = 0.2
"""The share of missing values, in columns that may have them."""


@dataclass(frozen=True)
class Typical:
    """The mean and standard deviation of each feature, NaN if unknown.

    `categories` are the only possible values of a column that has them; `missing` is the value that represents a
    missing one, by column.
    """

    mean: Array
    deviation: Array
    categories: Mapping[int, Array] = field(default_factory=dict)
    missing: Mapping[int, float] = field(default_factory=dict)

    @staticmethod
    def unknown(count: int) -> Typical:
        """No information about the features."""
        return Typical(np.full(count, np.nan), np.full(count, np.nan))

    def draw(self, rows: int, seed: int) -> Array:
        """Seeded samples (rows, features) in float32: categories if there are any, else normal; some missing."""
        rng = np.random.default_rng(seed)
        mean = np.where(np.isfinite(self.mean), self.mean, 0.0)
        spread = np.where(np.isfinite(self.deviation) & (self.deviation > 0), self.deviation, 1.0)
        drawn = mean + rng.standard_normal((rows, len(mean))) * spread
        for column, values in self.categories.items():
            drawn[:, column] = rng.choice(values, rows)
        for column, value in self.missing.items():
            drawn[:, column] = np.where(rng.random(rows) < _MISSING, value, drawn[:, column])
        return drawn.astype(np.float32)

    def exact(self, rows: Array) -> Array:
        """The rows in double precision; a value that is a category rounded to float32 becomes that category."""
        found = np.asarray(rows, np.float64)
        for column, values in self.categories.items():
            rounded = {np.float32(value): value for value in np.asarray(values, np.float64)}
            found[:, column] = [rounded.get(np.float32(value), value) for value in found[:, column]]
        return found

    def over(self, other: Typical) -> Typical:
        """The information in this one, completed by the other."""
        unknown = ~np.isfinite(self.deviation) & np.isfinite(other.deviation)
        return Typical(
            np.where(unknown, other.mean, self.mean),
            np.where(unknown, other.deviation, self.deviation),
            {**other.categories, **self.categories},
            {**other.missing, **self.missing},
        )


def typical(estimator: Any) -> Typical:
    """The information about features stored in an estimator or pipeline."""
    return _known(estimator) or Typical.unknown(int(estimator.n_features_in_))


def _known(estimator: Any) -> Typical | None:
    if hasattr(estimator, "steps"):
        return _of_steps([step for _, step in estimator.steps], int(estimator.n_features_in_))
    if hasattr(estimator, "best_estimator_"):
        return _known(estimator.best_estimator_)
    if hasattr(estimator, "_transformer_to_input_indices"):
        return _of_columns(estimator)
    finders = (_of_encoder, _of_imputer, _of_scaler, _of_rows, _of_trees, _of_boosting)
    return next((found for find in finders if (found := find(estimator)) is not None), None)


def _of_steps(steps: Iterable[Any], count: int) -> Typical:
    """The information in the first step, and in later steps as long as they have the same features."""
    found = Typical.unknown(count)
    for step in steps:
        own = _known(step) if step is not None and step != "passthrough" else None
        if own is not None and len(own.mean) == count:
            found = found.over(own)
        if not (step is None or step == "passthrough" or _of_imputer(step) is not None):
            break
    return found


def _of_columns(transformer: Any) -> Typical:
    """The information in each transformer, for its columns."""
    found = Typical.unknown(int(transformer.n_features_in_))
    columns = transformer._transformer_to_input_indices
    for name, part, _ in transformer.transformers_:
        own = _known(part)
        if own is not None and len(columns[name]) == len(own.mean):
            found = _placed(own, list(columns[name]), found)
    return found


def _placed(own: Typical, columns: list[int], into: Typical) -> Typical:
    mean, deviation = into.mean.copy(), into.deviation.copy()
    mean[columns], deviation[columns] = own.mean, own.deviation
    categories = {columns[i]: values for i, values in own.categories.items()}
    missing = {columns[i]: value for i, value in own.missing.items()}
    return Typical(mean, deviation, {**into.categories, **categories}, {**into.missing, **missing})


def _of_encoder(encoder: Any) -> Typical | None:
    """One-hot and ordinal encoders: the categories of each column, if they are numbers."""
    found = getattr(encoder, "categories_", None)
    if not isinstance(found, list) or any(np.asarray(values).dtype.kind not in "iufb" for values in found):
        return None
    return replace(Typical.unknown(len(found)), categories={i: np.asarray(v, np.float64) for i, v in enumerate(found)})


def _of_imputer(imputer: Any) -> Typical | None:
    """The value that represents a missing one, and its replacement."""
    if not hasattr(imputer, "missing_values") or not hasattr(imputer, "n_features_in_"):
        return None
    count, value = int(imputer.n_features_in_), imputer.missing_values
    if not isinstance(value, int | float):
        return None
    statistics = np.asarray(getattr(imputer, "statistics_", np.full(count, np.nan)))
    mean = statistics.astype(np.float64) if statistics.dtype.kind in "iuf" else np.full(count, np.nan)
    return Typical(mean, np.full(count, np.nan), missing=dict.fromkeys(range(count), float(value)))


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
    """The thresholds of each feature in all trees."""
    members = getattr(estimator, "estimators_", [estimator])
    trees = [m.tree_ for m in np.ravel(np.asarray(members, dtype=object)) if hasattr(m, "tree_")]
    if not trees:
        return None
    features = np.concatenate([tree.feature for tree in trees])
    thresholds = np.concatenate([tree.threshold for tree in trees])
    return _of_thresholds(features[features >= 0], thresholds[features >= 0], int(estimator.n_features_in_))


def _of_boosting(estimator: Any) -> Typical | None:
    """Histogram gradient boosting: the thresholds, and missing values, which it always supports."""
    if not hasattr(estimator, "_predictors"):
        return None
    nodes = np.concatenate([tree.nodes for step in estimator._predictors for tree in step])
    inner = nodes[(nodes["is_leaf"] == 0) & (nodes["is_categorical"] == 0)]
    count = int(estimator.n_features_in_)
    found = _of_thresholds(inner["feature_idx"], inner["num_threshold"], count)
    return replace(found, missing=dict.fromkeys(range(count), float("nan")))


def _of_thresholds(features: Array, thresholds: Array, count: int) -> Typical:
    """The means and standard deviations of thresholds by feature; of all thresholds if a feature has none."""
    finite = np.isfinite(thresholds)
    features, thresholds = features[finite], thresholds[finite]
    each = [thresholds[features == i] for i in range(count)]
    each = [part if len(part) else thresholds for part in each]
    mean, deviation = (np.asarray([f(part) if len(part) else 0.0 for part in each]) for f in (np.mean, np.std))
    return Typical(mean, deviation)
