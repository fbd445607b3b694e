"""Attention on tokens and the choice of channels-first operators, without Apple's software."""

import numpy as np
import pytest

from edgec.backends.coreml.channels.layout import turn_tokens
from edgec.backends.coreml.expand.tokens import AttentionOnHeads, AttentionOnTokens
from edgec.passes.remarks import counted
from edgec.passes.rewrite import RewritePass
from edgec.rules.base import Example, Rule
from edgec.rules.table import CLEANUP
from tests.unit.rules.test_rules import computed, ops_of, parse, random_inputs

CASES = [(rule, example) for rule in (AttentionOnTokens(), AttentionOnHeads()) for example in rule.examples]


@pytest.mark.parametrize(("rule", "example"), CASES)
def test_examples(rule: Rule, example: Example) -> None:
    model = parse(example)
    feeds = random_inputs(model)
    before = computed(model, feeds)
    remarks = RewritePass("test", [rule]).run(model)
    assert bool(counted(remarks).get(rule.name, 0)) == (example.after is not None)
    if example.after is not None:
        assert [n.op_type for n in model.graph] == ops_of(example.after)
        np.testing.assert_allclose(computed(model, feeds)[0], before[0], rtol=2e-6, atol=1e-6)


HEADS = "int64[4] s = {2, 3, 2, 4}, int64[5] f = {2, 3, 3, 2, 4}, int64 i = {0}, int64 j = {1}, int64 k = {2}"
CUT = {
    "permuted": "r = Reshape(a, f)  t = Transpose<perm = [2, 0, 3, 1, 4]>(r)  "
    "q = Gather(t, i)  b = Gather(t, j)  v = Gather(t, k)",
    "split": "x, w, z = Split<axis = 2, num_outputs = 3>(a)  c = Reshape(x, s)  d = Reshape(w, s)  e = Reshape(z, s)  "
    "q = Transpose<perm = [0, 2, 1, 3]>(c)  b = Transpose<perm = [0, 2, 1, 3]>(d)  "
    "v = Transpose<perm = [0, 2, 1, 3]>(e)",
}


@pytest.mark.parametrize("how", CUT)
def test_heads_are_found_however_they_were_cut(how: str) -> None:
    """Each operand becomes columns of the projection, with no other operators before the attention."""
    model = parse(Example("float[2,3,24] a", f"{CUT[how]}  y = Attention(q, b, v)", None, constants=HEADS))
    feeds = random_inputs(model)
    before = computed(model, feeds)
    RewritePass("test", [AttentionOnTokens(), *CLEANUP]).run(model)
    assert [n.op_type for n in model.graph] == ["Slice", "Slice", "Slice", "Attention", "Reshape", "Transpose"]
    np.testing.assert_allclose(computed(model, feeds)[0], before[0], rtol=2e-6, atol=1e-6)


def test_columns_in_another_order_are_moved() -> None:
    """Heads of every second column are not adjacent columns."""
    model = parse(
        Example(
            "float[2,3,8] a, float[2,2,3,4] k",
            "r = Reshape(a, s)  q = Transpose<perm = [0, 3, 1, 2]>(r)  y = Attention(q, k, k)",
            None,
            constants="int64[4] s = {2, 3, 4, 2}",
        )
    )
    feeds = random_inputs(model)
    before = computed(model, feeds)
    RewritePass("test", [AttentionOnTokens()]).run(model)
    assert [n.op_type for n in model.graph][:2] == ["Reshape", "Transpose"]
    np.testing.assert_allclose(computed(model, feeds)[0], before[0], rtol=2e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("inputs", "nodes", "constants"),
    [
        ("float[1,6,4] x", "y = Relu(x)", ""),
        ("float[n,6,4] x", "y = MatMul(x, w)", "float[4,2] w = {1,2,3,4,5,6,7,8}"),
        ("float[1,6,4] x, float[4,2] w", "y = MatMul(x, w)", ""),
    ],
)
def test_what_seeks_nothing_or_is_open_stays(inputs: str, nodes: str, constants: str) -> None:
    model = parse(Example(inputs, nodes, None, constants=constants))
    assert turn_tokens(model).operators == 0


def test_operators_between_projections_follow_and_others_stay() -> None:
    model = parse(
        Example(
            "float[1,6,4] x, float[1,4,6] z",
            "h = MatMul(x, w)  a = Add(h, c)  r = Tanh(a)  m = MatMul(r, w)  t = Transpose<perm = [0, 2, 1]>(m)  "
            "e = Exp(z)  y = Sub(t, e)",
            None,
            constants="float[4,4] w = {1,2,3,4,5,6,7,8,9,1,2,3,4,5,6,7}, float[4] c = {1,2,3,4}",
        )
    )
    turning = turn_tokens(model)
    ops = [node.op_type for node in model.graph]
    assert turning.operators == 4
    assert sorted(ops) == sorted(["Reshape", "Transpose", "Conv", "Tanh", "Conv", "Reshape", "Exp", "Sub"])
    (bias,) = (node.inputs[2] for node in model.graph if node.op_type == "Conv" and len(node.inputs) == 3)
    assert bias is not None
    assert bias.const_value is not None
    assert bias.const_value.numpy().tolist() == [1, 2, 3, 4]
