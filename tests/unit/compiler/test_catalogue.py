"""All rewrites in `edgec rules`, including those of backends: their summaries and examples."""

import numpy as np
import onnx_ir as ir
import pytest

from edgec.backends.coreml import legalize as coreml
from edgec.backends.table import backend
from edgec.backends.tensorrt.backend import pipeline as tensorrt_pipeline
from edgec.backends.tflite import legalize as tflite
from edgec.backends.tflite.interface import Interface
from edgec.calibration.calibration import UNCALIBRATED
from edgec.compiler.catalogue import Entry, catalogue, check_rules
from edgec.diag import EdgecError
from edgec.passes.base import OptionalPass, Pipeline
from edgec.passes.constants import FoldConstants
from edgec.passes.remarks import counted
from edgec.passes.rewrite import RewritePass
from edgec.passes.verify import evaluate
from edgec.rules.base import Example, Rule
from edgec.runners.onnxruntime import OnnxRuntimeRunner
from edgec.spec.target import Target, list_targets, load_target
from tests.unit.rules.test_rules import ops_of, parse, random_inputs

ENTRIES = catalogue()
OF_BACKENDS = [entry for entry in ENTRIES.values() if entry.backends and isinstance(entry.rewrite, Rule)]
CASES = [(entry, example) for entry in OF_BACKENDS for example in entry.rewrite.examples]


def test_every_entry_says_what_it_does() -> None:
    assert [name for name, entry in ENTRIES.items() if not entry.summary()] == []


def test_every_rule_shows_an_example() -> None:
    rules = (entry.rewrite for entry in ENTRIES.values() if isinstance(entry.rewrite, Rule))
    assert [rule.name for rule in rules if not rule.examples] == []


@pytest.mark.parametrize(("entry", "example"), CASES, ids=[f"{e.name}-{i}" for i, (e, _) in enumerate(CASES)])
def test_example(entry: Entry, example: Example) -> None:
    rule, chosen = entry.rewrite, backend(entry.backends[0])
    assert isinstance(rule, Rule)
    model = parse(example)
    feeds = random_inputs(model)
    before = _computed(model, feeds)
    remarks = RewritePass("test", [rule]).run(model)
    if example.after is None:
        assert rule.name not in counted(remarks)
        return
    assert rule.name in counted(remarks)
    made = [node.op_type for node in model.graph]
    FoldConstants().run(model)
    wanted = [op.rpartition(".")[2] for op in ops_of(example.after)]
    assert wanted in (made, [node.op_type for node in model.graph])
    for a, b in zip(before, _computed(chosen.in_onnx(model), feeds), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def _computed(model: ir.Model, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    """By ONNX Runtime, or by onnx's reference, which is wrong more often, if that lacks a kernel."""
    try:
        with OnnxRuntimeRunner(model, optimize=False) as runner:
            return list(runner.run(feeds).values())
    except EdgecError:
        return evaluate(model, feeds)


def _pipelines() -> list[tuple[str, Pipeline]]:
    found = []
    for name in list_targets():
        target = load_target(name)
        for each in _forms(name, target):
            found.append((name, _pipeline(each)))
    return found


def _forms(name: str, target: Target) -> list[Target]:
    if target.backend != "coreml":
        return [target]
    return [load_target(name, [f"options.neural_engine={form}"]) for form in ("on", "off")]


def _pipeline(target: Target) -> Pipeline:
    if target.backend == "coreml":
        return coreml.pipeline(target, UNCALIBRATED)
    if target.backend == "tflite":
        return tflite.pipeline(target, Interface({}, {}))
    return tensorrt_pipeline(target)


def _names(pipeline: Pipeline) -> set[str]:
    """The rules, and the passes that can be disabled."""
    found = set()
    for step in pipeline.passes:
        for each in (step, *getattr(step, "further", ())):
            found |= {rule.name for rule in each.rules} if isinstance(each, RewritePass) else set()
            found |= {each.name} if isinstance(each, OptionalPass) else set()
    return found


def test_what_pipelines_try_is_in_the_catalogue() -> None:
    for name, pipeline in _pipelines():
        assert _names(pipeline) <= ENTRIES.keys(), name


@pytest.mark.parametrize("name", list_targets())
def test_what_is_disabled_is_in_no_pass(name: str) -> None:
    """In no pass of the legalization, including the last one."""
    for target in _forms(name, load_target(name)):
        for rule in sorted(_names(_pipeline(target))):
            off = load_target(target.name, [f'rewrites.disable=["{rule}"]'])
            assert rule not in _names(_pipeline(off)), rule


def test_a_rule_for_illegal_operators_shows_its_own_documentation() -> None:
    shown = [entry.summary() for entry in ENTRIES.values()]
    assert len(set(shown)) == len(shown)
    assert ENTRIES["open-resize-to-matmul"].summary().startswith("Resize")


def test_a_rule_of_another_backend_is_told() -> None:
    with pytest.raises(EdgecError) as caught:
        check_rules(["recurrent-to-blocks"], ["coreml"])
    assert "applies to tflite targets" in caught.value.diagnostics[0].message
    check_rules(
        ["recurrent-to-blocks", "swish-to-sigmoid-mul"] if "swish-to-sigmoid-mul" in ENTRIES else [], ["tflite"]
    )
