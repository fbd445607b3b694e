"""Buffers of a TFLite file: shared, aligned, in the tables or behind them, and read back by LiteRT."""

from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest
from ai_edge_litert import schema_py_generated as schema

from edgec.backends.base import Const, Instr, Program, Ref, TensorType
from edgec.backends.tflite import blobs
from edgec.backends.tflite.assemble import assemble
from edgec.runners.litert import LiteRTRunner
from edgec.spec.target import load_target

RNG = np.random.default_rng(0)
WEIGHT = RNG.standard_normal((5, 3)).astype(np.float32)


def _const(name: str, array: np.ndarray) -> Const:
    return Const(name, TensorType(array.dtype.name, array.shape), ir.tensor(array, name=name))


def _program(weights: list[np.ndarray]) -> Program:
    """y_i = x @ w_i.T for each weight (N, 3)."""
    x = Ref("x", TensorType("float32", (2, 3)))
    instrs, outputs = [], []
    for i, weight in enumerate(weights):
        y = Ref(f"y{i}", TensorType("float32", (2, weight.shape[0])))
        bias = _const(f"b{i}", np.zeros(weight.shape[0], np.float32))
        inputs = (("input", x), ("weights", _const(f"w{i}", weight)), ("bias", bias))
        attrs = (("fusedActivationFunction", 0), ("keepNumDims", True))
        instrs.append(Instr("FULLY_CONNECTED", inputs, attrs, (y,)))
        outputs.append((y.name, y))
    return Program("main", (x,), tuple(instrs), tuple(outputs))


def _buffers(path: Path) -> list[schema.BufferT]:
    return schema.ModelT.InitFromObj(schema.Model.GetRootAs(path.read_bytes(), 0)).buffers


@pytest.mark.parametrize("outside", [False, True])
def test_written_and_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outside: bool) -> None:
    if outside:
        monkeypatch.setattr(blobs, "LARGEST_TABLES", 16)
    path = tmp_path / "m.tflite"
    turned = np.asarray(RNG.standard_normal((3, 7)).astype(np.float32)).T  # a view, not contiguous
    assemble(_program([WEIGHT, turned]), load_target("raspberry-pi"), path)
    x = RNG.standard_normal((2, 3)).astype(np.float32)
    with LiteRTRunner(path) as runner:
        got = runner.run({"x": x})
    np.testing.assert_allclose(got["y0"], x @ WEIGHT.T, rtol=1e-5)
    np.testing.assert_allclose(got["y1"], x @ turned.T, rtol=1e-5)
    content = path.read_bytes()
    for buffer in _buffers(path)[1:]:
        if outside:
            assert buffer.data is None
            assert buffer.offset % blobs.ALIGNMENT == 0
        else:
            assert content.index(bytes(buffer.data)) % blobs.ALIGNMENT == 0 or not any(buffer.data)


def test_equal_constants_share_a_buffer_and_nothing_else_does(tmp_path: Path) -> None:
    negative = np.asarray([[0.0, -0.0, 1.0]], np.float32)
    positive = np.asarray([[0.0, 0.0, 1.0]], np.float32)
    path = tmp_path / "m.tflite"
    assemble(_program([WEIGHT, WEIGHT.copy(), negative, positive]), load_target("raspberry-pi"), path)
    sizes = sorted(len(b.data) for b in _buffers(path)[1:])
    runtime = 16  # the metadata entry with the oldest runtime
    assert sizes == sorted([WEIGHT.nbytes, 12, 12, 5 * 4, 1 * 4, runtime])


def test_half_weights_are_half_the_size(tmp_path: Path) -> None:
    weight = RNG.standard_normal((512, 3)).astype(np.float32)
    paths = [tmp_path / "single.tflite", tmp_path / "half.tflite"]
    for path, name in zip(paths, ("android", "android-fp16"), strict=True):
        assemble(_program([weight]), load_target(name), path)
    x = RNG.standard_normal((2, 3)).astype(np.float32)
    with LiteRTRunner(paths[1]) as runner:
        np.testing.assert_allclose(runner.run({"x": x})["y0"], x @ weight.astype(np.float16).T, rtol=1e-3, atol=1e-3)
    sizes = [max(len(b.data) for b in _buffers(path)[1:]) for path in paths]
    assert sizes == [weight.nbytes, weight.nbytes // 2]


@pytest.mark.parametrize(("largest", "bytes_each"), [(60_000.0, 2), (70_000.0, 4), (-3.4e38, 4), (-np.inf, 2)])
def test_numbers_beyond_float16_stay_in_float32(tmp_path: Path, largest: float, bytes_each: int) -> None:
    """The limit of a mask would become an infinity, and a fully masked row NaN."""
    weight = RNG.standard_normal((16, 3)).astype(np.float32)
    weight[3, 1] = largest
    path = tmp_path / "m.tflite"
    assemble(_program([weight]), load_target("android-fp16"), path)
    assert weight.size * bytes_each in [0 if b.data is None else len(b.data) for b in _buffers(path)]
    x = np.zeros((2, 3), np.float32)
    x[:, 0] = 1.0
    with LiteRTRunner(path) as runner:
        (y,) = runner.run({"x": x}).values()
    np.testing.assert_allclose(y[:, 4:], x @ weight[4:].T, rtol=1e-3, atol=1e-3)
