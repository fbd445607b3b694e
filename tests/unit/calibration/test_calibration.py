"""A model's values are observed once for each graph, whichever targets need them."""

from collections.abc import Callable

import numpy as np
import onnx_ir as ir
import pytest

from edgec.calibration.calibration import Calibration, Samples
from edgec.ir.fingerprint import fingerprint
from edgec.ir.model import Model

BIG = ir.tensor(np.arange(20_000, dtype=np.float32), name="w")


def model(op: str = "Add", weight: ir.TensorProtocol = BIG, name: str = "y", **attributes: int) -> Model:
    x = ir.Value(name="x", shape=ir.Shape([20_000]), type=ir.TensorType(ir.DataType.FLOAT))
    w = ir.Value(name="w", shape=weight.shape, type=ir.TensorType(weight.dtype), const_value=weight)
    node = ir.node(op, [x, w], attributes)
    node.outputs[0].name = name
    graph = ir.Graph([x], list(node.outputs), nodes=[node], initializers=[w], name="g", opset_imports={"": 23})
    return ir.Model(graph, ir_version=10)


def small(*numbers: float) -> ir.TensorProtocol:
    return ir.tensor(np.asarray(numbers, dtype=np.float32), name="w")


def test_the_same_graph_is_run_once_and_another_by_itself() -> None:
    asked: list[str] = []

    def look(graph: Model, samples: Samples) -> dict[str, int]:
        asked.append(graph.graph.node(0).op_type)
        return {"samples": len(samples)}

    def other(graph: Model, samples: Samples) -> str:
        return "other"

    calibration = Calibration(({"x": np.zeros(20_000, np.float32)},))
    first = model()
    assert calibration.observe(first, look) == calibration.observe(first.clone(), look) == {"samples": 1}
    assert calibration.observe(first, other) == "other"
    calibration.observe(model("Mul"), look)
    assert asked == ["Add", "Mul"]
    assert Calibration().observe(first, look) == {"samples": 0}


@pytest.mark.parametrize(
    ("change", "same"),
    [
        (lambda: model(), True),
        (lambda: model(weight=ir.tensor(np.arange(20_000, dtype=np.float32) + 1, name="w")), False),
        (lambda: model(name="z"), False),
        (lambda: model("Sub"), False),
        (lambda: model("Mod", fmod=1), False),
    ],
)
def test_graphs_that_differ_are_told_apart(change: Callable[[], Model], same: bool) -> None:
    assert (fingerprint(model())[0] == fingerprint(change())[0]) is same


def test_small_constants_are_told_apart_by_what_they_hold() -> None:
    one, again, other = (fingerprint(model(weight=small(*numbers)))[0] for numbers in ((1, 2), (1, 2), (1, 3)))
    assert one == again != other
    assert fingerprint(model(weight=small(0.0)))[0] != fingerprint(model(weight=small(-0.0)))[0]
