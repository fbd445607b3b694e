"""The examples of all rules: their results as text and as numbers, and where they must not fire."""

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx.reference.op_run import RuntimeImplementationError

from edgec.backends.coreml.expand.half import HALF_RULES
from edgec.backends.coreml.expand.roots import ROOT_RULES
from edgec.backends.coreml.legalize import CASTS, HALF
from edgec.passes.constants import ConstantsToInitializers, FoldConstants
from edgec.passes.remarks import counted
from edgec.passes.rewrite import RewritePass
from edgec.passes.verify import evaluate
from edgec.rules.base import Example, Rule
from edgec.rules.decompose.bits import BitShiftToArithmetic, BitwiseToArithmetic
from edgec.rules.decompose.copied_sizes import CopiedSizes
from edgec.rules.table import FUSE, RULES
from edgec.runners.onnxruntime import OnnxRuntimeRunner

TESTED = (
    *RULES.values(),
    BitwiseToArithmetic(),
    BitShiftToArithmetic(),
    CopiedSizes(),
    *HALF,
    *CASTS,
    *ROOT_RULES,
    *HALF_RULES,
)
CASES = [(rule, example) for rule in TESTED for example in rule.examples]
IDS = [f"{rule.name}-{'fires' if example.after else 'stays'}-{i}" for i, (rule, example) in enumerate(CASES)]


def parse(example: Example) -> ir.Model:
    constants = f"<{example.constants}>" if example.constants else ""
    graph = onnx.parser.parse_graph(f"g ({example.inputs}) => ({example.output} y) {constants} {{ {example.before} }}")
    graph.output[0].type.tensor_type.ClearField("shape")
    domains = {"": example.opset, "com.microsoft": 1, "ai.onnx.ml": 3}
    imports = [onnx.helper.make_opsetid(name, version) for name, version in domains.items()]
    proto = onnx.helper.make_model(graph, opset_imports=imports, ir_version=10)
    model = ir.serde.deserialize_model(onnx.shape_inference.infer_shapes(proto))
    ConstantsToInitializers().run(model)
    FoldConstants().run(model)
    return model


def ops_of(text: str) -> list[str]:
    """The operators of a node list, in order."""
    return [part.split("=", 1)[1].split("<")[0].split("(")[0].strip() for part in _statements(text)]


def _statements(text: str) -> list[str]:
    depth, start, found = 0, 0, []
    for i, letter in enumerate(text):
        depth += letter in "(<["
        depth -= letter in ")>]"
        if letter == ")" and depth == 0:
            found.append(text[start : i + 1])
            start = i + 1
    return found


def computed(model: ir.Model, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    """The results of onnx's reference implementation, or of ONNX Runtime for operators that it lacks."""
    try:
        return evaluate(model, feeds)
    except (RuntimeImplementationError, NotImplementedError):
        with OnnxRuntimeRunner(model, optimize=False) as runner:
            return list(runner.run(feeds).values())


OPEN = 3
"""The size used for open dimensions of examples."""


def random_inputs(model: ir.Model) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(7)
    feeds = {}
    for value in model.graph.inputs:
        shape = tuple(d if isinstance(d, int) else OPEN for d in value.shape)
        drawn = rng.standard_normal(shape) * 2 if value.dtype.is_floating_point() else rng.integers(-3, 4, shape)
        feeds[value.name] = drawn.astype(value.dtype.numpy())
    return feeds


@pytest.mark.parametrize(("rule", "example"), CASES, ids=IDS)
def test_example(rule: Rule, example: Example) -> None:
    model = parse(example)
    feeds = random_inputs(model)
    before = computed(model, feeds)
    remarks = RewritePass("test", [rule]).run(model)
    if example.after is None:
        assert counted(remarks).get(rule.name, 0) == 0
        return
    assert counted(remarks).get(rule.name, 0) >= 1
    assert [node.op_type for node in model.graph] == ops_of(example.after)
    assert model.graph.outputs[0].name == "y"
    for a, b in zip(before, computed(model, feeds), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_names_are_unique_and_documented() -> None:
    for name, rule in RULES.items():
        assert rule.name == name
        assert rule.summary().endswith((".", ")")), name
        assert rule.roots


def test_every_rule_shows_what_it_does():
    assert [rule.name for rule in RULES.values() if not rule.examples] == []


def test_every_fusion_shows_where_it_must_not_fire():
    assert [rule.name for rule in FUSE if all(example.after for example in rule.examples)] == []
