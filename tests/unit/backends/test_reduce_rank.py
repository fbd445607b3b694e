"""Operators on many dimensions become the same operators on fewer."""

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgec.backends.groups import grouped
from edgec.backends.rank import ReduceRank, steps
from edgec.backends.tflite.legality.kernels import portable_rank
from edgec.ir.model import OPSET
from edgec.passes.remarks import counted
from edgec.passes.rewrite import RewritePass
from edgec.passes.verify import evaluate
from edgec.rules.axes import merged

HIGHEST = 5
SHAPES = st.integers(1, 7).flatmap(
    lambda rank: st.tuples(st.tuples(*[st.integers(1, 3)] * rank), st.permutations(range(rank)))
)


@given(SHAPES)
def test_merging_moves_every_element_alike(case: tuple[tuple[int, ...], list[int]]) -> None:
    shape, perm = case
    array = np.arange(np.prod(shape)).reshape(shape)
    sizes, small = merged(shape, tuple(perm))
    assert np.array_equal(array.reshape(sizes).transpose(small).reshape(-1), array.transpose(perm).reshape(-1))
    assert len(sizes) <= len(shape)


@given(SHAPES)
def test_steps_together_are_the_transpose(case: tuple[tuple[int, ...], list[int]]) -> None:
    shape, perm = case
    array = now = np.arange(np.prod(shape)).reshape(shape)
    for step in steps(shape, tuple(perm), HIGHEST):
        assert len(merged(now.shape, step)[0]) <= HIGHEST
        now = now.transpose(step)
    assert np.array_equal(now, array.transpose(perm))


@given(st.lists(st.tuples(st.integers(1, 3), st.booleans()), min_size=1, max_size=8), st.sets(st.integers(0, 7)))
def test_groups_hold_axes_of_one_kind(dims: list[tuple[int, bool]], alone: set[int]) -> None:
    shape = tuple(size for size, _ in dims)
    apart = sorted(alone & set(range(len(dims))))
    groups = grouped(shape, lambda axis: dims[axis][1], apart).groups
    assert [axis for group in groups for axis in group] == list(range(len(dims)))
    for group in groups:
        assert len(group) == 1 or not set(group) & set(apart)
        assert len({dims[axis][1] for axis in group if shape[axis] > 1}) <= 1


def test_window_partition_has_four_dimensions() -> None:
    assert merged((1, 8, 7, 8, 7, 96), (0, 1, 3, 2, 4, 5)) == ((8, 7, 8, 672), (0, 2, 1, 3))


X = "float[2, 2, 1, 3, 2, 3] x"
CASES = {
    "transpose": (X, "", "y = Transpose<perm = [0, 3, 5, 1, 4, 2]>(x)"),
    "transpose-in-steps": ("float[2, 3, 2, 3, 2, 2] x", "", "y = Transpose<perm = [0, 2, 4, 1, 3, 5]>(x)"),
    "unary": (X, "", "y = Sigmoid(x)"),
    "broadcast": (X, "float[3, 1, 1] c = {1, 2, 3}", "y = Add(x, c)"),
    "broadcast-both": ("float[2,1,2,1,1,3] x", "float[2,1,1] c = {1,2}", "h = Mul(x, c) y = Max(h, x)"),
    "where": (X, "float[1] c = {0.3}", "p = Greater(x, c) y = Where(p, x, c)"),
    "clip": (X, "float a = {-0.5}, float b = {0.7}", "y = Clip(x, a, b)"),
    "expand": ("float[2, 3, 1, 1] x", "int64[6] s = {2, 2, 2, 3, 2, 2}", "y = Expand(x, s)"),
    "matmul": (X, "", "t = Transpose<perm = [0, 1, 2, 3, 5, 4]>(x) y = MatMul(x, t)"),
    "matmul-shared": (X, "float[3, 2] w = {1, 2, 3, 4, 5, 6}", "y = MatMul(x, w)"),
    "softmax": (X, "", "y = Softmax<axis = 3>(x)"),
    "concat": (X, "", "y = Concat<axis = 2>(x, x, x)"),
    "split": (X, "", "h, k = Split<axis = 1, num_outputs = 2>(x) y = Sub(h, k)"),
    "gather": ("float[2, 3, 4] x", "int64[2, 2, 2, 2] i = {0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 1}",
               "y = Gather<axis = 1>(x, i)"),
    "gather-nd": ("float[3, 2, 2, 2] x", "int64[2, 1, 2, 2, 1] i = {0, 1, 2, 0, 1, 2, 0, 1}", "y = GatherND(x, i)"),
    "gather-nd-batch": ("float[2, 1, 2, 2, 2, 3] x", "int64[2, 1, 3, 1] i = {0, 1, 0, 1, 0, 1}",
                        "y = GatherND<batch_dims = 2>(x, i)"),
    "scatter-nd": ("float[3, 2, 1, 2, 1, 2] x", "int64[2, 1] i = {2, 0}",
                   "a, b, c = Split<axis = 0, num_outputs = 3>(x) u = Concat<axis = 0>(b, c) y = ScatterND(x, i, u)"),
    "reduce": (X, "int64[3] a = {0, 3, 4}", "y = ReduceMax<keepdims = 0>(x, a)"),
    "slice": (X, "int64[2] b = {2, 0}, int64[2] e = {-9, 2}, int64[2] a = {3, 5}, int64[2] s = {-1, 1}",
              "y = Slice(x, b, e, a, s)"),
    "pad": (X, "int64[12] p = {0, 1, 0, 0, 2, 0, 0, 0, 0, 0, 1, 0}", "y = Pad(x, p)"),
    "tile": (X, "int64[6] r = {1, 2, 3, 1, 1, 2}", "y = Tile(x, r)"),
    "argmax": (X, "", "h = ArgMax<axis = 3, keepdims = 0>(x) y = Cast<to = 1>(h)"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_numbers_stay_and_high_ranks_go(name: str) -> None:
    inputs, constants, body = CASES[name]
    graph = onnx.parser.parse_graph(
        f"g ({inputs}) => (float y) {'<' + constants + '>' if constants else ''} {{ {body} }}"
    )
    graph.output[0].type.tensor_type.ClearField("shape")
    proto = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", OPSET)], ir_version=10)
    model = ir.serde.deserialize_model(onnx.shape_inference.infer_shapes(proto, data_prop=True))
    shape = tuple(int(d) for d in model.graph.inputs[0].shape)
    feed = {"x": np.random.default_rng(3).standard_normal(shape).astype(np.float32)}
    before = evaluate(model, feed)
    remarks = RewritePass("test", [ReduceRank(lambda _: HIGHEST)]).run(model)
    assert counted(remarks).get("reduce-rank", 0)
    for node in model.graph:
        if node.op_type != "Reshape":
            assert all(len(v.shape) <= HIGHEST for v in (*node.inputs, *node.outputs) if v is not None), node.op_type
    np.testing.assert_allclose(evaluate(model, feed)[0], before[0], rtol=1e-6)


def test_each_operator_has_a_limit_of_its_own() -> None:
    body = "g (float[1, 2, 3, 2, 2, 3, 2] x) => (float y) { a = Softmax<axis = 2>(x) y = Relu(a) }"
    graph = onnx.parser.parse_graph(body)
    graph.output[0].type.tensor_type.ClearField("shape")
    proto = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", OPSET)], ir_version=10)
    model = ir.serde.deserialize_model(onnx.shape_inference.infer_shapes(proto))
    RewritePass("test", [ReduceRank(portable_rank)]).run(model)
    ranks = {node.op_type: len(node.outputs[0].shape) for node in model.graph if node.op_type != "Reshape"}
    assert ranks == {"Softmax": 3, "Relu": 1}
