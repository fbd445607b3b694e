"""ONNX Runtime as a reference: accurate relative to the result, for any magnitude."""

from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest

from edgec.runners.onnxruntime import OnnxRuntimeRunner

SMALL = np.logspace(-8, 1.9, 200)
X = np.concatenate([-SMALL, [0.0], SMALL]).astype(np.float32)
EXACT = {
    "Sigmoid(x)": 1 / (1 + np.exp(-X.astype(np.float64))),
    "Elu(x)": np.where(X > 0, X, np.expm1(X.astype(np.float64))),
    "Elu <alpha = 0.5> (x)": np.where(X > 0, X, 0.5 * np.expm1(X.astype(np.float64))),
}


@pytest.mark.parametrize("call", EXACT)
@pytest.mark.parametrize("as_file", [False, True])
def test_every_value_is_accurate(call: str, as_file: bool, tmp_path: Path) -> None:
    head = '<ir_version: 8, opset_import: ["" : 17]> g (float[n] x) => (float[n] y)'
    model = ir.from_onnx_text(f"{head} {{ y = {call} }}")
    ir.save(model, tmp_path / "m.onnx")
    with OnnxRuntimeRunner(tmp_path / "m.onnx" if as_file else model, optimize=False) as runner:
        found = runner.run({"x": X})["y"]
    assert np.abs(found - EXACT[call]).max() <= 1e-6
    assert np.all(np.abs(found - EXACT[call]) <= 1e-6 * np.abs(EXACT[call]))
    assert model.graph.num_nodes() == 1


def test_a_large_mean_leaves_group_norm_right() -> None:
    x = (1e3 + np.random.default_rng(0).standard_normal((2, 6, 5, 4))).astype(np.float32)
    text = """<ir_version: 10, opset_import: ["" : 21]> g (float[2,6,5,4] x) => (float[2,6,5,4] y)
        <float[6] s = {1, 2, 3, 4, 5, 6}, float[6] b = {0, 1, 0, 1, 0, 1}> {
        y = GroupNormalization <num_groups = 2> (x, s, b)
    }"""
    with OnnxRuntimeRunner(ir.from_onnx_text(text)) as runner:
        found = runner.run({"x": x})["y"]
    groups = x.astype(np.float64).reshape(2, 2, -1)
    normal = (groups - groups.mean(-1, keepdims=True)) / np.sqrt(groups.var(-1, keepdims=True) + 1e-5)
    expected = normal.reshape(x.shape) * np.arange(1, 7)[:, None, None] + np.array([0, 1] * 3)[:, None, None]
    assert np.abs(found - expected).max() <= 1e-3


def test_a_row_hidden_by_the_lowest_number_gives_the_mean_of_the_values() -> None:
    text = """<ir_version: 10, opset_import: ["" : 23]> g (float[1,2,3,4] q, float[1,1,3,3] m) => (float[1,2,3,4] y) {
        y = Attention(q, q, q, m)
    }"""
    q, mask = (
        np.random.default_rng(0).standard_normal((1, 2, 3, 4)).astype(np.float32),
        np.zeros((1, 1, 3, 3), np.float32),
    )
    mask[..., 0, :], mask[..., 1, :] = np.finfo(np.float32).min, -np.inf
    with OnnxRuntimeRunner(ir.from_onnx_text(text)) as runner:
        found = runner.run({"q": q, "m": mask})["y"]
    np.testing.assert_allclose(found[:, :, 0], q.mean(2), atol=1e-6)
    np.testing.assert_array_equal(found[:, :, 1], 0)


def test_inside_a_branch() -> None:
    text = """<ir_version: 8, opset_import: ["" : 17]> g (float[n] x, bool c) => (float[n] y) {
        y = If (c) <
            then_branch = a () => (float[n] p) { p = Sigmoid(x) },
            else_branch = b () => (float[n] q) { q = Neg(x) }
        >
    }"""
    model = ir.from_proto(ir.to_proto(ir.from_onnx_text(text)))
    with OnnxRuntimeRunner(model) as runner:
        found = runner.run({"x": X, "c": np.asarray(True)})["y"]
    assert np.all(np.abs(found - EXACT["Sigmoid(x)"]) <= 1e-6 * EXACT["Sigmoid(x)"])
