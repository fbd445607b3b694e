"""What instructions do, counted by hand."""

import numpy as np
import pytest

from edgec.backends.base import Const, Instr, Program, Ref, TensorType
from edgec.backends.coreml.work import work_of as mil_work
from edgec.backends.onnx_work import work_of as onnx_work
from edgec.backends.tflite.work import work_of as tflite_work
from edgec.backends.work import Kind
from edgec.latency.features import FUSED, FUSED_MATH, Features, features


def _ref(name: str, *shape: int, dtype: str = "float32") -> Ref:
    return Ref(name, TensorType(dtype, shape))


def _const(name: str, *shape: int, dtype: str = "float32") -> Const:
    return Const(name, TensorType(dtype, shape), None)  # type: ignore[arg-type]


def _conv(x: Ref, y: Ref, *filters: int, op: str = "CONV_2D") -> Instr:
    return Instr(op, (("input", x), ("filter", _const("w", *filters)), ("bias", _const("b", filters[0]))), (), (y,))


X, Y, Z, V = _ref("x", 1, 8, 8, 16), _ref("y", 1, 8, 8, 32), _ref("z", 1, 8, 8, 32), _ref("v", 1, 8, 8, 32)


def test_a_convolution() -> None:
    found = tflite_work(_conv(X, Y, 32, 3, 3, 16))
    assert (found.kind, found.macs) == (Kind.CONV, 8 * 8 * 32 * 9 * 16)
    assert (found.read, found.written, found.weights) == (1024, 2048, 32 * 9 * 16 + 32)
    assert found.window is not None
    assert (found.window.out, found.window.depth, found.window.kernel, found.window.groups) == (32, 16, 9, 1)


@pytest.mark.parametrize(("filters", "kind"), [((32, 3, 3, 4), Kind.GROUPED), ((32, 1, 1, 16), Kind.CONV)])
def test_groups_are_told_by_the_filter(filters: tuple[int, ...], kind: Kind) -> None:
    assert tflite_work(_conv(X, Y, *filters)).kind is kind


def test_the_same_convolution_counts_alike_everywhere() -> None:
    x, y = _ref("x", 1, 16, 8, 8), _ref("y", 1, 32, 8, 8)
    mil = Instr("conv", (("x", x), ("weight", _const("w", 32, 16, 3, 3)), ("bias", _const("b", 32))), (), (y,))
    onnx = Instr("Conv", (("0", x), ("1", _const("w", 32, 16, 3, 3)), ("2", _const("b", 32))), (), (y,))
    tflite = tflite_work(_conv(X, Y, 32, 3, 3, 16))
    assert mil_work(mil) == onnx_work(onnx) == tflite
    deep = Instr("conv", (("x", _ref("x", 1, 16, 4, 8, 8)), ("weight", _const("w", 16, 1, 3, 3, 3))), (), (y,))
    assert mil_work(deep).kind is Kind.CONV3D


def test_a_product_takes_what_follows_with_it() -> None:
    relu = Instr("RELU", (("x", Y),), (), (Z,))
    program = Program("p", (X,), (_conv(X, Y, 32, 3, 3, 16), relu), (("out", Z),))
    assert features(program, tflite_work).kinds == (Kind.CONV, FUSED)
    swish = (
        _conv(X, Y, 32, 3, 3, 16),
        Instr("LOGISTIC", (("x", Y),), (), (Z,)),
        Instr("MUL", (("a", Y), ("b", Z)), (), (V,)),
    )
    assert features(Program("p", (X,), swish, (("out", V),)), tflite_work).kinds == (Kind.CONV, FUSED_MATH, FUSED)
    apart = (*swish[:2], Instr("RELU", (("x", Y),), (), (V,)))
    kinds = features(Program("p", (X,), apart, (("o", V), ("q", Z))), tflite_work).kinds
    assert kinds == (Kind.CONV, Kind.MATH, Kind.UNARY)


def test_what_constants_give_is_weights() -> None:
    wide = _ref("wide", 32, 3, 3, 16)
    widen = Instr("DEQUANTIZE", (("x", _const("w", 32, 3, 3, 16, dtype="int8")),), (), (wide,))
    conv = Instr("CONV_2D", (("input", X), ("filter", wide), ("bias", _const("b", 32))), (), (Y,))
    found = features(Program("p", (X,), (widen, conv), (("out", Y),)), tflite_work)
    assert found.moved.tolist() == [0, 1024 + 2048]
    assert found.weights.tolist() == [0, 32 * 9 * 16 + 32]


def test_memory_alive_at_once_and_the_interface() -> None:
    relu = Instr("RELU", (("x", Y),), (), (Z,))
    program = Program("p", (X,), (_conv(X, Y, 32, 3, 3, 16), relu), (("out", Z),))
    found = features(program, tflite_work)
    assert found.interface == 1024 + 2048
    assert found.live == 2048 + 2048
    assert not found.is_quantized


def test_the_text_is_read_back() -> None:
    program = Program("p", (X,), (_conv(X, Y, 32, 3, 3, 16),), (("out", Y),))
    found = features(program, tflite_work).crossing(3)
    again = Features.from_json(found.to_json())
    assert again.kinds == found.kinds
    assert (again.interface, again.live, again.crossings) == (found.interface, found.live, 3)
    np.testing.assert_array_equal(again.macs, found.macs)
