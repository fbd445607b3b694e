"""Legality is defined once: the dialect, the rules and the refusals of a backend agree."""

import inspect
import pkgutil
from importlib import import_module

import onnx_ir as ir
import pytest

from edgec.backends.coreml.legality import table as coreml
from edgec.backends.coreml.lower.table import LOWERINGS as MIL_LOWERINGS
from edgec.backends.legality import Family, dialect_of, refuse_illegal
from edgec.backends.tflite.legality import table as tflite
from edgec.backends.tflite.legality.windows import FAMILIES as UNPLACED
from edgec.backends.tflite.lower.table import LOWERINGS as TFLITE_LOWERINGS
from edgec.diag import EdgecError
from edgec.dialect.reject import Reject
from edgec.ops.elementwise import Unary
from edgec.passes.rewrite import RewritePass
from edgec.rules.decompose.attention import AttentionToMatMul
from edgec.rules.where_illegal import WhereIllegal
from edgec.spec.target import load_target

BACKENDS = {
    "tflite": (tflite.FAMILIES, TFLITE_LOWERINGS),
    "coreml": ((*coreml.SINCE_IOS15, *coreml.SINCE_IOS18), MIL_LOWERINGS),
}


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_legal_operator_is_lowered(backend: str) -> None:
    families, lowerings = BACKENDS[backend]
    without = {family.view for family in families} - lowerings.keys()
    assert without == {family.view for family in (UNPLACED if backend == "tflite" else ())}


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_family_is_in_the_table(backend: str) -> None:
    families, _ = BACKENDS[backend]
    package = import_module(f"edgec.backends.{backend}.legality")
    modules = [import_module(f"{package.__name__}.{m.name}") for m in pkgutil.iter_modules(package.__path__)]
    written = [f for m in modules if not m.__name__.endswith(".table") for f in getattr(m, "FAMILIES", ())]
    assert set(map(id, written)) <= set(map(id, families))


@pytest.mark.parametrize("backend", BACKENDS)
def test_lowerings_refuse_nothing(backend: str) -> None:
    package = import_module(f"edgec.backends.{backend}.lower")
    modules = [import_module(f"{package.__name__}.{m.name}") for m in pkgutil.iter_modules(package.__path__)]
    assert not [m.__name__ for m in modules if "Reject" in inspect.getsource(m) or ".expand" in inspect.getsource(m)]


def test_an_operator_of_two_families_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="two families hold Abs"):
        dialect_of("twice", [Family(Unary, "Abs Relu"), Family(Unary, "Abs")], load_target("android"))


def test_refusals_come_together_with_label_and_help() -> None:
    def never(op: Unary, target: object) -> Reject:
        return Reject("unary-never", "it has no kernel", "leave it out")

    target = load_target("android")
    dialect = dialect_of("none", [Family(Unary, "Abs Relu", never)], target)
    x = ir.Value(name="x", shape=ir.Shape([2]), type=ir.TensorType(ir.DataType.FLOAT))
    first = ir.node("Abs", [x])
    graph = ir.Graph([x], [], nodes=[first, ir.node("Relu", [first.outputs[0]])], name="g", opset_imports={"": 23})
    with pytest.raises(EdgecError) as refused:
        refuse_illegal(ir.Model(graph, ir_version=10), dialect, target)
    (one, two) = refused.value.diagnostics
    assert one.message == "no lowering for `Abs` on target `android`"
    assert two.notes == ("it has no kernel", "rejected by `unary-never` (2 of 2 ops)")
    assert two.help == ("leave it out",)


def test_a_rule_takes_apart_what_the_target_lacks_alone() -> None:
    """The same fused attention: iOS 18 supports it, iOS 17 does not."""
    kept = {}
    for name in ("iphone", "iphone-ios18"):
        model = attention()
        rule = WhereIllegal(AttentionToMatMul(), coreml.dialect(load_target(name)).illegal)
        RewritePass("test", [rule]).run(model)
        kept[name] = "Attention" in {node.op_type for node in model.graph}
    assert kept == {"iphone": False, "iphone-ios18": True}


def attention() -> ir.Model:
    values = [
        ir.Value(name=name, shape=ir.Shape([1, 2, 3, 4]), type=ir.TensorType(ir.DataType.FLOAT)) for name in "qkv"
    ]
    node = ir.node("Attention", values)
    node.outputs[0].name = "y"
    graph = ir.Graph(values, list(node.outputs), nodes=[node], name="g", opset_imports={"": 23})
    return ir.Model(graph, ir_version=10)
