"""All rules on scalars, empty and one-element tensors and all ranks: they fire correctly or not at all.

Two searches: each root operator alone, on operands of each shape; and each rule's own examples with changed sizes and
ranks. Graphs that onnx's inference or reference implementation does not accept are skipped.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgec.backends.coreml import legalize as coreml
from edgec.backends.coreml.expand.half import HALF_RULES
from edgec.backends.coreml.expand.roots import ROOT_RULES
from edgec.backends.tensorrt import backend as tensorrt
from edgec.backends.tflite import legalize as tflite
from edgec.diag import EdgecError
from edgec.ir.model import OPSET, static_shape
from edgec.passes.constants import ConstantsToInitializers, FoldConstants
from edgec.passes.remarks import counted
from edgec.passes.rewrite import RewritePass
from edgec.rules.base import Example, Rule
from edgec.rules.table import RULES
from edgec.runners.onnxruntime import OnnxRuntimeRunner
from tests.unit.rules.test_rules import computed

EVERY: tuple[Rule, ...] = tuple(
    {
        type(rule): rule
        for rule in (
            *RULES.values(),
            *tflite.INSTEAD,
            *tflite.RULES,
            *tflite.ALWAYS,
            *tflite.TUNE,
            *tflite.PLACE,
            *coreml.HALF,
            *coreml.RULES,
            *coreml.ALWAYS,
            *ROOT_RULES,
            *HALF_RULES,
            *tensorrt.RULES,
        )
    }.values()
)
ROOTS = sorted({root for rule in EVERY for root in rule.roots if "::" not in root})
SHAPES: tuple[tuple[int, ...], ...] = (
    (), (0,), (1,), (3,), (1, 1), (2, 3), (0, 3), (1, 2, 3), (2, 0, 3), (1, 2, 3, 4), (1, 1, 1, 1), (1, 2, 0, 4),
    (1, 2, 3, 4, 2), (1, 2, 1, 2, 1, 2),
)  # fmt: skip
_REQUIRED = {
    "BitShift": 'direction = "LEFT"',
    "Cast": "to = 1",
    "Concat": "axis = 0",
    "Einsum": 'equation = "..."',
    "GroupNormalization": "num_groups = 1",
    "LRN": "size = 3",
    **dict.fromkeys(("DepthToSpace", "SpaceToDepth"), "blocksize = 1"),
    **dict.fromkeys(("AveragePool", "MaxPool", "LpPool", "MaxUnpool"), "kernel_shape = [1]"),
}
_KINDS = (("tensor(float)", "float"), ("tensor(int64)", "int64"), ("tensor(bool)", "bool"), ("tensor(uint8)", "uint8"))
_NUMBERS = {"float": "0.5", "int64": "0", "bool": "1", "uint8": "1"}


def _types(schema: onnx.defs.OpSchema, slot: int) -> list[str]:
    """The tested element types of an operand."""
    operand = schema.inputs[min(slot, len(schema.inputs) - 1)]
    return [short for name, short in _KINDS if name in operand.types]


@st.composite
def nodes(draw: st.DrawFn, root: str) -> str:
    """A graph of one node, in onnx's text."""
    schema = onnx.defs.get_schema(root, OPSET, "")
    count = draw(st.integers(schema.min_input, min(schema.max_input, max(schema.min_input, 4))))
    first = draw(st.sampled_from(SHAPES))
    kinds: dict[str, str] = {}
    inputs, constants = [], []
    for slot in range(count):
        letter = schema.inputs[min(slot, len(schema.inputs) - 1)].type_str
        kind = kinds.setdefault(letter, draw(st.sampled_from(_types(schema, slot) or ["float"])))
        shape = first if slot == 0 else draw(st.sampled_from([first, first[-1:], first[:1], (), (1,), *SHAPES]))
        dims = ",".join(map(str, shape))
        if slot and draw(st.booleans()) and int(np.prod(shape)) <= 64:
            number = draw(st.sampled_from(["0", "1", "-1"])) if kind == "int64" else _NUMBERS[kind]
            values = ", ".join([number] * int(np.prod(shape)))
            constants.append(f"{kind}[{dims}] v{slot} = {{{values}}}" if shape else f"{kind} v{slot} = {{{number}}}")
        else:
            inputs.append(f"{kind}[{dims}] v{slot}" if shape else f"{kind} v{slot}")
    attributes = f"<{_REQUIRED[root]}>" if root in _REQUIRED else ""
    outs = ", ".join(["y", *(f"y{i}" for i in range(1, schema.min_output))])
    given_constants = f"<{', '.join(constants)}>" if constants else ""
    operands = ", ".join(f"v{i}" for i in range(count))
    return f"g ({', '.join(inputs)}) => (float y) {given_constants} {{ {outs} = {root}{attributes}({operands}) }}"


def _model(text: str) -> ir.Model | None:
    """The graph, if onnx's own inference accepts it."""
    try:
        graph = onnx.parser.parse_graph(text)
        graph.output[0].type.Clear()
        imports = [onnx.helper.make_opsetid("", OPSET), onnx.helper.make_opsetid("com.microsoft", 1)]
        proto = onnx.helper.make_model(graph, opset_imports=imports, ir_version=10)
        proto = onnx.shape_inference.infer_shapes(proto, strict_mode=True)
    except (onnx.shape_inference.InferenceError, onnx.parser.ParseError, IndexError, RuntimeError):
        return None
    model = ir.serde.deserialize_model(proto)
    if any(v.shape is None or v.dtype is None for v in model.graph.outputs):
        return None
    slopes = [[static_shape(v) or () for v in n.inputs if v] for n in model.graph if n.op_type == "PRelu"]
    if any(len(slope) > len(x) for x, slope in slopes):
        return None  # no slope makes x wider, whatever a runtime makes of it
    ConstantsToInitializers().run(model)
    FoldConstants().run(model)
    return model


def _feeds(model: ir.Model) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(7)
    found = {}
    for value in model.graph.inputs:
        shape = tuple(int(d) for d in value.shape)
        drawn = rng.standard_normal(shape) if value.dtype.is_floating_point() else rng.integers(0, 2, shape)
        found[value.name] = np.asarray(drawn).astype(value.dtype.numpy())
    return found


def _run(model: ir.Model, feeds: dict[str, np.ndarray]) -> list[np.ndarray] | None:
    """ONNX Runtime's results; None if it refuses the graph as invalid."""
    if any(0 in (static_shape(v) or ()) for n in model.graph if n.op_type == "Attention" for v in n.inputs if v):
        return None  # it divides by the number of heads, which ends the process
    try:
        with OnnxRuntimeRunner(model, optimize=False) as runner:
            return list(runner.run(feeds).values())
    except EdgecError:
        return None


def _expected(model: ir.Model, feeds: dict[str, np.ndarray]) -> list[np.ndarray] | None:
    """The results of ONNX Runtime and onnx's reference; None if they disagree on whether the graph is valid."""
    found = _run(model, feeds)
    if found is None:
        return None
    try:
        with np.errstate(all="ignore"):
            other = computed(model, feeds)
    except Exception:  # the reference raises whatever numpy does
        return None
    same = all(
        np.shape(a) == np.shape(b) and np.allclose(a, b, 1e-4, 1e-5, True) for a, b in zip(found, other, strict=True)
    )
    return found if same else None


def _try(model: ir.Model, rules: Sequence[Rule]) -> None:
    """Apply each rule to the graph; asserts that the results are unchanged if it fires."""
    feeds, before = _feeds(model), None
    for rule in rules:
        changed = model.clone()
        try:
            remarks = RewritePass("test", [rule]).run(changed)
        except Exception:
            if _expected(model, feeds) is not None:
                raise
            return
        if not counted(remarks).get(rule.name, 0):
            continue
        before = before or _expected(model, feeds)
        if before is None:
            return
        after = _run(changed, feeds)
        if after is None and any(0 in (static_shape(v) or ()) for n in changed.graph for v in n.inputs if v):
            continue  # onnx's reference loses the shape of an empty reduction
        if after is None:
            with np.errstate(all="ignore"):
                after = computed(changed, feeds)
        for a, b in zip(before, after, strict=True):
            assert np.shape(a) == np.shape(b), rule.name
            np.testing.assert_allclose(b, a, rtol=1e-4, atol=1e-5, err_msg=rule.name)


_DECLARED = re.compile(r"(\w+)(?:\[([\d,]*)\])? (\w+)(?: = \{([^}]*)\})?")


@st.composite
def changed(draw: st.DrawFn, example: Example) -> str:
    """The example's graph, with each size replaced consistently, and some operands of another rank."""
    sizes = {size: draw(st.sampled_from((0, 1, 1, 2, 3, 5))) for size in range(9)}
    keep = draw(st.booleans())

    def renewed(text: str, *, inputs: bool) -> str:
        return ", ".join(one(*m.groups(), inputs=inputs) for m in _DECLARED.finditer(text))

    def one(kind: str, dims: str | None, name: str, values: str | None, *, inputs: bool) -> str:
        shape = [int(d) for d in (dims or "").split(",") if d]
        shape = shape if keep and values is not None and "int64" in kind else [sizes[d] if d < 9 else d for d in shape]
        match draw(st.sampled_from(("same", "same", "same", "scalar", "longer", "shorter", "one"))):
            case "scalar":
                shape = []
            case "longer":
                shape = [1, *shape]
            case "shorter":
                shape = shape[1:]
            case "one":
                shape = [1] * len(shape)
        given = f"{kind}[{','.join(map(str, shape))}] {name}" if shape else f"{kind} {name}"
        if values is None:
            return given
        numbers = [v.strip() for v in values.split(",") if v.strip()] or ["1"]
        if "int" in kind and not keep:
            numbers = [str(sizes.get(int(v), v)) for v in numbers]
        count = int(np.prod(shape))
        return f"{given} = {{{', '.join((numbers * (count + 1))[:count])}}}"

    constants = renewed(example.constants, inputs=False)
    between = f"<{constants}>" if constants else ""
    return f"g ({renewed(example.inputs, inputs=True)}) => ({example.output} y) {between} {{ {example.before} }}"


@pytest.mark.parametrize("root", [root for root in ROOTS if onnx.defs.has(root, OPSET)])
def test_one_node(root: str) -> None:
    rules = [rule for rule in EVERY if root in rule.roots]

    @settings(max_examples=10, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(nodes(root))
    def walk(text: str) -> None:
        model = _model(text)
        if model is not None:
            _try(model, rules)

    walk()


@pytest.mark.parametrize("rule", [rule for rule in EVERY if rule.examples], ids=lambda rule: rule.name)
def test_examples_of_other_sizes(rule: Rule) -> None:
    @settings(max_examples=12, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(rule.examples).flatmap(changed))
    def walk(text: str) -> None:
        model = _model(text)
        if model is not None:
            _try(model, [rule])

    walk()


def test_a_number_beside_columns() -> None:
    """A scalar constant has no last dimension, so its size must not be read."""
    text = (
        "g (float[3,1] x) => (float y) <float[1,1] w = {2}, int64[1] s = {-1}, float c = {0.5}> "
        "{ m = MatMul(x, w) r = Reshape(m, s) y = Mul(r, c) }"
    )
    model = _model(text.replace("{-1}", "{1}").replace("int64[1] s = {1}", "int64[2] s = {3, 1}"))
    assert model is not None
    _try(model, [RULES["columns-before-reshape"]])
