"""Fitted scikit-learn pipelines from `.skops` files: built, and run independently on the rows they were fitted on."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from ai_edge_litert.interpreter import Interpreter
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    IsolationForest,
    RandomForestClassifier,
)
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, PolynomialFeatures, StandardScaler
from sklearn.svm import SVC, SVR
from sklearn.tree import DecisionTreeClassifier

from edgec.compiler.build import BuildReport, Built, build
from edgec.compiler.options import BuildOptions
from edgec.compiler.stages import prepare
from edgec.diag import EdgecError
from edgec.frontend.request import SourceRequest
from edgec.frontend.samples.inputs import InputSpec

RNG = np.random.default_rng(4)
ROWS = 60
X = (RNG.standard_normal((ROWS, 5)) * [1, 10, 100, 1, 0.1] + [0, 5, 500, 0, 1]).astype(np.float32)
UNIT = (X - X.mean(0)) / X.std(0)
TWO = (UNIT[:, 0] + UNIT[:, 1] > 0).astype(int)
THREE = TWO + (UNIT[:, 2] > 0.5)
NUMBER = UNIT @ RNG.standard_normal(5)


def saved(estimator: Any, folder: Path) -> Path:
    path = folder / "model.skops"
    skops.io.dump(estimator, path)
    return path


def built(path: Path, target: str, out: Path) -> BuildReport:
    request = SourceRequest(str(path), inputs=(InputSpec("X", X.shape, "float32"),))
    return build(request, [target], BuildOptions(out=out), lambda step: None)


def only(report: BuildReport) -> Built:
    assert report.errors == []
    (one,) = report.built
    assert one.failures == ()
    return one


def run(one: Built) -> dict[str, np.ndarray]:
    interpreter = Interpreter(str(one.folder / one.manifest.artifact.path))
    runner = interpreter.get_signature_runner()
    return dict(runner(X=X))


ESTIMATORS = {
    "forest": (RandomForestClassifier(8, max_depth=6, random_state=0), THREE, ["predict", "predict_proba"]),
    "boosting": (GradientBoostingClassifier(n_estimators=6, random_state=0), TWO, ["predict", "predict_proba"]),
    "logistic": (make_pipeline(StandardScaler(), LogisticRegression()), THREE, ["predict", "predict_proba"]),
    "vectors": (make_pipeline(StandardScaler(), SVC()), THREE, ["predict", "decision_function"]),
    "regression": (make_pipeline(StandardScaler(), SVR()), NUMBER, ["predict"]),
    "neighbours": (make_pipeline(StandardScaler(), KNeighborsClassifier(3)), THREE, ["predict", "predict_proba"]),
    "outliers": (IsolationForest(n_estimators=5, random_state=0), TWO, ["predict", "decision_function"]),
    "columns": (
        make_pipeline(
            ColumnTransformer([("a", StandardScaler(), [0, 1, 2]), ("b", PolynomialFeatures(2), [3, 4])]), Ridge()
        ),
        NUMBER,
        ["predict"],
    ),
}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_the_artifact_predicts_what_the_estimator_does(name: str, tmp_path: Path) -> None:
    estimator, y, methods = ESTIMATORS[name]
    estimator.fit(X, y)
    found = run(only(built(saved(estimator, tmp_path), "android", tmp_path)))
    outputs = {"predict": "label", "predict_proba": "probabilities", "decision_function": "scores"}
    for method in methods:
        output = next(o for o in (outputs[method], "probabilities", "variable") if o in found)
        expected = getattr(estimator, method)(X.astype(np.float64))
        np.testing.assert_allclose(found[output].reshape(expected.shape), expected, rtol=1e-4, atol=1e-5)


def test_labels_that_are_text_are_left_out_and_their_order_told(tmp_path: Path) -> None:
    estimator = DecisionTreeClassifier(max_depth=3).fit(X, np.array(["cat", "dog", "eel"])[THREE])
    report = built(saved(estimator, tmp_path), "android", tmp_path)
    assert set(run(only(report))) == {"probabilities"}
    (told,) = report.warnings
    assert told.code == "E0214"
    assert told.notes == ("the scores are in the order of cat, dog, eel",)


def test_missing_values_are_imputed(tmp_path: Path) -> None:
    holes = X.copy()
    holes[::3, 1] = np.nan
    estimator = make_pipeline(SimpleImputer(), StandardScaler(), Ridge()).fit(holes, NUMBER)
    one = only(built(saved(estimator, tmp_path), "android", tmp_path))
    interpreter = Interpreter(str(one.folder / one.manifest.artifact.path))
    found = interpreter.get_signature_runner()(X=holes)["variable"]
    np.testing.assert_allclose(found.ravel(), estimator.predict(holes), rtol=1e-4, atol=1e-5)


def test_core_ml(tmp_path: Path) -> None:
    estimator = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, THREE)
    one = only(built(saved(estimator, tmp_path), "iphone", tmp_path))
    assert one.manifest.accuracy.status == "passed"


def refusal(path: Path, tmp_path: Path) -> tuple[str, str]:
    with pytest.raises(EdgecError) as raised:
        built(path, "android", tmp_path)
    (found,) = raised.value.diagnostics
    return found.code, "\n".join([found.message, *found.notes, *found.help])


def cube(x: Any) -> Any:
    return x**3


def rewritten(path: Path, change: Any) -> Path:
    """The archive with a modified schema."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["schema.json"] = json.dumps(change(json.loads(members["schema.json"]))).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def test_code_in_the_file_is_refused(tmp_path: Path) -> None:
    code, said = refusal(saved(FunctionTransformer(cube).fit(X), tmp_path), tmp_path)
    assert code == "E0204"
    assert "cube" in said

    def system(schema: Any) -> Any:
        return schema | {"__class__": "system", "__module__": "os"}

    path = rewritten(saved(Ridge().fit(X, NUMBER), tmp_path), system)
    assert refusal(path, tmp_path)[0] in ("E0203", "E0204")


def test_a_tree_that_leads_out_of_its_nodes_is_refused(tmp_path: Path) -> None:
    path = saved(DecisionTreeClassifier(max_depth=3).fit(X, TWO), tmp_path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    broken = 0
    for name, content in members.items():
        if name.endswith(".npy"):
            array = np.load(io.BytesIO(content), allow_pickle=False)
            if array.dtype.names and "left_child" in array.dtype.names:
                array["left_child"][0] = 1 << 40
                buffer = io.BytesIO()
                np.save(buffer, array)
                members[name] = buffer.getvalue()
                broken += 1
    assert broken == 1
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    code, said = refusal(path, tmp_path)
    assert code == "E0203"
    assert "refers to a node that does not exist" in said


def test_what_is_no_estimator_is_refused(tmp_path: Path) -> None:
    for content in (b"", b"PK\x03\x04broken"):
        path = tmp_path / "broken.skops"
        path.write_bytes(content)
        assert refusal(path, tmp_path)[0] == "E0203"
    assert refusal(saved({"a": 1}, tmp_path), tmp_path)[0] == "E0203"
    words = CountVectorizer().fit(["a cat", "a dog"])
    assert refusal(saved(words, tmp_path), tmp_path)[0] == "E0203"


def test_an_input_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    path = saved(Ridge().fit(X, NUMBER), tmp_path)
    request = SourceRequest(str(path), inputs=(InputSpec("X", (1, 7), "float32"),))
    with pytest.raises(EdgecError) as raised:
        build(request, ["android"], BuildOptions(out=tmp_path), lambda step: None)
    (found,) = raised.value.diagnostics
    assert found.code == "E0107"
    assert "X=1x5" in found.help[0]


def boosted(folder, change=None):
    """A histogram gradient boosting file with modified nodes in its first tree."""
    rows = np.random.default_rng(0).standard_normal((120, 3))
    estimator = HistGradientBoostingClassifier(max_iter=3).fit(rows, rows[:, 0] > 0)
    if change is not None:
        change(estimator._predictors[0][0].nodes)
    skops.io.dump(estimator, folder / "m.skops")
    return SourceRequest(str(folder / "m.skops"))


def test_histogram_gradient_boosting(tmp_path):
    prepared = prepare(boosted(tmp_path), BuildOptions(), lambda step: None)
    assert [v.name for v in prepared.model.graph.outputs] == ["label", "probabilities"]


@pytest.mark.parametrize(
    ("field", "value"), [("left", 0), ("right", 10_000), ("feature_idx", 3), ("is_categorical", 1)]
)
def test_boosted_trees_that_lead_astray_are_refused(field, value, tmp_path):
    def change(nodes):
        nodes[field][0] = value

    with pytest.raises(EdgecError) as caught:
        prepare(boosted(tmp_path, change), BuildOptions(), lambda step: None)
    assert caught.value.diagnostics[0].code == "E0203"
