"""A graph run in pieces gives the same values as one session, with sessions of bounded size."""

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from edgec.backends.coreml.precision.value_ranges import VARIANCE, Range, observe
from edgec.calibration import node_values as pieces
from edgec.runners.base import Array
from edgec.runners.onnxruntime import OnnxRuntimeRunner

BRANCH = """
<ir_version: 10, opset_import: ["" : 23]>
agraph (float[2,3] x, float[2,3] unused) => (float[2,3] y)
<float[3] w = {1, 2, 3}, float[2,3] shift = {1, 1, 1, 1, 1, 1}>
{
    a = Mul(x, w)
    b = Add(a, shift)
    total = ReduceSum<keepdims = 0>(a)
    zero = Constant<value_float = 0.0>()
    positive = Greater(total, zero)
    c = If (positive) <
        then_branch = one () => (float[2,3] t) { t = Mul(b, w) },
        else_branch = other () => (float[2,3] e) { e = Sub(shift, x) }
    >
    d = Abs(b)
    y = Add(c, d)
}
"""
SAMPLES: list[dict[str, Array]] = [
    {"x": sign * np.arange(1, 7, dtype=np.float32).reshape(2, 3), "unused": np.zeros((2, 3), np.float32)}
    for sign in (1, -1)
]


def model_of(text: str) -> ir.Model:
    return ir.from_proto(onnx.shape_inference.infer_shapes(onnx.parser.parse_model(text)))


@pytest.mark.parametrize(("nodes", "size"), [(1, 1 << 20), (3, 1 << 20), (100, 1), (100, 1 << 20)])
def test_values_are_those_of_the_whole(nodes: int, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """For any partition: weights, branches that capture, values used much later."""
    monkeypatch.setattr(pieces, "_NODES", nodes)
    monkeypatch.setattr(pieces, "_BYTES", size)
    model = model_of(BRANCH)
    made = [v for node in model.graph for v in node.outputs]
    seen: dict[str, list[Array]] = {}
    for node, values in pieces.run_nodes(model, SAMPLES, made):
        for value in node.outputs:
            seen.setdefault(value.name or "", []).append(values[value])
    shown = model_of(BRANCH)
    shown.graph.outputs[:] = [v for node in shown.graph for v in node.outputs]
    with OnnxRuntimeRunner(shown, optimize=False) as runner:
        whole = [runner.run(sample) for sample in SAMPLES]
    assert seen.keys() == whole[0].keys()
    for name, arrays in seen.items():
        for found, expected in zip(arrays, whole, strict=True):
            np.testing.assert_array_equal(found, expected[name])


def test_sessions_and_what_is_held_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """No session outputs more than a piece's values, and values without further use are released."""
    outputs: list[int] = []

    class Counting(OnnxRuntimeRunner):
        def run(self, inputs: dict[str, Array]) -> dict[str, Array]:  # type: ignore[override]
            found = super().run(inputs)
            outputs.append(len(found))
            return found

    monkeypatch.setattr(pieces, "OnnxRuntimeRunner", Counting)
    chain = " ".join(f"v{i + 1} = Mul(v{i}, w)" for i in range(1000))
    text = '<ir_version: 10, opset_import: ["" : 23]> g (float[4] v0) => (float[4] v1000)'
    model = model_of(f"{text} <float[1] w = {{1.001}}> {{ {chain} }}")
    made = [v for node in model.graph for v in node.outputs]
    sizes = [len(values) for _, values in pieces.run_nodes(model, [{"v0": np.ones(4, np.float32)}], made)]
    assert len(sizes) == 1000
    assert max(outputs) <= pieces._NODES
    assert max(sizes) <= pieces._NODES + 1


def test_only_what_is_needed_is_run() -> None:
    model = model_of(BRANCH)
    wanted = [v for node in model.graph for v in node.outputs if v.name == "total"]
    ran = [node.op_type for node, _ in pieces.run_nodes(model, SAMPLES[:1], wanted)]
    assert ran == ["Mul", "ReduceSum"]


def test_nothing_runs_without_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "OnnxRuntimeRunner", None)
    assert not list(pieces.run_nodes(model_of(BRANCH), [], []))


def test_ranges_are_of_all_samples_and_of_a_norm_its_variances() -> None:
    text = """
<ir_version: 10, opset_import: ["" : 23]>
g (float[2,4] x) => (float[2,4] y) <float[4] one = {1, 1, 1, 1}>
{
    n = LayerNormalization<axis = -1>(x, one)
    s = Abs(n)
    t = Sqrt(s)
    y = Exp(x)
}
"""
    rows: Array = np.asarray([[1, 2, 3, 4], [0, 0, 0, 200]], np.float32)
    with np.errstate(over="ignore"):
        found = observe(model_of(text), [{"x": rows / 1000}, {"x": rows}]).seen
    assert found["y"] == Range(np.inf, np.inf)
    assert found["n" + VARIANCE].low == pytest.approx(1.25e-6, rel=1e-4)
    assert found["n" + VARIANCE].high == pytest.approx(7500.0)
    assert found["s"].low == pytest.approx(0.0005 / np.sqrt(1.25e-6 + 1e-5), rel=1e-4)


def test_what_is_no_number_hides_nothing() -> None:
    text = '<ir_version: 10, opset_import: ["" : 23]> g (float[3] x) => (float[3] y) { a = Abs(x)  y = Sqrt(a) }'
    samples: list[dict[str, Array]] = [{"x": np.asarray([np.nan, 0, 2e-5], np.float32)}, {"x": np.ones(3, np.float32)}]
    for order in (samples, samples[::-1]):
        assert observe(model_of(text), order).seen["a"] == Range(1.0, float(np.float32(2e-5)))
