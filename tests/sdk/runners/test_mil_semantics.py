"""Subtle semantics of MIL operations, on packages written by coremltools."""

import coremltools as ct
import numpy as np
import pytest
import torch
from coremltools.converters.mil import Builder as mb

from edgec.diag import EdgecError
from edgec.runners.mil import kernels
from tests.sdk.mil_programs import run

RANDOM = np.random.default_rng(3)


def randn(*shape):
    return RANDOM.standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("kernel", [2, 3])
def test_conv_same_pads_the_end_and_same_lower_the_beginning(stride, kernel):
    x, w = randn(1, 2, 7, 6), randn(3, 2, kernel, kernel)

    def wanted(lower):
        pads = []
        for size in (6, 7):  # torch pads the last dimension first
            total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            pads += [total - total // 2, total // 2] if lower else [total // 2, total - total // 2]
        padded = torch.nn.functional.pad(torch.tensor(x), pads)
        return torch.nn.functional.conv2d(padded, torch.tensor(w), stride=stride).numpy()

    for pad_type in ("same", "same_lower"):
        (got,) = run(lambda x: mb.conv(x=x, weight=w, strides=[stride] * 2, pad_type=pad_type), x=x)  # noqa: B023
        np.testing.assert_allclose(got, wanted(pad_type == "same_lower"), rtol=1e-5, atol=1e-5)


def test_conv_custom_pads_dilation_and_groups():
    x, w, b = randn(2, 4, 9, 8), randn(6, 2, 3, 2), randn(6)
    (got,) = run(
        lambda x: mb.conv(
            x=x, weight=w, bias=b, strides=[2, 1], dilations=[1, 2], groups=2, pad_type="custom", pad=[1, 0, 2, 1]
        ),
        x=x,
    )
    padded = torch.nn.functional.pad(torch.tensor(x), [2, 1, 1, 0])
    want = torch.nn.functional.conv2d(
        padded, torch.tensor(w), torch.tensor(b), stride=(2, 1), dilation=(1, 2), groups=2
    )
    np.testing.assert_allclose(got, want.numpy(), rtol=1e-5, atol=1e-5)


def test_conv_transpose_with_output_padding_and_groups():
    x, w, b = randn(1, 4, 5, 6), randn(4, 3, 3, 3), randn(6)
    want = torch.nn.functional.conv_transpose2d(
        torch.tensor(x), torch.tensor(w), torch.tensor(b), stride=2, padding=1, output_padding=1, groups=2
    ).numpy()
    (got,) = run(
        lambda x: mb.conv_transpose(
            x=x, weight=w, bias=b, strides=[2, 2], pad_type="custom", pad=[1, 1, 1, 1], groups=2,
            output_shape=list(want.shape),
        ),
        x=x,
    )  # fmt: skip
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("size", [6, 7, 8])
@pytest.mark.parametrize("pad", [0, 1])
def test_pools_with_ceil_mode(size, pad):
    x = randn(1, 3, size, size + 1)
    arguments = {"kernel_sizes": [3, 3], "strides": [2, 2], "pad_type": "custom", "pad": [pad] * 4, "ceil_mode": True}
    tensor = torch.tensor(x)
    (got,) = run(lambda x: mb.max_pool(x=x, **arguments), x=x)
    np.testing.assert_array_equal(got, torch.nn.functional.max_pool2d(tensor, 3, 2, pad, ceil_mode=True).numpy())
    for exclude in (True, False):
        (got,) = run(lambda x: mb.avg_pool(x=x, exclude_padding_from_average=exclude, **arguments), x=x)  # noqa: B023
        want = torch.nn.functional.avg_pool2d(tensor, 3, 2, pad, ceil_mode=True, count_include_pad=not exclude)
        np.testing.assert_allclose(got, want.numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("mode", "points"),
    [
        ("STRICT_ALIGN_CORNERS", [0, 0.25, 0.5, 0.75, 1]),
        ("ALIGN_CORNERS", [0, 0.25, 0.5, 0.75, 1]),
        ("DEFAULT", [0, 0.4, 0.8, 1, 1]),
        ("OFFSET_CORNERS", [0.1, 0.3, 0.5, 0.7, 0.9]),
        ("UNALIGN_CORNERS", [0, 0.1, 0.5, 0.9, 1]),
    ],
)
def test_resize_bilinear_modes(mode, points):
    """The points are those in the definition of `resize_bilinear`."""
    x = np.array([0, 1], np.float32).reshape(1, 1, 2)
    (got,) = run(lambda x: mb.resize_bilinear(x=x, target_size_height=1, target_size_width=5, sampling_mode=mode), x=x)
    np.testing.assert_allclose(got.ravel(), points, atol=1e-6)


@pytest.mark.parametrize("align", [True, False])
def test_upsample_bilinear_is_pytorchs(align):
    x = randn(1, 2, 5, 7)
    (got,) = run(
        lambda x: mb.upsample_bilinear(x=x, scale_factor_height=2, scale_factor_width=3, align_corners=align), x=x
    )
    want = torch.nn.functional.interpolate(torch.tensor(x), (10, 21), mode="bilinear", align_corners=align)
    np.testing.assert_allclose(got, want.numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("padding", ["constant", "border", "reflection"])
@pytest.mark.parametrize("sampling", ["bilinear", "nearest"])
def test_resample_is_grid_sample(padding, sampling):
    x = randn(2, 3, 6, 5)
    points = RANDOM.uniform(-1.8, 1.8, (2, 4, 7, 2)).astype(np.float32)
    (got,) = run(
        lambda x, points: mb.resample(
            x=x, coordinates=points, sampling_mode=sampling, padding_mode=padding, padding_value=0.0,
            coordinates_mode="normalized_minus_one_to_one", align_corners=True,
        ),
        x=x, points=points,
    )  # fmt: skip
    mode = {"constant": "zeros"}.get(padding, padding)
    want = torch.nn.functional.grid_sample(
        torch.tensor(x), torch.tensor(points), mode=sampling, padding_mode=mode, align_corners=True
    )
    np.testing.assert_allclose(got, want.numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size", [2, 3, 5])
def test_local_response_norm_is_pytorchs(size):
    x = randn(2, 6, 3, 4) * 10
    (got,) = run(lambda x: mb.local_response_norm(x=x, size=size, alpha=0.1, beta=0.75, k=1.5), x=x)
    want = torch.nn.functional.local_response_norm(torch.tensor(x), size, alpha=0.1, beta=0.75, k=1.5)
    np.testing.assert_allclose(got, want.numpy(), rtol=1e-5, atol=1e-5)


def test_gather_takes_negative_indices_and_refuses_what_is_outside():
    x = randn(4, 3)
    (got,) = run(
        lambda x, i: mb.gather(x=x, indices=i, axis=0), target=ct.target.iOS16, x=x, i=np.array([-1, 0], np.int32)
    )
    np.testing.assert_array_equal(got, x[[-1, 0]])
    with pytest.raises(EdgecError, match="index 4 is out of range"):
        run(lambda x, i: mb.gather(x=x, indices=i, axis=0), x=x, i=np.array([4, 0], np.int32))


def test_round_takes_halves_to_even():
    x = np.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 3.5], np.float32)
    (got,) = run(lambda x: mb.round(x=x), x=x)
    np.testing.assert_array_equal(got, [-2, -2, 0, 0, 2, 2, 4])


def test_integer_division_and_remainder_follow_the_divisor():
    x, y = np.array([7, -7, 7, -7], np.int32), np.array([3, 3, -3, -3], np.int32)
    quotient, remainder = run(lambda x, y: (mb.floor_div(x=x, y=y), mb.mod(x=x, y=y)), x=x, y=y)
    np.testing.assert_array_equal(quotient, [2, -3, -3, 2])
    np.testing.assert_array_equal(remainder, [1, 2, -2, -1])


def test_a_cast_to_integer_truncates_toward_zero():
    (got,) = run(lambda x: mb.cast(x=x, dtype="int32"), x=np.array([-1.9, -0.5, 0.5, 1.9], np.float32))
    np.testing.assert_array_equal(got, [-1, 0, 0, 1])


def test_float16_overflows_to_infinity_and_float32_does_not():
    x = np.full((4,), 300.0, np.float32)

    def build(x):
        return mb.mul(x=mb.mul(x=x, y=x), y=1e-3)

    assert np.isinf(run(build, "float16", x=x)[0]).all()
    np.testing.assert_allclose(run(build, x=x)[0], 90, rtol=1e-5)


def test_float16_rounds_after_every_operation():
    x = np.array([2048.0], np.float32)

    def build(x):
        return mb.sub(x=mb.add(x=x, y=1.0), y=2048.0)

    assert run(build, "float16", x=x)[0] == 0  # 2049 is not a float16
    assert run(build, x=x)[0] == 1


def test_float16_sums_accumulate_in_float32():
    x = np.full((1, 4096), 1.0, np.float32)
    x[0, 0] = 2048.0
    (got,) = run(lambda x: mb.reduce_sum(x=x, axes=[1], keep_dims=False), "float16", x=x)
    assert got[0] == np.float16(2048 + 4095)


@pytest.mark.parametrize("count", [100, 100_000])
def test_rounding_to_float16_is_numpys(count):
    x = (RANDOM.standard_normal(count) * 10.0 ** RANDOM.integers(-9, 9, count)).astype(np.float32)
    x[:9] = [np.inf, -np.inf, np.nan, 65504, 65519.9, 65520, 2**-25, 1.5 * 2**-24, -0.0]
    with np.errstate(over="ignore"):
        want = x.astype(np.float16).astype(np.float32)
        got = kernels.round_to_half(x)
    np.testing.assert_array_equal(got, want)
    np.testing.assert_array_equal(np.signbit(got[3:]), np.signbit(want[3:]))


def test_equal_values_keep_their_order():
    x = np.array([1, 3, 3, 1, 2], np.float32)
    values, indices, first = run(
        lambda x: (*mb.topk(x=x, k=4, axis=0), mb.reduce_argmax(x=x, axis=0, keep_dims=False)), x=x
    )
    np.testing.assert_array_equal(values, [3, 3, 2, 1])
    np.testing.assert_array_equal(indices, [1, 2, 4, 0])
    assert int(first) == 1
