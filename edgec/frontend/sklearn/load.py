"""Loads a `.skops` file as an estimator, without executing its contents or passing them unchecked to compiled code."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgec.diag import Diagnostic, EdgecError, Place, error, warning
from edgec.diag.foreign import said
from edgec.frontend.archives import BROKEN

_DATA = (
    "numpy.dtype",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.metrics._dist_metrics.EuclideanDistance64",
    "sklearn.metrics._dist_metrics.ManhattanDistance64",
    "sklearn.metrics._dist_metrics.MinkowskiDistance64",
    "sklearn.neighbors._ball_tree.BallTree",
    "sklearn.neighbors._kd_tree.KDTree",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
    "sklearn.tree._tree.Tree",
    "sklearn.utils._bunch.Bunch",
)
"""Types about which skops lets the reader decide, and which estimators use: containers and compiled search structures.

Constructing them executes nothing from the file. Their contents are checked (`_check_tree`) or not used
(`_search_plainly`).
"""

_PLAIN_SEARCH = "brute"


@dataclass(frozen=True)
class Loaded:
    """A fitted estimator, and warnings about its file."""

    estimator: Any
    warnings: tuple[Diagnostic, ...]


def load_estimator(path: Path) -> Loaded:
    """The fitted estimator in the file.

    Raises `EdgecError` E0203 (unreadable), E0204 (would execute code), E0502 (skops or scikit-learn is missing).
    """
    try:
        import skops.io
    except ImportError as missing:
        raise needs_extra(missing) from missing
    _check_archive(path)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            foreign = sorted(set(skops.io.get_untrusted_types(file=path)) - set(_DATA))
            if foreign:
                raise _executes(path, foreign)
            estimator = skops.io.load(path, trusted=list(_DATA))
        except EdgecError:
            raise
        except Exception as failure:  # skops and the estimators raise various exceptions for corrupt files
            raise _unreadable(path, failure) from failure
    try:
        _check(estimator)
    except ValueError as failure:
        raise _unreadable(path, failure) from failure
    return Loaded(estimator, _other_version(path, told))


def needs_extra(missing: ImportError) -> EdgecError:
    """The error if scikit-learn's packages are not installed."""
    return error(
        "E0502",
        "scikit-learn, skops and skl2onnx are needed to read a `.skops` file",
        notes=[str(missing)],
        help=["pip install 'edgec[sklearn]'"],
    )


def _check_archive(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
    except BROKEN as failure:
        raise _unreadable(path, failure) from failure
    if size > _EXPANDED * max(path.stat().st_size, 1 << 20):
        raise error("E0203", f"`{path.name}` would expand to {size} bytes", place=Place(str(path)))


_EXPANDED = 200
"""The maximum ratio of a file's expanded size to its own; beyond, it is considered malicious."""


def _unreadable(path: Path, failure: Exception) -> EdgecError:
    message, why = f"`{path.name}` is not a readable skops file", said("skops", failure)
    return error("E0203", message, place=Place(str(path)), notes=[why])


def _executes(path: Path, types: list[str]) -> EdgecError:
    return error(
        "E0204",
        f"`{path.name}` contains types that may run code when they are loaded",
        place=Place(str(path)),
        notes=[f"it contains `{name}`" for name in types[:4]],
        help=["save a pipeline of scikit-learn's own estimators"],
    )


def _check(estimator: Any) -> None:
    """Raise ValueError unless it is a fitted estimator that cannot make compiled code access memory out of bounds."""
    if not hasattr(estimator, "n_features_in_"):
        raise ValueError("it contains no fitted estimator with numeric features")
    checked: set[int] = set()
    boosted: set[int] = set()
    for part in parts_of(estimator):
        if type(part).__name__ == "Tree" and hasattr(part, "children_left"):
            _check_tree(part)
        if hasattr(part, "_predictors"):
            checked |= _check_boosting(part)
        if type(part).__name__ == "TreePredictor":
            boosted.add(id(part))
        if getattr(part, "_fit_method", _PLAIN_SEARCH) != _PLAIN_SEARCH:
            _search_plainly(part)
    if boosted - checked:
        raise ValueError("a boosted tree does not belong to an estimator")


def _check_tree(tree: Any) -> None:
    """Check that a tree's nodes refer only to existing later nodes and to existing features."""
    left, right, feature = tree.children_left, tree.children_right, tree.feature
    inner = left != -1
    own = np.arange(tree.node_count)
    for child in (left, right):
        if (child[inner] <= own[inner]).any() or (child[inner] >= tree.node_count).any():
            raise ValueError("a decision tree refers to a node that does not exist")
    if (feature[inner] < 0).any() or (feature[inner] >= tree.n_features).any():
        raise ValueError("a decision tree refers to a feature that does not exist")


def _check_boosting(estimator: Any) -> set[int]:
    """Like `_check_tree`, for histogram gradient boosting, whose trees are record arrays. Returns the trees' ids."""
    from sklearn.ensemble._hist_gradient_boosting.common import PREDICTOR_RECORD_DTYPE

    trees = [tree for step in estimator._predictors for tree in step]
    for tree in trees:
        nodes = tree.nodes
        if nodes.dtype != PREDICTOR_RECORD_DTYPE or nodes.ndim != 1 or not len(nodes):
            raise ValueError("a boosted tree is not an array of nodes")
        inner, own = nodes["is_leaf"] == 0, np.arange(len(nodes))
        if nodes["is_categorical"][inner].any():
            raise ValueError("a boosted tree has categorical splits")
        for child in (nodes["left"], nodes["right"]):
            if (child[inner] <= own[inner]).any() or (child[inner] >= len(nodes)).any():
                raise ValueError("a boosted tree refers to a node that does not exist")
        feature = nodes["feature_idx"][inner]
        if (feature < 0).any() or (feature >= estimator.n_features_in_).any():
            raise ValueError("a boosted tree refers to a feature that does not exist")
    return {id(tree) for tree in trees}


def _search_plainly(neighbours: Any) -> None:
    """Search neighbours by brute force among the samples; the file's search tree is not used."""
    neighbours._fit_method, neighbours.algorithm, neighbours._tree = _PLAIN_SEARCH, _PLAIN_SEARCH, None


def parts_of(estimator: Any) -> Iterator[Any]:
    """The estimator and all objects in it, without duplicates."""
    seen: set[int] = set()
    pending = [estimator]
    while pending:
        part = pending.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        yield part
        if isinstance(part, dict):
            pending += part.values()
        elif isinstance(part, list | tuple | set):
            pending += part
        elif isinstance(part, np.ndarray):
            pending += part.ravel().tolist() if part.dtype == object else []
        else:
            pending += vars(part).values() if hasattr(part, "__dict__") else []


def _other_version(path: Path, told: list[warnings.WarningMessage]) -> tuple[Diagnostic, ...]:
    """scikit-learn's warning that the file was written by another version, once."""
    from sklearn.exceptions import InconsistentVersionWarning

    for message in told:
        if isinstance(found := message.message, InconsistentVersionWarning):
            what = f"`{path.name}` was written by scikit-learn {found.original_sklearn_version}"
            note = f"{found.current_sklearn_version} reads it and may compute different results"
            return (warning("E0213", what, place=Place(str(path)), notes=[note]),)
    return ()
