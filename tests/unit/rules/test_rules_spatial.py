"""Image operators without kernels on most targets, compared with onnx's reference; Fourier transforms with numpy."""

from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from edgec.ir.model import OPSET
from edgec.passes.remarks import counted
from edgec.passes.rewrite import RewritePass
from edgec.passes.verify import evaluate
from edgec.rules.decompose.reductions import LpPoolToAveragePool
from edgec.rules.decompose.signal import DftToMatMul, StftToConv, dft_matrix
from edgec.rules.decompose.spatial import (
    Col2ImToConvTranspose,
    DeformConvToMatMul,
    MaxUnpoolToScatter,
    RoiAlignToMatMul,
)
from edgec.runners.onnxruntime import OnnxRuntimeRunner

RULES = (
    Col2ImToConvTranspose(),
    DeformConvToMatMul(),
    DftToMatMul(),
    LpPoolToAveragePool(),
    MaxUnpoolToScatter(),
    RoiAlignToMatMul(),
    StftToConv(),
)
RNG = np.random.default_rng(4)


def draw(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def model_of(
    op: str, inputs: dict[str, np.ndarray | None], constants: tuple[str, ...] = (), **attributes: Any
) -> ir.Model:
    names = [name if value is not None else "" for name, value in inputs.items()]
    node = onnx.helper.make_node(op, names, ["y"], **attributes)
    graph = onnx.helper.make_graph(
        [node],
        "g",
        [
            onnx.helper.make_tensor_value_info(n, onnx.helper.np_dtype_to_tensor_dtype(v.dtype), v.shape)
            for n, v in inputs.items()
            if v is not None and n not in constants
        ],
        [onnx.helper.make_empty_tensor_value_info("y")],
        [onnx.numpy_helper.from_array(inputs[n], n) for n in constants],
    )
    proto = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", OPSET)], ir_version=10)
    return ir.serde.deserialize_model(onnx.shape_inference.infer_shapes(proto, data_prop=True))


def rewritten(model: ir.Model, op: str) -> ir.Model:
    RewritePass("test", RULES).run(model)
    assert all(node.op_type != op for node in model.graph)
    return model


def check(op: str, inputs: dict[str, np.ndarray | None], constants: tuple[str, ...] = (), **attributes: Any) -> None:
    model = model_of(op, inputs, constants, **attributes)
    feeds = {n: v for n, v in inputs.items() if v is not None and n not in constants}
    (expected,) = evaluate(model, feeds)
    with OnnxRuntimeRunner(rewritten(model, op), optimize=False) as runner:
        (found,) = runner.run(feeds).values()
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("masked", [True, False])
def test_deform_conv(groups: int, masked: bool) -> None:
    inputs: dict[str, np.ndarray | None] = {
        "x": draw(2, 4, 5, 6),
        "w": draw(6, 4 // groups, 2, 3),
        "offset": draw(2, 2 * 2 * 6, 3, 3),
        "b": draw(6),
        "mask": draw(2, 2 * 6, 3, 3) if masked else None,
    }
    check("DeformConv", inputs, group=groups, offset_group=2, pads=[1, 0, 0, 1], strides=[2, 2], kernel_shape=[2, 3])


@pytest.mark.parametrize("mode", ["half_pixel", "output_half_pixel"])
def test_roi_align(mode: str) -> None:
    rois = np.asarray([[0, 0, 7, 7], [2.5, 1.5, 9, 12], [-4, -3, 2, 2], [3, 3, 3.2, 3.1]], np.float32)
    inputs = {"x": draw(2, 3, 8, 10), "rois": rois, "which": np.asarray([0, 1, 1, 0])}
    how = {"coordinate_transformation_mode": mode, "output_height": 3, "output_width": 2}
    check("RoiAlign", inputs, sampling_ratio=2, spatial_scale=0.75, **how)


def test_roi_align_with_samples_that_depend_on_the_region_stays() -> None:
    inputs = {"x": draw(1, 1, 4, 4), "rois": draw(1, 4), "which": np.asarray([0])}
    model = model_of("RoiAlign", inputs, sampling_ratio=0, output_height=2, output_width=2)
    remarks = RewritePass("test", RULES).run(model)
    assert not counted(remarks)


@pytest.mark.parametrize(("strides", "pads", "dilations"), [([1, 1], [0] * 4, [1, 1]), ([2, 1], [1, 0, 1, 2], [1, 2])])
def test_col2im(strides: list[int], pads: list[int], dilations: list[int]) -> None:
    image, block = np.asarray([6, 7]), np.asarray([2, 3])
    extent = [d * (k - 1) + 1 for d, k in zip(dilations, block, strict=True)]
    blocks = [(image[i] + pads[i] + pads[2 + i] - extent[i]) // strides[i] + 1 for i in range(2)]
    inputs = {"x": draw(2, 3 * 6, int(np.prod(blocks))), "image": image, "block": block}
    check("Col2Im", inputs, ("image", "block"), strides=strides, pads=pads, dilations=dilations)


def test_max_unpool() -> None:
    places = np.asarray([[[[0, 3], [9, 14]], [[17, 18], [24, 31]]]])
    check("MaxUnpool", {"x": draw(1, 2, 2, 2), "i": places}, ("i",), kernel_shape=[2, 2], strides=[2, 2])


@pytest.mark.parametrize("ceil", [0, 1])
def test_lp_pool(ceil: int) -> None:
    check(
        "LpPool", {"x": draw(1, 2, 7, 8)}, kernel_shape=[3, 2], strides=[2, 3], pads=[1, 0, 1, 1], p=3, ceil_mode=ceil
    )


def test_global_lp_pool() -> None:
    x = draw(2, 3, 4, 5)
    (found,) = evaluate(rewritten(model_of("GlobalLpPool", {"x": x}, p=3), "GlobalLpPool"), {"x": x})
    np.testing.assert_allclose(found, (np.abs(x) ** 3).sum(axis=(2, 3), keepdims=True) ** (1 / 3), rtol=1e-5)


def spectrum(x: np.ndarray) -> np.ndarray:
    return np.stack([x.real, x.imag], axis=-1).astype(np.float32)


@pytest.mark.parametrize("length", [None, 4, 9])
@pytest.mark.parametrize("axis", [1, -2])
@pytest.mark.parametrize("half", [0, 1])
def test_dft_of_real_signals(length: int | None, axis: int, half: int) -> None:
    x = draw(2, 6, 7, 1)
    given = None if length is None else np.asarray(length)
    inputs = {"x": x, "length": given, "axis": np.asarray(axis)}
    constants = ("axis",) if given is None else ("length", "axis")
    (found,) = evaluate(rewritten(model_of("DFT", inputs, constants, onesided=half), "DFT"), {"x": x})
    transform = np.fft.rfft if half else np.fft.fft
    np.testing.assert_allclose(found, spectrum(transform(x[..., 0], length, axis=axis % 4)), rtol=1e-4, atol=1e-4)


def test_inverse_of_complex_signals() -> None:
    x = draw(2, 8, 2)
    inputs = {"x": x, "length": None, "axis": np.asarray(1)}
    (found,) = evaluate(rewritten(model_of("DFT", inputs, ("axis",), inverse=1), "DFT"), {"x": x})
    np.testing.assert_allclose(found, spectrum(np.fft.ifft(x[..., 0] + 1j * x[..., 1], axis=1)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("length", [8, 9])
def test_half_spectrum_to_real_signal(length: int) -> None:
    half = np.fft.rfft(draw(2, length).astype(np.float64))
    inputs = {"x": spectrum(half), "length": np.asarray(length), "axis": np.asarray(1)}
    model = model_of("DFT", inputs, ("length", "axis"), inverse=1, onesided=1)
    (found,) = evaluate(rewritten(model, "DFT"), {"x": spectrum(half)})
    np.testing.assert_allclose(found[..., 0], np.fft.irfft(half, length), rtol=1e-4, atol=1e-5)


def test_stft() -> None:
    x, window = draw(2, 40, 1), np.hanning(8).astype(np.float32)
    inputs = {"x": x, "step": np.asarray(3), "window": window, "length": np.asarray(8)}
    (found,) = evaluate(rewritten(model_of("STFT", inputs, ("step", "window", "length")), "STFT"), {"x": x})
    frames = np.stack([x[:, i : i + 8, 0] * window for i in range(0, 33, 3)], axis=1)
    np.testing.assert_allclose(found, spectrum(np.fft.rfft(frames)), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("length", [8, 12, 15])
def test_transforms_are_exact_where_they_are_real(length: int) -> None:
    matrix = dft_matrix(1, length, length // 2 + 1, inverse=False)
    real = [0] if length % 2 else [0, length // 2]
    assert not matrix[:, 0, real, 1].any()
    np.testing.assert_allclose(matrix[:, 0, :, 0] + 1j * matrix[:, 0, :, 1], np.fft.rfft(np.eye(length)), atol=1e-12)
