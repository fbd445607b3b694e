"""`ai.onnx.ml` operators, canonicalized, compared with ONNX Runtime's own kernels."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgec.diag import EdgecError
from edgec.dialect.core import CORE
from edgec.frontend.onnx.opset import to_working_opset
from edgec.passes.canonicalize import canonicalize
from edgec.runners.onnxruntime import OnnxRuntimeRunner

FLOAT, INT64 = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64
ROWS, COLUMNS = 6, 4


def model_of(op: str, x: np.ndarray, outputs: list[int], **attributes: Any) -> onnx.ModelProto:
    """A model of one node; `outputs` are the element types of its outputs."""
    names = [f"y{i}" for i in range(len(outputs))]
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node(op, ["x"], names, domain="ai.onnx.ml", **attributes)],
        "g",
        [onnx.helper.make_tensor_value_info("x", onnx.helper.np_dtype_to_tensor_dtype(x.dtype), x.shape)],
        [onnx.helper.make_tensor_value_info(n, kind, None) for n, kind in zip(names, outputs, strict=True)],
    )
    imports = [onnx.helper.make_opsetid("", 17), onnx.helper.make_opsetid("ai.onnx.ml", 3)]
    return onnx.helper.make_model(graph, opset_imports=imports, ir_version=8)


def same(proto: onnx.ModelProto, x: np.ndarray) -> None:
    """Asserts that the canonical graph has only core operators, and ONNX Runtime's results for the operator."""
    with OnnxRuntimeRunner(ir.serde.deserialize_model(proto), optimize=False) as runner:
        expected = runner.run({"x": x})
    core = canonicalize(to_working_opset(proto, Path("g"))).model
    assert CORE.check(core) == []
    with OnnxRuntimeRunner(core, optimize=False) as runner:
        found = runner.run({"x": x})
    for name, array in expected.items():
        np.testing.assert_allclose(found[name], array, rtol=2e-5, atol=2e-6)
        assert found[name].shape == array.shape


def rows(rng: np.random.Generator) -> np.ndarray:
    return rng.standard_normal((ROWS, COLUMNS)).astype(np.float32)


def floats(rng: np.random.Generator, *shape: int) -> list[float]:
    return [float(v) for v in np.float32(rng.standard_normal(shape)).reshape(-1)]


class Tree:
    """The attributes of random trees."""

    def __init__(self, rng: np.random.Generator, modes: list[str], missing: bool) -> None:
        self.rng, self.modes, self.missing = rng, modes, missing
        self.nodes: dict[str, list[Any]] = {
            name: [] for name in "treeids nodeids featureids modes values truenodeids falsenodeids missing".split()
        }
        self.leaves: list[tuple[int, int]] = []

    def grow(self, tree: int, depth: int) -> int:
        place = self.nodes["treeids"].count(tree)
        leaf = depth == 0 or (place > 0 and self.rng.random() < 0.25)
        row = {
            "treeids": tree,
            "nodeids": place,
            "featureids": int(self.rng.integers(COLUMNS)),
            "modes": "LEAF" if leaf else str(self.rng.choice(self.modes)),
            "values": 0.0 if leaf else float(np.float32(self.rng.integers(-2, 3) / 2)),
            "truenodeids": 0,
            "falsenodeids": 0,
            "missing": int(self.missing and not leaf and self.rng.random() < 0.5),
        }
        for name, value in row.items():
            self.nodes[name].append(value)
        if leaf:
            self.leaves.append((tree, place))
            return place
        at = len(self.nodes["treeids"]) - 1
        self.nodes["truenodeids"][at] = self.grow(tree, depth - 1)
        self.nodes["falsenodeids"][at] = self.grow(tree, depth - 1)
        return place

    def attributes(self) -> dict[str, Any]:
        names = {"missing": "nodes_missing_value_tracks_true"}
        return {names.get(name, f"nodes_{name}"): values for name, values in self.nodes.items()}

    def leaves_of(self, prefix: str, outputs: int, weight: Callable[[], float]) -> dict[str, Any]:
        owners = [(tree, node, k) for tree, node in self.leaves for k in range(outputs)]
        return {
            f"{prefix}_treeids": [tree for tree, _, _ in owners],
            f"{prefix}_nodeids": [node for _, node, _ in owners],
            f"{prefix}_ids": [k for _, _, k in owners],
            f"{prefix}_weights": [float(np.float32(weight())) for _ in owners],
        }


def grid(rng: np.random.Generator, holes: bool) -> np.ndarray:
    """Features that equal thresholds exactly, with NaNs among them."""
    x = (rng.integers(-4, 5, (ROWS, COLUMNS)) / 4).astype(np.float32)
    if holes:
        x[rng.random(x.shape) < 0.2] = np.nan
    return x


MODES = ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT"]


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**31),
    depth=st.integers(1, 4),
    aggregate=st.sampled_from(["SUM", "AVERAGE", "MIN", "MAX"]),
    modes=st.sampled_from([MODES, MODES[:1]]),
    missing=st.booleans(),
)
def test_tree_regressors(seed: int, depth: int, aggregate: str, modes: list[str], missing: bool) -> None:
    rng = np.random.default_rng(seed)
    trees = Tree(rng, modes, missing)
    for tree in range(3):
        trees.grow(tree, depth)
    same(
        model_of(
            "TreeEnsembleRegressor",
            x := grid(rng, holes=missing),
            [FLOAT],
            n_targets=2,
            aggregate_function=aggregate,
            base_values=floats(rng, 2),
            **trees.attributes(),
            **trees.leaves_of("target", 2, rng.standard_normal),
        ),
        x,
    )


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**31),
    classes=st.integers(2, 4),
    transform=st.sampled_from(["NONE", "LOGISTIC", "SOFTMAX"]),
    shares=st.booleans(),
)
def test_tree_classifiers(seed: int, classes: int, transform: str, shares: bool) -> None:
    rng = np.random.default_rng(seed)
    trees = Tree(rng, MODES[:1], missing=False)
    for tree in range(3):
        trees.grow(tree, 3)
    weight = (lambda: rng.uniform(0.05, 0.3)) if shares else rng.standard_normal
    same(
        model_of(
            "TreeEnsembleClassifier",
            x := grid(rng, holes=False),
            [INT64, FLOAT],
            classlabels_int64s=[7, 3, 9, 5][:classes],
            post_transform=transform,
            **trees.attributes(),
            **trees.leaves_of("class", 1 if classes == 2 else classes, weight),
        ),
        x,
    )


@pytest.mark.parametrize("kernel", ["LINEAR", "POLY", "RBF", "SIGMOID"])
@pytest.mark.parametrize("classes", [2, 3, 4])
def test_support_vector_classifiers(kernel: str, classes: int) -> None:
    rng = np.random.default_rng(classes)
    sizes = [2, 3, 1, 2][:classes]
    attributes = {
        "classlabels_ints": [4, 2, 8, 6][:classes],
        "vectors_per_class": sizes,
        "support_vectors": floats(rng, sum(sizes), COLUMNS),
        "coefficients": floats(rng, classes - 1, sum(sizes)),
        "rho": floats(rng, classes * (classes - 1) // 2),
    }
    x = rows(rng)
    how = {"kernel_type": kernel, "kernel_params": [0.25, 0.5, 3.0]}
    same(model_of("SVMClassifier", x, [INT64, FLOAT], **attributes, **how), x)


@pytest.mark.parametrize("kernel", ["LINEAR", "POLY", "RBF", "SIGMOID"])
@pytest.mark.parametrize("one_class", [0, 1])
def test_support_vector_regressors(kernel: str, one_class: int) -> None:
    rng = np.random.default_rng(3)
    attributes = {
        "n_supports": 5,
        "support_vectors": floats(rng, 5, COLUMNS),
        "coefficients": floats(rng, 5),
        "rho": floats(rng, 1),
        "one_class": one_class,
    }
    x = rows(rng)
    how = {"kernel_type": kernel, "kernel_params": [0.25, 0.5, 3.0]}
    same(model_of("SVMRegressor", x, [FLOAT], **attributes, **how), x)


@pytest.mark.parametrize("transform", ["NONE", "LOGISTIC", "SOFTMAX"])
@pytest.mark.parametrize("classes", [2, 3])
def test_linear_classifiers(transform: str, classes: int) -> None:
    rng = np.random.default_rng(classes)
    x = rows(rng)
    attributes = {
        "coefficients": floats(rng, classes, COLUMNS),
        "intercepts": floats(rng, classes),
        "classlabels_ints": [5, 1, 3][:classes],
        "post_transform": transform,
    }
    same(model_of("LinearClassifier", x, [INT64, FLOAT], **attributes), x)


def holes(x: np.ndarray, value: float) -> np.ndarray:
    x[1, 2] = x[3, 0] = value
    return x


RNG = np.random.default_rng(9)
INTEGERS = RNG.integers(-1, 6, (ROWS,))
CALLS: dict[str, tuple[str, np.ndarray, int, dict[str, Any]]] = {
    "regressor": (
        "LinearRegressor",
        rows(RNG),
        FLOAT,
        {"coefficients": floats(RNG, 2, COLUMNS), "intercepts": floats(RNG, 2), "targets": 2},
    ),
    "scaler": ("Scaler", rows(RNG), FLOAT, {"offset": floats(RNG, COLUMNS), "scale": floats(RNG, COLUMNS)}),
    "scaler-of-one": ("Scaler", rows(RNG), FLOAT, {"offset": [0.5], "scale": [2.0]}),
    "max": ("Normalizer", holes(rows(RNG), 0.0), FLOAT, {"norm": "MAX"}),
    "l1": ("Normalizer", rows(RNG) * np.float32([[1]] * 5 + [[0]]), FLOAT, {"norm": "L1"}),
    "l2": ("Normalizer", rows(RNG) * np.float32([[1]] * 5 + [[0]]), FLOAT, {"norm": "L2"}),
    "imputer": (
        "Imputer",
        holes(rows(RNG), np.nan),
        FLOAT,
        {"imputed_value_floats": floats(RNG, COLUMNS), "replaced_value_float": float("nan")},
    ),
    "imputer-of-zero": (
        "Imputer",
        holes(rows(RNG), 0.0),
        FLOAT,
        {"imputed_value_floats": [3.5], "replaced_value_float": 0.0},
    ),
    "imputer-of-integers": (
        "Imputer",
        INTEGERS[:, None],
        INT64,
        {"imputed_value_int64s": [9], "replaced_value_int64": 2},
    ),
    "binarizer": ("Binarizer", rows(RNG), FLOAT, {"threshold": 0.25}),
    "labels": (
        "LabelEncoder",
        INTEGERS,
        FLOAT,
        {"keys_int64s": [0, 2, 5], "values_floats": [0.5, 1.5, 2.5], "default_float": -7.0},
    ),
    "labels-of-floats": (
        "LabelEncoder",
        np.float32([0.5, 7.0, 2.0, 1.0]),
        INT64,
        {"keys_floats": [0.5, 3.0, 1.0], "values_int64s": [3, 4, 5], "default_int64": 9},
    ),
    "one-hot": ("OneHotEncoder", INTEGERS, FLOAT, {"cats_int64s": [0, 2, 5], "zeros": 1}),
    "one-hot-of-a-table": ("OneHotEncoder", INTEGERS.reshape(2, 3), FLOAT, {"cats_int64s": [0, 2, 5], "zeros": 1}),
}


@pytest.mark.parametrize("name", CALLS)
def test_numbers(name: str) -> None:
    op, x, kind, attributes = CALLS[name]
    same(model_of(op, x, [kind], **attributes), x)


def refused(proto: onnx.ModelProto) -> str:
    with pytest.raises(EdgecError) as raised:
        canonicalize(to_working_opset(proto, Path("g")))
    return "\n".join(note for d in raised.value.diagnostics for note in d.notes)


def test_what_has_no_form_is_refused_with_the_reason() -> None:
    linear = {"coefficients": [1.0] * 8, "intercepts": [0.0, 0.1], "classlabels_strings": ["cat", "dog"]}
    strings = model_of("LinearClassifier", rows(RNG), [onnx.TensorProto.STRING, FLOAT], **linear)
    assert "the labels are strings" in refused(strings)
    raises = model_of("OneHotEncoder", INTEGERS, [FLOAT], cats_int64s=[1, 4], zeros=0)
    assert "an unknown category is an error" in refused(raises)
    assert "classical-learning" in refused(raises)


def test_scores_alone_are_taken_where_labels_are_strings() -> None:
    linear = {"coefficients": [1.0, 2.0] * 4, "intercepts": [0.0, 0.1], "classlabels_strings": ["cat", "dog"]}
    proto = model_of("LinearClassifier", x := rows(RNG), [onnx.TensorProto.STRING, FLOAT], **linear)
    del proto.graph.output[0]
    same(proto, x)
