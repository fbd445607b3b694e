"""Which values of two artifacts correspond to one value of their source."""

import numpy as np

from edgec.backends.table import backend
from edgec.measure.divergence import pairs
from edgec.rules.base import Example
from edgec.spec.target import load_target
from tests.unit.rules.test_rules import parse

A, B, C = (np.full((1, 2, 3), i, np.float32) for i in (1, 2, 3))


def named(first: dict, second: dict) -> list[tuple[str, str]]:
    return [(p.name, p.other) for p in pairs(first.items(), second.items())]


def test_the_same_name_comes_first() -> None:
    assert named({"a.b": A, "a_b": B}, {"a_b": B, "a.b": A}) == [("a.b", "a.b"), ("a_b", "a_b")]


def test_steps_of_a_loop_are_paired_one_by_one() -> None:
    steps = [("y", A), ("y", B), ("y", C)]
    found = pairs(steps, steps)
    assert len(found) == 3
    assert not any(p.difference.max_abs for p in found)
    assert not pairs(steps, steps[:1])  # which step it is cannot be told


def test_parts_of_a_rewrite_are_no_counterparts_of_the_whole() -> None:
    """Neither the first nor the last need be the source's value: a later rewrite may have removed the last step."""
    parts = {"norm/norm-to-reduce.0": B, "norm/norm-to-reduce.1": A}
    assert named(parts, {"norm": A}) == []
    assert named(parts, parts) == [(name, name) for name in parts]


def test_masks_of_different_depth_are_the_same() -> None:
    deep, shallow = (np.asarray([[1.0, low, 2.0]], np.float32) for low in (-np.inf, -65504))
    (found,) = pairs([("scores", deep)], [("scores", shallow)])
    assert found.difference.max_abs == 0
    (found,) = pairs([("scores", deep)], [("scores", shallow * [1, 1, 2])])
    assert found.difference.max_rel == 1
    (found,) = pairs([("scores", -deep)], [("scores", -shallow)])  # an overflow is a difference
    assert found.difference.max_abs == np.inf


def test_casts_layouts_and_reads_of_states_keep_the_value() -> None:
    assert named({"x/float16": A}, {"x": A}) == [("x/float16", "x")]
    moved = np.moveaxis(np.arange(24).reshape(1, 2, 3, 4), 1, -1)
    assert named({"x/nhwc": moved}, {"x": np.arange(24).reshape(1, 2, 3, 4)}) == [("x/nhwc", "x")]
    assert named({"past": A}, {"past/now": A, "past/next": B}) == [("past", "past/now")]


def test_other_sizes_have_no_counterpart() -> None:
    assert named({"x": A}, {"x": A[:, :1]}) == []


def test_an_operator_of_several_instructions_tells_which_one_holds_its_value() -> None:
    """MIL's select needs sides of one shape: the constant is expanded first, under the name of the result."""
    text = "n = Neg(c)  m = Less(n, z)  w = Where(m, o, z)  y = Add(w, n)"
    model = parse(Example("float[2,3] c", text, None, constants="float[1] z = {0}, float[1] o = {1}"))
    target, chosen = load_target("iphone"), backend("coreml")
    program = chosen.lower(chosen.legalize(model, target).model, target)
    made = [ref.name for instr in program.instrs for ref in instr.outputs]
    for held, source in program.sources:
        assert held in made
        if not source.endswith("/before"):
            assert dict(program.sources)[source] == f"{source}/before"
            assert made.index(source) < made.index(held)
    assert ("w", "w/before") in program.sources
