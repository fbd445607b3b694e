"""Quantized models: one representation, checked segment by segment, judged by their own rounding."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
import torch
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

import edgec
from edgec.compiler.build import build, failed
from edgec.compiler.options import BuildOptions
from edgec.compiler.stages import prepare
from edgec.diag import EdgecError
from edgec.frontend.dispatch import import_source
from edgec.frontend.request import SourceRequest
from edgec.ir.build import GraphBuilder
from edgec.measure.fidelity import Fidelity
from edgec.measure.rounding import SourceRounding
from edgec.measure.samples import Sample
from edgec.passes.canonicalize import canonicalize
from edgec.quantized.check import check_model
from edgec.quantized.equivalence import Segment
from edgec.quantized.qdq import in_qdq_format
from edgec.quantized.rounding import excused, rounding_of
from edgec.rules.base import Miss, Replacement
from edgec.rules.decompose.integer import QLinearConvToFloat
from edgec.runners.litert import LiteRTRunner
from edgec.runners.onnxruntime import OnnxRuntimeRunner
from edgec.spec.target import Accept

SHAPE = (1, 3, 16, 16)


class Residual(torch.nn.Module):
    """Convolutions, a sum, a product, pools, a resize and a head: operators with integer kernels."""

    def __init__(self) -> None:
        super().__init__()
        self.first = torch.nn.Conv2d(3, 8, 3, padding=1)
        self.second = torch.nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.third = torch.nn.Conv2d(16, 16, 3, stride=2)
        self.head = torch.nn.Linear(16, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.nn.functional.leaky_relu(self.first(x), 0.1)
        y = torch.sigmoid(self.second(x)) * x + x
        y = torch.nn.functional.avg_pool2d(torch.cat([x, y], 1), 2)
        y = torch.nn.functional.interpolate(y, scale_factor=2, mode="nearest")
        return self.head(self.third(y).relu().mean((2, 3)))


class Draws(CalibrationDataReader):  # type: ignore[misc]
    """Normally distributed inputs for calibration."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self._left: Iterator[np.ndarray] = iter(rng.standard_normal((4, *SHAPE)).astype(np.float32))

    def get_next(self) -> dict[str, np.ndarray] | None:
        x = next(self._left, None)
        return None if x is None else {"x": x}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("quantized")
    torch.manual_seed(0)
    torch.onnx.export(
        Residual().eval(),
        (torch.randn(SHAPE),),
        folder / "float.onnx",
        input_names=["x"],
        dynamo=False,
        opset_version=17,
    )
    for form in (QuantFormat.QOperator, QuantFormat.QDQ):
        quantize_static(
            folder / "float.onnx",
            folder / f"{form.name}.onnx",
            Draws(),
            quant_format=form,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
        )
    return folder


@pytest.mark.parametrize("form", ["QOperator", "QDQ"])
def test_builds(files: Path, form: str, tmp_path: Path) -> None:
    source = files / f"{form}.onnx"
    report = build(SourceRequest(str(source)), ["android", "iphone"], BuildOptions(out=tmp_path), lambda step: None)
    assert not report.errors
    assert not failed(report)
    assert ("E0217" in [w.code for w in report.warnings]) == (form == "QOperator")
    x = np.random.default_rng(5).standard_normal(SHAPE).astype(np.float32)
    with OnnxRuntimeRunner(source, optimize=False) as runner:
        (expected,) = runner.run({"x": x}).values()
    with LiteRTRunner(next(tmp_path.rglob("*.tflite"))) as artifact:
        (found,) = artifact.run({"x": x}).values()
    step = np.diff(np.unique(expected)).min()
    assert np.abs(found - expected).max() < 2.5 * step


def test_kernel_that_differs_is_refused(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right = QLinearConvToFloat.apply

    def wrong(self: QLinearConvToFloat, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        found = right(self, node, g)
        assert not isinstance(found, Miss)
        return [g.op("Max", found[0], g.const(np.uint8(200)))]

    monkeypatch.setattr(QLinearConvToFloat, "apply", wrong)
    with pytest.raises(EdgecError) as caught:
        in_qdq_format(import_source(SourceRequest(str(files / "QOperator.onnx"))))
    assert caught.value.diagnostics[0].code == "E0205"
    assert "Conv_output_0_quantized" in caught.value.diagnostics[0].notes[0]


def test_rewriting_that_differs_is_refused(files: Path) -> None:
    imported = import_source(SourceRequest(str(files / "QDQ.onnx")))
    exported = imported.model.clone()
    model = canonicalize(imported.model).model
    samples = [Sample(imported.examples, imported.reference.run(imported.examples))]
    assert check_model(model, exported, samples, SourceRounding(imported.reference))[0] is not None
    leaky = next(node for node in model.graph if node.op_type == "LeakyRelu")
    leaky.attributes["alpha"] = ir.AttrFloat32("alpha", 0.2)
    with pytest.raises(EdgecError) as caught:
        check_model(model, exported, samples, SourceRounding(imported.reference))
    assert caught.value.diagnostics[0].code == "E0205"


@pytest.mark.parametrize(
    ("segment", "same"),
    [
        (Segment("v", 1000, 0, 0, 0), True),
        (Segment("v", 1000, 9, 1, 3), True),
        (Segment("v", 1000, 1, 2, 2), False),
        (Segment("v", 1000, 1000, 1, 1000), False),
        (Segment("v", 1000, 400, 1, 10), True),
        (Segment("v", 10, 10, 1, 10), False),
        (Segment("v", 0, 0, 0, 0), True),
    ],
)
def test_what_rounding_explains(segment: Segment, same: bool) -> None:
    assert segment.is_same is same


def test_rounding_is_of_quantized_models_alone(files: Path) -> None:
    prepared = {f: prepare(SourceRequest(str(files / f"{f}.onnx")), BuildOptions(), print) for f in ("float", "QDQ")}
    assert prepared["float"].quantization is None
    found = rounding_of(prepared["QDQ"].model, prepared["QDQ"].samples)
    assert found is not None
    assert found.max_rel < 0.05


def test_excuse_has_an_end() -> None:
    asked = Accept(max_rel=1e-4, min_psnr_db=60.0)
    assert excused(asked, None) == asked
    assert excused(asked, Fidelity(1, 0.0, 0.0, 1.0, np.inf, "", ())) == asked
    assert excused(asked, Fidelity(1, 0.1, 0.008, 1.0, 50.0, "", ())) == Accept(max_rel=0.016, min_psnr_db=47.0)
    assert excused(asked, Fidelity(1, 0.1, 0.9, 1.0, 3.0, "", ())) == Accept(max_rel=0.05, min_psnr_db=30.0)


def test_weights_alone_do_not_quantize(tmp_path: Path) -> None:
    text = """<ir_version: 8, opset_import: ["" : 17]> g (float[1,4] x) => (float[1,2] y)
        <uint8[4,2] w = {1, 2, 3, 4, 5, 6, 7, 8}, float s = {0.5}> { d = DequantizeLinear(w, s)  y = MatMul(x, d) }"""
    onnx.save(onnx.parser.parse_model(text), tmp_path / "weights.onnx")
    assert prepare(SourceRequest(str(tmp_path / "weights.onnx")), BuildOptions(), print).quantization is None


class Small(torch.nn.Module):
    """A model for torch's eager-mode quantization."""

    def __init__(self) -> None:
        super().__init__()
        self.quant, self.dequant = torch.ao.quantization.QuantStub(), torch.ao.quantization.DeQuantStub()
        self.conv = torch.nn.Conv2d(3, 8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.dequant(torch.relu(self.conv(self.quant(x))))


def trained(config: str) -> torch.nn.Module:
    torch.manual_seed(0)
    module = Small().train()
    module.qconfig = torch.ao.quantization.get_default_qat_qconfig(config)
    torch.ao.quantization.prepare_qat(module, inplace=True)
    module(torch.randn(4, *SHAPE[1:]))
    return module.eval()


@pytest.mark.parametrize("config", ["x86", "qnnpack"])
def test_fake_quantizers_with_settled_ranges(config: str, tmp_path: Path) -> None:
    module = trained(config).apply(torch.ao.quantization.disable_observer)
    assert not edgec.build(module, (torch.randn(SHAPE),), target="android", out=tmp_path).failures
    x = torch.randn(SHAPE)
    with LiteRTRunner(next(tmp_path.rglob("*.tflite"))) as artifact:
        (found,) = artifact.run({"x": x.numpy()}).values()
    np.testing.assert_allclose(found, module(x).detach().numpy(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("how", ["observing", "converted", "dynamic"])
def test_torchs_quantization_that_is_refused(how: str, tmp_path: Path) -> None:
    module, inputs = trained("x86"), (torch.randn(SHAPE),)
    if how == "converted":
        module = torch.ao.quantization.convert(module)
    if how == "dynamic":
        module = torch.ao.quantization.quantize_dynamic(torch.nn.Sequential(torch.nn.Linear(4, 4)).eval())
        inputs = (torch.randn(2, 4),)
    with pytest.raises(EdgecError) as caught:
        edgec.build(module, inputs, target="android", out=tmp_path)
    (told,) = caught.value.diagnostics
    assert told.code == "E0202"
    assert told.help
