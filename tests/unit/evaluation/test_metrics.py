"""Metrics against scikit-learn's and against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from edgec.diag import EdgecError
from edgec.evaluation.metrics import F1, METRICS, CharacterErrorRate, MeanAveragePrecision, OwnMetric, Top, Top5
from edgec.evaluation.text import edit_distance, greedy_text

PAIRS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=60)


@given(PAIRS)
def test_f1_is_scikit_learns_macro_average(pairs: list[tuple[int, int]]) -> None:
    records = np.asarray([F1().record({"y": np.eye(6)[found]}, truth) for found, truth in pairs])
    found, truth = zip(*pairs, strict=True)
    assert F1().value(records) == pytest.approx(100 * f1_score(truth, found, average="macro"))


def test_scores_of_equal_size_do_not_hide_the_class() -> None:
    assert Top().record({"y": np.array([[0.2, 0.9, 0.9]])}, 2) == [1.0]
    assert Top().record({"y": np.array([[0.2, 0.9, 0.8]])}, 2) == [0.0]
    assert Top5().record({"y": np.arange(6.0)}, 0) == [0.0]
    assert Top5().record({"y": np.arange(6.0)}, 1) == [1.0]
    assert Top().record({"y": np.array([np.nan, np.nan])}, 0) == [0.0]


def test_a_class_may_be_a_label() -> None:
    assert Top(("cat", "dog")).record({"y": np.array([0.1, 0.9])}, "dog") == [1.0]


@pytest.mark.parametrize("target", [7, -1, 1.5, "bird", [1, 2]])
def test_what_is_no_class_is_refused(target: object) -> None:
    with pytest.raises(EdgecError) as refused:
        Top(("cat", "dog")).record({"y": np.array([0.1, 0.9])}, target)
    assert refused.value.diagnostics[0].code == "E0107"


def test_of_several_outputs_one_must_be_named() -> None:
    outputs = {"boxes": np.zeros((1, 4)), "scores": np.array([0.0, 1.0])}
    with pytest.raises(EdgecError, match="which output"):
        Top().record(outputs, 1)
    assert Top(output="scores").record(outputs, 1) == [1.0]


def test_texts_are_read_without_blanks_and_repeats() -> None:
    best = [0, 1, 1, 0, 1, 2, 2, 0]
    assert greedy_text(np.eye(3)[None, best], ("a", "b")) == "aab"
    with pytest.raises(EdgecError, match="3 symbols are scored"):
        greedy_text(np.eye(3)[best], ("a", "b", "c"))


@given(st.text("ab", max_size=6), st.text("ab", max_size=6))
def test_edit_distance_is_the_least_number_of_edits(a: str, b: str) -> None:
    def least(x: str, y: str) -> int:
        if not x or not y:
            return len(x) + len(y)
        if x[0] == y[0]:
            return least(x[1:], y[1:])
        return 1 + min(least(x[1:], y), least(x, y[1:]), least(x[1:], y[1:]))

    assert edit_distance(a, b) == least(a, b)


def test_error_rates_weigh_by_length() -> None:
    metric = CharacterErrorRate(("a", "b"))
    records = [metric.record({"y": np.eye(3)[[1, 2]]}, "ab"), metric.record({"y": np.eye(3)[[1]]}, "abab")]
    assert metric.value(np.asarray(records)) == pytest.approx(100 * 3 / 6)


def test_average_precision_of_boxes() -> None:
    """Two true boxes, one found exactly, one shifted to an IoU of 0.6, a wrong one between: 101-point averages."""
    truth = {"boxes": [[0, 0, 10, 10], [20, 20, 30, 30]], "labels": [0, 0]}
    outputs = {
        "boxes": np.array([[0, 0, 10, 10], [50, 50, 60, 60], [22.5, 20, 32.5, 30]], np.float32),
        "scores": np.array([0.9, 0.8, 0.7], np.float32),
        "labels": np.array([0, 0, 0]),
    }
    records = np.empty(1, object)
    records[0] = MeanAveragePrecision().record(outputs, truth)
    at_60, above = (51 + 50 * 2 / 3) / 101, 51 / 101
    assert MeanAveragePrecision().value(records) == pytest.approx(100 * (3 * at_60 + 7 * above) / 10)


def test_detections_of_another_form_are_refused() -> None:
    with pytest.raises(EdgecError, match="finds no boxes and no scores"):
        MeanAveragePrecision().record({"y": np.zeros(3)}, {"boxes": [], "labels": []})


def test_a_function_of_the_users_gives_a_number() -> None:
    assert OwnMetric(lambda outputs, target: float(outputs["y"].sum()), "own").record({"y": np.ones(3)}, 0) == [3.0]
    with pytest.raises(EdgecError, match="gives a str"):
        OwnMetric(lambda outputs, target: "x", "own").record({}, 0)  # type: ignore[arg-type, return-value]


def test_every_metric_has_the_name_of_its_row() -> None:
    assert [kind.name for kind in METRICS.values()] == list(METRICS)
