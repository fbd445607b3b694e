"""Files of older opsets, in which operators had another meaning, and of opsets newer than ONNX Runtime supports."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgec.compiler.options import BuildOptions
from edgec.compiler.stages import prepare
from edgec.frontend.request import SourceRequest

RANDOM = np.random.default_rng(0)


def weight(*shape):
    return np.abs(RANDOM.standard_normal(shape)).astype(np.float32)


def taken(tmp_path, opset, node, shape=(2, 3, 4, 5), weights=None, kind=TensorProto.FLOAT, out=TensorProto.FLOAT):
    """The file's canonical model, which `prepare` compares with the original. Its outputs declare no shape."""
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info(name, out, None) for name in node.output],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in (weights or {}).items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=4 if opset < 12 else 9)
    path = tmp_path / "m.onnx"
    path.write_bytes(model.SerializeToString())
    return prepare(SourceRequest(str(path)), BuildOptions(), lambda step: None)


@pytest.mark.parametrize("axis", [0, 1, 2, None])
@pytest.mark.parametrize("opset", [7, 12])
def test_hardmax_over_the_axes_from_one_on(opset, axis, tmp_path):
    given = {} if axis is None else {"axis": axis}
    taken(tmp_path, opset, helper.make_node("Hardmax", ["x"], ["y"], **given))


def test_batch_norm_of_every_element(tmp_path):
    weights = {name: weight(3, 4, 5) for name in "sbmv"}
    taken(tmp_path, 8, helper.make_node("BatchNormalization", ["x", *"sbmv"], ["y"], spatial=0), weights=weights)


def test_batch_norm_of_features_as_mxnet_wrote_it(tmp_path):
    weights = {name: weight(5) for name in "sbmv"}
    node = helper.make_node("BatchNormalization", ["x", *"sbmv"], ["y"], spatial=0)
    taken(tmp_path, 8, node, (2, 5), weights=weights)


def test_group_norm_with_a_scale_for_each_group(tmp_path):
    node = helper.make_node("GroupNormalization", ["x", "s", "b"], ["y"], num_groups=2, epsilon=1e-2)
    taken(tmp_path, 18, node, (2, 4, 3, 3), {"s": weight(2), "b": weight(2)})


LARGER, SMALLER = [(1, 1, 2, 3), (1, 1, 1.6, 2.7)], (1, 1, 0.6, 0.55)
SCALES = [*((opset, scales) for opset in (7, 9, 10) for scales in LARGER), (10, SMALLER)]
"""Before opset 10, Upsample only enlarges."""


@pytest.mark.parametrize("mode", ["nearest", "linear"])
@pytest.mark.parametrize(("opset", "scales"), SCALES)
def test_resizing_by_index_over_scale(opset, scales, mode, tmp_path):
    if opset == 7:
        node = helper.make_node("Upsample", ["x"], ["y"], mode=mode, scales=[float(s) for s in scales])
    else:
        node = helper.make_node("Upsample" if opset == 9 else "Resize", ["x", "s"], ["y"], mode=mode)
    taken(tmp_path, opset, node, weights={"s": np.array(scales, np.float32)} if opset > 7 else None)


def test_an_output_of_unknown_rank(tmp_path):
    node = helper.make_node("Compress", ["x", "c"], ["y"], axis=1)
    assert taken(tmp_path, 9, node, weights={"c": np.array([True, False, True])}).samples


def test_half_precision_at_an_opset_that_the_runtime_does_not_know(tmp_path):
    newest = onnx.defs.onnx_opset_version()
    taken(tmp_path, newest, helper.make_node("Relu", ["x"], ["y"]), kind=TensorProto.FLOAT16, out=TensorProto.FLOAT16)


def test_the_newest_opset_is_run_by_the_runtime(tmp_path):
    """onnx's reference implementation is wrong for this one."""
    newest = onnx.defs.onnx_opset_version()
    prepared = taken(tmp_path, newest, helper.make_node("LpNormalization", ["x"], ["y"], axis=1, p=1))
    assert prepared.imported.reference.name == "onnxruntime"


def test_a_reduction_over_no_axes_named(tmp_path):
    node = helper.make_node("ReduceLogSumExp", ["x", "axes"], ["y"], keepdims=0)
    prepared = taken(tmp_path, 18, node, weights={"axes": np.zeros(0, np.int64)})
    assert prepared.model.graph.outputs[0].shape.rank() == 0
