"""Names in Core ML packages: which are kept, which change, and how they map back."""

import random

import numpy as np
import onnx_ir as ir
import pytest

from edgec.backends.base import Const, Instr, Program, Ref, TensorType
from edgec.backends.coreml.names import function_names, named
from edgec.backends.coreml.options import Classifier, CoreMLOptions, Image, Metadata
from edgec.ledger.coreml.identifiers import RESERVED, Scope, identifier_like, is_identifier

KIND = TensorType("float32", (1, 4))
FUNNY = (
    *"0 1x größe a.b a_b a/b a:b ../../etc/x .. ٣ ａ _ @ a@b".split(),
    *("", "输入 图像", "x" * 10_000, "é" * 10_000, "a\nb", "a\0b"),
    *sorted(RESERVED),
)


def ref(name: str) -> Ref:
    return Ref(name, KIND)


def const(name: str) -> Const:
    return Const(name, KIND, ir.tensor(np.zeros((1, 4), np.float32), name=name))


def add(x, y, name: str, *blocks: Program) -> Instr:
    return Instr("add", (("x", x), ("y", y)), (), (ref(name),), blocks)


def names_in(program: Program) -> list[str]:
    """All definitions: inputs, results, each constant once, and outputs that are not a value's own name."""
    made = [r.name for r in (*program.inputs, *program.states)]
    consts = dict.fromkeys(v.name for i in program.every_instr() for v in i.operands() if isinstance(v, Const))
    for instr in program.every_instr():
        made += [r.name for r in instr.outputs] + [r.name for b in instr.blocks for r in b.inputs]
    return [*made, *consts, *(n for n, v in program.outputs if v.name != n)]


@pytest.mark.parametrize("name", FUNNY)
def test_whatever_a_name_is_it_becomes_an_identifier(name):
    assert is_identifier(identifier_like(name))
    assert identifier_like(name) == name or not is_identifier(name)


def test_a_scope_gives_each_identifier_once():
    scope = Scope()
    found = [scope.new(name) for name in FUNNY for _ in range(3)]
    assert len(set(found)) == len(found)
    assert all(map(is_identifier, found))
    assert Scope().new("a_b") == "a_b"
    assert not scope.keep("a_b")


def test_legal_names_of_the_interface_stay_before_all_others():
    body = (add(ref("a.b"), ref("a_b"), "y"), add(ref("y"), const("y/w"), "out:0"))
    program = Program("net", (ref("a.b"), ref("a_b")), body, (("out_0", ref("y")), ("out:0", ref("out:0"))))
    found = named(program, CoreMLOptions())
    assert [r.name for r in found.program.inputs] == ["a_b_1", "a_b"]
    assert [n for n, _ in found.program.outputs] == ["out_0", "out_0_1"]
    assert found.interface == {"a_b_1": "a.b", "out_0_1": "out:0"}
    assert found.values["y_w"] == "y/w"
    assert found.program.outputs[1][1].name == "out_0_1"  # the result itself has the output's name
    assert named(program, CoreMLOptions()).program.text() == found.program.text()


def test_an_output_called_as_an_input_is_gets_a_name_of_its_own():
    program = Program("net", (ref("x"),), (add(ref("x"), const("w"), "z"),), (("x", ref("x")), ("z", ref("z"))))
    found = named(program, CoreMLOptions())
    assert [n for n, _ in found.program.outputs] == ["x_1", "z"]
    assert found.interface == {"x_1": "x"}


def test_a_value_that_is_called_as_another_output_is_gets_another_name():
    body = (add(ref("x"), const("w"), "y"), add(ref("y"), const("w"), "y_1"))
    found = named(Program("net", (ref("x"),), body, (("y", ref("y_1")),)), CoreMLOptions()).program
    assert (found.outputs[0][0], found.outputs[0][1].name, found.instrs[0].outputs[0].name) == ("y", "y_1", "y_2")


def test_options_go_by_the_new_names():
    options = CoreMLOptions(
        images=(Image("image:0"),),
        classifier=Classifier("scores/0", ("a", "b"), "class label"),
        metadata=Metadata(features=(("image:0", "a photograph"), ("class label", "the best"))),
    )
    program = Program("net", (ref("image:0"),), (add(ref("image:0"), const("w"), "s"),), (("scores/0", ref("s")),))
    found = named(program, options)
    assert (found.options.images[0].name, found.options.classifier.output) == ("image_0", "scores_0")
    assert found.options.classifier.label_output == "class_label"
    assert [n for n, _ in found.options.metadata.features] == ["image_0", "class_label"]
    assert found.interface["class_label_probs"] == "class label_probs"


def test_drawn_programs_have_legal_and_unique_names():
    rng = random.Random(3)
    pool = [*FUNNY, *("".join(rng.choice("aB_0/.:é @-") for _ in range(rng.randrange(1, 5))) for _ in range(60))]
    for _ in range(60):
        names = rng.sample(sorted(set(pool)), 14)
        x, y, s = (ref(n) for n in names[:3])
        inner = Program("step", (ref(names[3]),), (add(ref(names[3]), s, names[4]),), (("r", ref(names[4])),))
        body = (add(x, const(names[5]), names[6]), add(ref(names[6]), y, names[7], inner))
        shown = ((names[7], ref(names[7])), (names[0], ref(names[6])), (names[8], const(names[9])))
        program = Program("net", (x, y), body, shown, states=(s,))
        found = named(program, CoreMLOptions())
        defined = names_in(found.program)
        assert len(set(defined)) == len(defined)
        assert all(map(is_identifier, defined))
        back = {found.interface.get(r.name, r.name) for r in (*found.program.inputs, *found.program.states)}
        assert back == {x.name, y.name, s.name}
        assert [found.interface.get(n, n) for n, _ in found.program.outputs] == [n for n, _ in shown]


def test_functions_have_identifiers_too():
    assert function_names(["decode", "2nd-step", "list", "_2nd_step"]) == {
        "decode": "decode",
        "2nd-step": "_2nd_step_1",
        "list": "list_",
        "_2nd_step": "_2nd_step",
    }
