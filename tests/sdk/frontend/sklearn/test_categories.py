"""Columns of categories and of missing values, and rows as an open dimension."""

from pathlib import Path

import numpy as np
import pytest
import skops.io
from sklearn.compose import make_column_transformer
from sklearn.ensemble import GradientBoostingRegressor, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.tree import DecisionTreeRegressor

import edgec
from edgec.frontend.sklearn.typical_features import typical

KINDS, GRADES = np.array([3.0, 7.0, 20.0]), np.array([1.0, 2.0, 5.0, 9.0])


def table(rows: int = 200) -> np.ndarray:
    rng = np.random.default_rng(0)
    columns = rng.choice(KINDS, rows), rng.choice(GRADES, rows), rng.normal(50, 10, rows), rng.normal(0, 1, rows)
    return np.column_stack(columns)


def with_gaps(rows: np.ndarray) -> np.ndarray:
    return np.where((np.random.default_rng(1).random(rows.shape) < 0.3) & (np.arange(4) == 2), np.nan, rows)


def encoded(encoder: object, *last: object) -> object:
    rows = with_gaps(table())
    classes = ((rows[:, 0] > 5) * 1 + (rows[:, 1] > 3)) % 3
    rest = make_pipeline(SimpleImputer(), StandardScaler())
    return make_pipeline(make_column_transformer((encoder, [0, 1]), (rest, [2, 3])), *last).fit(rows, classes)


ESTIMATORS = {
    "one-hot": lambda: encoded(OneHotEncoder(), LogisticRegression(max_iter=500)),
    "one-hot ignoring": lambda: encoded(OneHotEncoder(handle_unknown="ignore"), LogisticRegression(max_iter=500)),
    "ordinal": lambda: encoded(OrdinalEncoder(), RandomForestClassifier(5, max_depth=4, random_state=0)),
}


def test_samples_are_categories_and_some_are_missing() -> None:
    drawn = typical(encoded(OneHotEncoder(), LogisticRegression())).draw(400, 0)
    assert set(drawn[:, 0]) == set(KINDS)
    assert set(drawn[:, 1]) == set(GRADES)
    assert 0.1 < np.isnan(drawn[:, 2]).mean() < 0.3
    assert abs(np.nanmean(drawn[:, 2]) - 50) < 2
    assert abs(np.nanstd(drawn[:, 2]) - 10) < 2


@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.parametrize("target", ["android", "rtx"])
def test_encoders_and_imputers_are_verified_on_what_they_were_fitted_on(name: str, target: str, tmp_path: Path) -> None:
    estimator = ESTIMATORS[name]()
    skops.io.dump(estimator, tmp_path / "m.skops")
    made = edgec.build(tmp_path / "m.skops", target=target, dynamic=["X:0=rows:1..16"], out=tmp_path / "out")
    assert not made.failures
    assert made.manifest.accuracy.samples > 10
    assert {d.code for d in made.told} == (set() if "ignoring" in name else {"E0215"})
    (given,) = made.manifest.app.inputs
    assert given.shape == ("rows", 4)
    rows = with_gaps(table(7)).astype(np.float32)
    found = edgec.run(made, {given.name: rows})
    (scores,) = (array for array in found.values() if array.dtype.kind == "f")
    assert np.allclose(scores, estimator.predict_proba(rows.astype(np.float64)), atol=1e-5)


def test_a_number_between_categories_is_none_of_them(tmp_path: Path) -> None:
    estimator = ESTIMATORS["one-hot ignoring"]()
    skops.io.dump(estimator, tmp_path / "m.skops")
    made = edgec.build(tmp_path / "m.skops", target="android", out=tmp_path / "out")
    row = np.array([[7.4, 2.0, 50, 0]], np.float32)
    found = edgec.run(made, {"X": row})
    (scores,) = (array for array in found.values() if array.dtype.kind == "f")
    assert np.allclose(scores, estimator.predict_proba(row.astype(np.float64)), atol=1e-5)


def test_categories_that_float32_rounds_are_still_categories(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).choice([0.1, 0.7, 1.3], (60, 1))
    estimator = make_pipeline(OrdinalEncoder(), DecisionTreeRegressor(max_depth=3)).fit(rows, rows[:, 0] ** 2)
    skops.io.dump(estimator, tmp_path / "m.skops")
    made = edgec.build(tmp_path / "m.skops", target="android", out=tmp_path / "out")
    assert not made.failures
    (found,) = edgec.run(made, {"X": np.array([[0.7]], np.float32)}).values()
    assert np.allclose(found, 0.49, atol=1e-6)


@pytest.mark.parametrize("kind", [DecisionTreeRegressor(max_depth=3), GradientBoostingRegressor(n_estimators=5)])
@pytest.mark.parametrize("target", ["android", "iphone", "rtx"])
def test_regressors_take_any_number_of_rows(kind: object, target: str, tmp_path: Path) -> None:
    rows = table()
    skops.io.dump(kind.fit(rows, rows[:, 2] * rows[:, 0]), tmp_path / "m.skops")
    made = edgec.build(tmp_path / "m.skops", target=target, dynamic=["X:0=rows:1..16"], out=tmp_path / "out")
    assert not made.failures
    for count in (1, 5):
        (found,) = edgec.run(made, {"X": rows[:count].astype(np.float32)}).values()
        expected = kind.predict(rows[:count].astype(np.float32).astype(np.float64))
        assert np.allclose(found.ravel(), expected, rtol=2e-3)
