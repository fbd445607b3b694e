"""Whatever the names of inputs, outputs, states, weights, values and functions, a package has unique identifiers."""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgec.backends.base import Const, Instr, Program, Ref, TensorType
from edgec.backends.coreml.assemble import assemble_functions
from edgec.ledger.lint import lint
from edgec.runners.mil.package import open_package
from edgec.runners.mil.proto import model_pb2
from edgec.runners.mil.source_names import KEY
from edgec.spec.target import load_target

WORDS = """
    any bool program func tensor list dict tuple true false string bf16 fp16 fp32 fp64 int8 int16 int32 int64 uint8
    uint16 uint32 uint64 state
""".split()
"""Reserved words, copied independently from coremltools, passes/defs/preprocess.py."""
LEGAL = re.compile(r"[A-Za-z_][A-Za-z0-9_@]*\Z")
ROW, HALF, TRUTH, NUMBER = (
    TensorType(dtype, shape)
    for dtype, shape in (("float32", (1, 4)), ("float16", (1, 4)), ("bool", ()), ("float32", ()))
)

paths = st.lists(st.sampled_from(["0", "1", "a", "conv", "weight", "x", "é", "tensor"]), min_size=1, max_size=3)
joined = st.builds(lambda parts, mark: mark.join(parts), paths, st.sampled_from(["/", ".", ":", "_", "@", " ", "::"]))
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
long = st.builds(lambda part, count: part * count, st.sampled_from(["x", "0", "é", "a/"]), st.just(10_000))
names = st.one_of(joined, joined, texts, st.sampled_from(WORDS), long)
COUNT = 19


def const(name: str, *values: float) -> Const:
    array = np.array(values, np.float32).reshape((1, 4) if len(values) > 1 else ())
    return Const(name, ROW if len(values) > 1 else NUMBER, ir.tensor(array, name=name))


def program(called: list[str]) -> Program:
    """A program with weights, a state that is updated, a branch with values of its own, and literals."""
    x, y, s = Ref(called[0], ROW), Ref(called[1], ROW), Ref(called[2], HALF)
    kinds = [ROW, HALF, ROW, ROW, NUMBER, TRUTH, ROW, HALF, HALF, ROW, ROW]
    v = [Ref(name, kind) for name, kind in zip(called[3:], kinds, strict=False)]
    w, limit, factor = const(called[14], 1, 2, 3, 4), const(called[15], 0.5), const(called[16], 4, 3, 2, 1)
    sides = (Program("t", (), (op("mul", v[9], x=v[3], y=factor),), (("r", v[9]),)),
             Program("f", (), (op("sub", v[10], x=v[3], y=y),), (("r", v[10]),)))  # fmt: skip
    body = (
        op("add", v[0], x=x, y=w),
        op("read_state", v[1], input=s),
        Instr("cast", (("x", v[1]),), (("dtype", "fp32"),), (v[2],)),
        op("add", v[3], x=v[0], y=v[2]),
        Instr("reduce_max", (("x", v[3]),), (("axes", (0, 1)), ("keep_dims", False)), (v[4],)),
        op("greater", v[5], x=v[4], y=limit),
        Instr("cond", (("pred", v[5]),), (), (v[6],), sides),
        Instr("cast", (("x", v[6]),), (("dtype", "fp16"),), (v[7],)),
        Instr("coreml_update_state", (("state", s), ("value", v[7])), (), (v[8],)),
    )
    return Program("net", (x, y), body, ((called[17], v[6]), (called[18], v[0]), (called[3], v[0])), states=(s,))


def op(kind: str, result: Ref, **inputs: Any) -> Instr:
    return Instr(kind, tuple(inputs.items()), (), (result,))


def made_in(block: Any) -> Iterator[str]:
    yield from (v.name for v in block.inputs)
    for operation in block.operations:
        yield from (v.name for v in operation.outputs)
        for inner in operation.blocks:
            yield from made_in(inner)


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(names, min_size=COUNT, max_size=COUNT, unique=True), st.lists(names, min_size=2, max_size=2, unique=True)
)
def test_drawn_names(called: list[str], functions: list[str]) -> None:
    target = load_target("iphone-ios18")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.mlpackage"
        assemble_functions({name: program(called) for name in functions}, target, path)
        assert not lint(path)
        model = model_pb2().Model.FromString(open_package(path).model.read_bytes())
    described = {f.name: f for f in model.description.functions}
    assert set(described) == set(model.mlProgram.functions)
    assert all(name in described for name in functions if legal(name))
    assert KEY in model.description.metadata.userDefined or all(map(legal, functions))
    for name, function in model.mlProgram.functions.items():
        (block,) = function.block_specializations.values()
        defined = [*(v.name for v in function.inputs), *made_in(block)]
        assert all(map(legal, defined)), [n[:80] for n in defined if not legal(n)]
        assert max(Counter(defined).values()) == 1
        shown = [
            [f.name for f in kind] for kind in (described[name].input, described[name].state, described[name].output)
        ]
        assert all(map(legal, (n for kind in shown for n in kind)))
        assert shown[2] == list(block.outputs)
        wanted = (called[:2], called[2:3], [called[17], called[18], called[3]])
        for names_shown, source in zip(shown, wanted, strict=True):
            assert all(name in names_shown for name in source if legal(name))


def legal(name: str) -> bool:
    return LEGAL.match(name) is not None and name not in WORDS
