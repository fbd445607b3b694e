"""Open dimensions: one file that LiteRT resizes, and refusals where a kernel needs a static size."""

from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
import torch

import edgec
from edgec.backends.tflite.backend import TFLITE
from edgec.compiler.build import build
from edgec.compiler.options import BuildOptions
from edgec.diag import EdgecError
from edgec.frontend.dynamic import parse_dynamics
from edgec.frontend.request import SourceRequest
from edgec.ir.model import OPSET
from edgec.measure.inspection import inspect
from edgec.passes.canonicalize import canonicalize
from edgec.passes.verify import evaluate
from edgec.runners.open import open_runner
from edgec.spec.target import load_target

CONVOLUTION = """
g (float[n,3,h,10] x) => (float[n,k] y)
{
  c = Conv<pads = [1,1,1,1]>(x, w)
  r = Relu(c)
  p = MaxPool<kernel_shape = [2,2], strides = [2,2]>(r)
  axes = Constant<value_ints = [2, 3]>()
  y = ReduceMean<keepdims = 0>(p, axes)
}
"""
ROUNDED_UP = """
g (float[1,3,h,10] x) => (float[1,3,a,b] y)
{
  y = MaxPool<kernel_shape = [2,2], strides = [3,3], ceil_mode = 1>(x)
}
"""
ATTENTION = """
g (float[1,s,8] x) => (float[1,s,8] y)
{
  split = Constant<value_ints = [0, 0, 2, 4]>()
  joined = Constant<value_ints = [0, 0, 8]>()
  heads = Reshape(x, split)
  q = Transpose<perm = [0,2,1,3]>(heads)
  o = Attention(q, q, q)
  t = Transpose<perm = [0,2,1,3]>(o)
  y = Reshape(t, joined)
}
"""
TARGET = load_target("raspberry-pi")


def _model(text: str) -> ir.Model:
    proto = onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["" : {OPSET}]> {text}')
    weight = np.random.default_rng(1).standard_normal((4, 3, 3, 3)).astype(np.float32)
    proto.graph.initializer.append(onnx.numpy_helper.from_array(weight, "w"))
    return ir.serde.deserialize_model(onnx.shape_inference.infer_shapes(proto))


@pytest.mark.parametrize(
    ("text", "shapes"),
    [
        (CONVOLUTION, [(1, 3, 8, 10), (2, 3, 8, 10), (1, 3, 14, 10), (3, 3, 6, 10)]),
        (ATTENTION, [(1, 4, 8), (1, 9, 8), (1, 1, 8)]),
    ],
)
def test_runs_at_every_size(tmp_path: Path, text: str, shapes: list[tuple[int, ...]]) -> None:
    rng = np.random.default_rng(3)
    samples = [rng.standard_normal(shape).astype(np.float32) for shape in shapes]
    model = _model(text)
    expected = [evaluate(_model(text), {"x": x})[0] for x in samples]
    canonicalize(model)
    path = tmp_path / "m.tflite"
    TFLITE.assemble(TFLITE.lower(TFLITE.legalize(model, TARGET).model, TARGET), TARGET, path)
    with TFLITE.open(path, TARGET) as runner:
        for x, want in zip(samples, expected, strict=True):
            np.testing.assert_allclose(runner.run({"x": x})["y"], want, rtol=1e-4, atol=1e-5)


def test_a_last_window_of_unknown_size_is_refused() -> None:
    model = canonicalize(_model(ROUNDED_UP)).model
    with pytest.raises(EdgecError) as refused:
        TFLITE.lower(TFLITE.legalize(model, TARGET).model, TARGET)
    assert "maxpool-dynamic" in str(refused.value.diagnostics[0].notes)


def test_a_file_opens_at_the_least_sizes(tmp_path: Path) -> None:
    """A window that does not fit an open dimension of 1: LiteRT prepares the file before the app sets sizes."""
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.MaxPool2d(2), torch.nn.Conv2d(4, 2, 3))
    built = edgec.build(
        module, (torch.randn(1, 3, 16, 12),), "android", out=tmp_path, dynamic=["input:2=height:10..32"]
    )
    assert built.manifest.accuracy.status == "passed", built.failures
    (taken,) = inspect(built.folder / built.manifest.artifact.path).inputs
    assert taken.shape == (1, 3, -1, 12)


class Signal(torch.nn.Module):
    """1-D convolutions and a pool, and slices for causal filters."""

    def __init__(self) -> None:
        super().__init__()
        self.mix, self.filter = torch.nn.Conv1d(4, 12, 3, stride=2), torch.nn.Conv1d(4, 4, 3, groups=4, padding=2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a, b, c = self.mix(x).chunk(3, dim=1)
        return torch.nn.functional.avg_pool1d(a * self.filter(b * c)[..., : a.shape[-1]], 2)


def test_signals_of_open_batch_and_length(tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = Signal().eval()
    built = edgec.build(module, (torch.randn(2, 4, 31),), "android", out=tmp_path, dynamic=["x:0=b:1..4,2=n:9..64"])
    assert built.manifest.accuracy.status == "passed", built.failures
    with open_runner(built.folder / built.manifest.artifact.path) as runner:
        for shape in ((1, 4, 9), (4, 4, 64), (2, 4, 30), (3, 4, 17)):
            x = torch.randn(shape)
            (found,) = runner.run({"x": x.numpy()}).values()
            np.testing.assert_allclose(found, module(x).detach(), rtol=1e-4, atol=1e-5)


class Picked(torch.nn.Module):
    """Elements selected by an input, counted from either end of an open dimension."""

    def forward(self, x: torch.Tensor, places: torch.Tensor, last: torch.Tensor) -> torch.Tensor:
        return torch.cat([x[:, places], x[:, last][:, None]], 1)


@pytest.mark.parametrize("target", ["android", "iphone"])
def test_places_counted_from_an_open_end(target: str, tmp_path: Path) -> None:
    given = (torch.randn(1, 6, 3), torch.tensor([0, 1, 2]), torch.tensor(3))
    built = edgec.build(Picked(), given, target, out=tmp_path, dynamic=["x:1=n:4..20"])
    assert built.manifest.accuracy.status == "passed", built.failures
    with open_runner(built.folder / built.manifest.artifact.path) as runner:
        for n in (4, 9, 20):
            x = torch.randn(1, n, 3)
            for places, last in (([0, 3, 1], 2), ([-1, -4, 3], -2)):
                fed = {"x": x.numpy(), "places": np.asarray(places), "last": np.asarray(last)}
                (found,) = runner.run(fed).values()
                expected = torch.cat([x[:, places], x[:, last][:, None]], 1)
                np.testing.assert_allclose(found, expected, rtol=2e-3)


def test_a_shape_that_copies_several_open_sizes(tmp_path: Path) -> None:
    proto = onnx.parser.parse_model(
        f'<ir_version: 10, opset_import: ["" : {OPSET}]> {ATTENTION.replace("float[1,s,8]", "float[b,s,8]")}'
    )
    onnx.save(proto, tmp_path / "m.onnx")
    request = SourceRequest(str(tmp_path / "m.onnx"), dynamic=parse_dynamics(["x:0=b:1..4,1=s:2..16"]))
    report = build(request, ["android", "iphone"], BuildOptions(out=tmp_path / "out"), lambda step: None)
    assert not report.errors, report.errors
    assert all(built.manifest.accuracy.status == "passed" for built in report.built)


class Counted(torch.nn.Module):
    """Counts of each number, in a vector as long as the largest number requires."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.bincount(x.flatten(), minlength=3)


def test_counts_of_numbers_whose_size_the_data_decide(tmp_path: Path) -> None:
    built = edgec.build(Counted(), (torch.tensor([[3, 1], [3, 0]]),), "android", out=tmp_path)
    assert built.manifest.accuracy.status == "passed", built.failures
    with open_runner(built.folder / built.manifest.artifact.path) as runner:
        for numbers in ([[0, 0], [0, 0]], [[1, 2], [2, 2]], [[40, 3], [7, 40]]):
            x = torch.tensor(numbers)
            (found,) = runner.run({"x": x.numpy()}).values()
            np.testing.assert_array_equal(found, torch.bincount(x.flatten(), minlength=3))
