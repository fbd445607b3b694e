"""The element types that kernels of the newest runtime accept, found by running a file of one operator for each.

Writes `edgec/ledger/tflite/element_types.txt`: `python -m tests.conformance.runtimes --element-types`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx_ir as ir

from edgec.backends.base import Attr, Const, Instr, Operand, Program, Ref, TensorType
from edgec.backends.tflite.assemble import assemble
from edgec.spec.target import load_target
from tests.conformance.runtimes.registered import WORKER

FILE = Path(__file__).parents[3] / "edgec/ledger/tflite/element_types.txt"
TYPES = ("bool", "float32", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32")
_SHAPE = (2, 3, 2, 2)
_NO_ACTIVATION: dict[str, Attr] = {"fusedActivationFunction": 0}
Arguments = list[tuple[str, Operand | tuple[Operand, ...]]]
Form = tuple[Arguments, TensorType, dict[str, Attr]]


def _ref(name: str, dtype: str, shape: tuple[int, ...] = _SHAPE) -> Ref:
    return Ref(name, TensorType(dtype, shape))


def _numbers(name: str, values: object) -> Const:
    array = np.asarray(values, np.int32)
    return Const(name, TensorType("int32", array.shape), ir.tensor(array, name=name))


def _binary(result: str = "", **attrs: Attr) -> Callable[[str], Form]:
    return lambda d: ([("a", _ref("a", d)), ("b", _ref("b", d))], TensorType(result or d, _SHAPE), attrs)


def _unary(**attrs: Attr) -> Callable[[str], Form]:
    return lambda d: ([("x", _ref("x", d))], TensorType(d, _SHAPE), attrs)


def _along(shape: tuple[int, ...], result: str = "", **attrs: Attr) -> Callable[[str], Form]:
    axis = _numbers("axis", 3 if "outputType" in attrs or "exclusive" in attrs else [3])
    return lambda d: ([("input", _ref("x", d)), ("axis", axis)], TensorType(result or d, shape), attrs)


def _with(shape: tuple[int, ...], *fixed: tuple[str, object], **attrs: Attr) -> Callable[[str], Form]:
    rest = [(name, _numbers(name, values)) for name, values in fixed]
    return lambda d: ([("input", _ref("x", d)), *rest], TensorType(d, shape), attrs)


def _selection(d: str) -> Form:
    return [("c", _ref("c", "bool")), ("a", _ref("a", d)), ("b", _ref("b", d))], TensorType(d, _SHAPE), {}


def _scatter(d: str) -> Form:
    updates, shape = _ref("u", d, (2, 3, 2, 2)), _numbers("s", _SHAPE)
    return [("indices", _numbers("i", [[0], [1]])), ("updates", updates), ("shape", shape)], TensorType(d, _SHAPE), {}


def _update(d: str) -> Form:
    given: Arguments = [("operand", _ref("x", d)), ("update", _ref("u", d, (1, 1, 1, 1)))]
    return [*given, ("start", _numbers("i", [0] * 4))], TensorType(d, _SHAPE), {}


def _joined(d: str) -> Form:
    return [("values", (_ref("a", d), _ref("b", d)))], TensorType(d, (4, 3, 2, 2)), {"axis": 0, **_NO_ACTIVATION}


def _split(d: str) -> Form:
    return [("axis", _numbers("i", 0)), ("input", _ref("x", d))], TensorType(d, _SHAPE), {"numSplits": 1}


def _places(d: str) -> Form:
    return [("input", _ref("x", d))], TensorType("int64", ("n", 4)), {}


def _filled(d: str) -> Form:
    return [("dims", _numbers("i", _SHAPE)), ("value", _ref("x", d, ()))], TensorType(d, _SHAPE), {}


_ZEROS, _ONES = [0] * 4, [1] * 4
_STRIDED: dict[str, Attr] = dict.fromkeys(
    ("beginMask", "endMask", "ellipsisMask", "newAxisMask", "shrinkAxisMask"), 0
) | {"offset": False}
_REDUCED = (2, 3, 2)
FORMS: dict[str, Callable[[str], Form]] = {
    **{op: _binary(**_NO_ACTIVATION) for op in ("ADD", "SUB", "MUL", "DIV")},
    **{op: _binary() for op in "MAXIMUM MINIMUM POW FLOOR_MOD FLOOR_DIV SQUARED_DIFFERENCE ATAN2 BITWISE_XOR".split()},
    **{op: _binary() for op in ("RIGHT_SHIFT", "LOGICAL_AND", "LOGICAL_OR")},
    **{op: _binary("bool") for op in "EQUAL NOT_EQUAL GREATER GREATER_EQUAL LESS LESS_EQUAL".split()},
    **{op: _unary() for op in "ABS NEG SIGN SQRT EXP RELU LOGICAL_NOT CEIL FLOOR ROUND SIN COS LOG RSQRT".split()},
    "GELU": _unary(approximate=False),
    "SOFTMAX": _unary(beta=1.0),
    **{op: _along(_REDUCED, keepDims=False) for op in ("SUM", "MEAN", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD")},
    "ARG_MAX": _along(_REDUCED, "int64", outputType=4),
    "CUMSUM": _along(_SHAPE, exclusive=False, reverse=False),
    "SLICE": _with((1,) * 4, ("begin", _ZEROS), ("size", _ONES)),
    "STRIDED_SLICE": _with((1,) * 4, ("begin", _ZEROS), ("end", [2] * 4), ("strides", [2] * 4), **_STRIDED),
    "TRANSPOSE": _with(_SHAPE[::-1], ("perm", [3, 2, 1, 0])),
    "TILE": _with((4, 6, 4, 4), ("multiples", [2] * 4)),
    "PAD": _with((4, 5, 4, 4), ("paddings", [[1, 1]] * 4)),
    "BROADCAST_TO": _with((2, *_SHAPE), ("shape", [2, *_SHAPE])),
    "GATHER": _with(_SHAPE, ("indices", [0, 1]), axis=0, batchDims=0),
    "GATHER_ND": _with((2,), ("indices", [[0] * 4] * 2)),
    "REVERSE_V2": _with(_SHAPE, ("axis", [0])),
    "SELECT_V2": _selection,
    "SCATTER_ND": _scatter,
    "DYNAMIC_UPDATE_SLICE": _update,
    "CONCATENATION": _joined,
    "FILL": _filled,
    "SPLIT": _split,
    "WHERE": _places,
    "BATCH_MATMUL": _binary(adjX=False, adjY=False),
}  # fmt: skip


def measure() -> str:
    """The table, one builtin a line."""
    with tempfile.TemporaryDirectory() as folder:
        cases = [(op, dtype) for op in sorted(FORMS) for dtype in TYPES]
        paths = [Path(folder) / f"{op}-{dtype}.tflite" for op, dtype in cases]
        jobs = [
            [str(path), str(_write(*case, path)), f"{path}.out.npz"] for case, path in zip(cases, paths, strict=True)
        ]
        asked, answers = Path(folder) / "jobs.json", Path(folder) / "answers.json"
        asked.write_text(json.dumps(jobs))
        subprocess.run([sys.executable, str(WORKER), str(asked), str(answers)], check=True, capture_output=True)
        said = dict(zip(cases, json.loads(answers.read_text()), strict=True))
    return (
        "\n".join([*HEAD, *(" ".join([op, *(d for d in TYPES if said[op, d] == "ok")]) for op in sorted(FORMS))]) + "\n"
    )


def _write(op: str, dtype: str, path: Path) -> Path:
    """Write a file of one operator, and its inputs."""
    arguments, kind, attrs = FORMS[op](dtype)
    result = Ref("y", kind)
    given = list(_given(arguments))
    instr = Instr(op, tuple(arguments), tuple(attrs.items()), (result,))
    assemble(Program("m", tuple(given), (instr,), (("y", result),)), load_target("raspberry-pi"), path)
    inputs = path.with_suffix(".npz")
    np.savez(inputs, *(np.ones(ref.type.shape, ref.type.dtype) for ref in given))
    return inputs


def _given(arguments: Arguments) -> Iterator[Ref]:
    for _, argument in arguments:
        for value in argument if isinstance(argument, tuple) else (argument,):
            if isinstance(value, Ref):
                yield value


HEAD = (
    "# Element types of data that a builtin's kernel takes without a scale, of bool, float32, int8 to int64 and uint8",
    "# to uint32. Measured: a file of one operator of each type on ai-edge-litert 2.3.0",
    "# (`python -m tests.conformance.runtimes --element-types`).",
)
