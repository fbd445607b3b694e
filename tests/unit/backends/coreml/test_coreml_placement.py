"""Placement is predicted from the program alone, each prediction by a rule with its source."""

import numpy as np
import onnx_ir as ir
import pytest

from edgec.backends.base import Const, Instr, Program, Ref, TensorType
from edgec.backends.coreml.placement import RULES, placement
from edgec.spec.target import load_target


def ref(name: str, dtype: str, *shape: int) -> Ref:
    return Ref(name, TensorType(dtype, shape))


def instr(op: str, dtype: str, *shape: int, given: str = "float16") -> Instr:
    return Instr(op, (("x", ref("x", given, *shape)),), (), (ref(f"{op}_out", dtype, *shape),))


PROGRAM = Program(
    "p",
    (),
    (
        instr("cast", "float16", 1, 8, given="float32"),
        instr("conv", "float16", 1, 8, 4, 4),
        instr("gather", "float16", 1, 8),
        instr("conv", "float16", 1, 8, 4, 4, 4),
        instr("lstm", "float16", 5, 1, 8),
        instr("reduce_argmax", "int32", 1, 8),
        instr("softmax", "float16", 1, 8),
    ),
    (),
)


def test_each_instruction_has_a_unit_and_a_reason() -> None:
    found = placement(PROGRAM, load_target("iphone"))
    assert [(p.op, p.rule) for p in found.placed] == [
        ("cast", "ane-no-float32"),
        ("conv", ""),
        ("gather", "ane-no-gather"),
        ("conv", "ane-no-3d-convolution"),
        ("lstm", "ane-no-recurrence"),
        ("reduce_argmax", "ane-float16-alone"),
        ("softmax", ""),
    ]
    assert found.counts == {"ane": 2, "gpu or cpu": 5}
    assert found.switches == 3
    assert {name for name, _ in found.evidence} == {p.rule for p in found.placed} - {""}


@pytest.mark.parametrize(("units", "counts"), [("cpu_only", {"cpu": 7}), ("cpu_and_ne", {"ane": 2, "cpu": 5})])
def test_compute_units_decide(units: str, counts: dict[str, int]) -> None:
    assert placement(PROGRAM, load_target("iphone", [f"options.compute_units={units}"])).counts == counts


def test_a_constant_in_float32_counts() -> None:
    weight = Const("w", TensorType("float32", (1, 8)), ir.tensor(np.ones((1, 8), np.float32)))
    add = Instr("add", (("x", ref("x", "float16", 1, 8)), ("y", weight)), (), (ref("y", "float16", 1, 8),))
    assert placement(Program("p", (), (add,), ()), load_target("iphone")).placed[0].rule == "ane-no-float32"


def test_every_rule_names_its_source() -> None:
    assert all(len(rule.evidence) > 20 and rule.name.startswith("ane-") for rule in RULES)
