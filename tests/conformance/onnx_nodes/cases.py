"""ONNX's backend tests as plain data: models, inputs and expected outputs."""

from __future__ import annotations

import functools
import warnings
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.test.loader import load_model_tests

SUITES = ("node", "simple", "pytorch-operator", "pytorch-converted")
"""Generated single-operator tests, and the models whose data ships inside the onnx wheel."""


@dataclass(frozen=True)
class Case:
    """One test. Values are arrays; a sequence is a list of arrays, and an absent optional is None.

    `op` is the operator under test; function-expanded variants belong to the operator that they expand.
    """

    name: str
    suite: str
    op: str
    model: onnx.ModelProto
    inputs: dict[str, Any]
    expected: dict[str, Any]
    rtol: float
    atol: float


@functools.cache
def load_cases() -> dict[str, Case]:
    """All cases by name. ONNX's generators draw unseeded random inputs, so numpy is seeded for them."""
    np.random.seed(0)
    cases: dict[str, Case] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for suite in SUITES:
            for test in sorted(load_model_tests(kind=suite), key=lambda t: t.name):
                case = _from_memory(test, suite) if test.model is not None else _from_disk(test, suite)
                cases[case.name] = case
    return cases


def one_in(share: int) -> list[str]:
    """A pseudo-random `1/share` of all names, the same on every machine."""
    return [name for name in load_cases() if zlib.crc32(name.encode()) % share == 0]


def _from_memory(test: Any, suite: str) -> Case:
    inputs, outputs = test.data_sets[0]
    return _case(test, suite, test.model, [_value(v) for v in inputs], [_value(v) for v in outputs])


def _from_disk(test: Any, suite: str) -> Case:
    folder = Path(test.model_dir)
    model = onnx.load(folder / "model.onnx")
    data = folder / "test_data_set_0"
    given = [v for v in model.graph.input if v.name not in {i.name for i in model.graph.initializer}]
    inputs = [_read(data / f"input_{i}.pb", v.type) for i, v in enumerate(given)]
    outputs = [_read(data / f"output_{i}.pb", v.type) for i, v in enumerate(model.graph.output)]
    return _case(test, suite, model, inputs, outputs)


def _case(test: Any, suite: str, model: onnx.ModelProto, inputs: Sequence[Any], outputs: Sequence[Any]) -> Case:
    initialized = {i.name for i in model.graph.initializer}
    names = [v.name for v in model.graph.input if v.name not in initialized]
    return Case(
        test.name,
        suite,
        _operator(test.name, model),
        model,
        dict(zip(names, inputs, strict=True)),
        dict(zip((v.name for v in model.graph.output), outputs, strict=True)),
        test.rtol,
        test.atol,
    )


def _operator(name: str, model: onnx.ModelProto) -> str:
    """The operator under test. Nodes of an expanded function are named after it: `Celu_test_celu_…`."""
    node = model.graph.node[0]
    if "_expanded" in name:
        inner = next((v for n in model.graph.node for v in n.output if "_expanded_function_" in v), "")
        return inner.split("_test_")[0] or node.op_type
    if len(model.graph.node) > 1:
        return max((n.op_type for n in model.graph.node), key=lambda kind: (kind != "Constant", len(kind)))
    return node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}::{node.op_type}"


def _value(value: Any) -> Any:
    if isinstance(value, onnx.TensorProto):
        return numpy_helper.to_array(value)
    if isinstance(value, list):
        return [_value(item) for item in value]
    return None if value is None else np.asarray(value)


def _read(path: Path, type_proto: onnx.TypeProto) -> Any:
    content = path.read_bytes()
    if type_proto.HasField("sequence_type"):
        return numpy_helper.to_list(onnx.SequenceProto.FromString(content))
    if type_proto.HasField("optional_type"):
        return numpy_helper.to_optional(onnx.OptionalProto.FromString(content))
    return numpy_helper.to_array(onnx.TensorProto.FromString(content))
