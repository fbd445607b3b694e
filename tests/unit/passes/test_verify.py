"""Checks between passes: they follow every pass of every backend, blame the right one, and are never skipped."""

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from edgec.backends.table import backend
from edgec.diag import EdgecError
from edgec.ir.model import OPSET, Model
from edgec.passes.base import Pass, Pipeline
from edgec.passes.canonicalize import canonicalize
from edgec.passes.remarks import Remark
from edgec.passes.verify import check_after_each, evaluate
from edgec.spec.target import list_targets, load_target

TEXT = f"""
<ir_version: 10, opset_import: ["" : {OPSET}]>
g (float[1,3,8,8] x) => (float[1,4,4,4] y)
<float[4,3,3,3] w = {{{", ".join(str(i % 7 - 3) for i in range(108))}}}>
{{
  c = Conv<pads = [1, 1, 1, 1]>(x, w)
  s = Sigmoid(c)
  y = MaxPool<kernel_shape = [2, 2], strides = [2, 2]>(s)
}}
"""
INPUTS = {"x": np.random.default_rng(0).standard_normal((1, 3, 8, 8)).astype(np.float32)}


def canonical() -> Model:
    proto = onnx.shape_inference.infer_shapes(onnx.parser.parse_model(TEXT))
    return canonicalize(ir.serde.deserialize_model(proto)).model


class Wrong(Pass):
    """Replaces sigmoids by tanh."""

    name = "wrong"

    def run(self, model: Model) -> list[Remark]:
        for node in model.graph:
            node.op_type = "Tanh" if node.op_type == "Sigmoid" else node.op_type
        return []


class OtherShape(Pass):
    """Reduces the output over its channels; the result still broadcasts against the original."""

    name = "other-shape"

    def run(self, model: Model) -> list[Remark]:
        y = model.graph.outputs[0]
        node = ir.node("ReduceMean", [y], {"keepdims": 1}, num_outputs=1)
        reduced = node.outputs[0]
        reduced.name, reduced.type, reduced.shape = "reduced", y.type, ir.Shape([1, 1, 1, 1])
        model.graph.append(node)
        model.graph.outputs[0] = reduced
        return []


@pytest.mark.parametrize("name", list_targets())
def test_every_pass_of_every_backend_is_checked(name: str) -> None:
    target, model = load_target(name), canonical()
    chosen = backend(target.backend)
    check, seen = check_after_each(model, INPUTS, in_onnx=chosen.in_onnx), []

    def after(step: str, changed: Model) -> None:
        check(step, changed)
        seen.append(step)

    made = chosen.legalize(model, target, after=after)
    assert seen == [remark.name.partition("/")[2] for remark in made.remarks if type(remark).__name__ == "Timed"]
    Wrong().run(made.model)
    with pytest.raises(EdgecError, match="pass `the last` changed output 0"):
        check("the last", made.model)


@pytest.mark.parametrize("step", [Wrong(), OtherShape()], ids=lambda step: step.name)
def test_the_pass_that_changed_the_numbers_is_named(step: Pass) -> None:
    model = canonical()
    with pytest.raises(EdgecError, match=f"pass `{step.name}` changed output 0"):
        Pipeline("test", [step]).run(model, check_after_each(model.clone(), INPUTS))


def test_a_graph_that_no_engine_runs_is_not_taken_for_checked() -> None:
    model, runs = canonical(), iter([True, False])

    def engine(graph: Model, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        if next(runs):
            return evaluate(graph, inputs)
        raise ValueError("no kernel")

    check = check_after_each(model, INPUTS, [engine])
    with pytest.raises(EdgecError, match="behind pass `some` cannot be checked"):
        check("some", model)
