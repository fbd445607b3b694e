"""Vision models with open height and width, built for every target and compared with eager PyTorch from outside.

    python -m tests.conformance.open_images [--models FOLDER] [--only NAME,…] [--target android …] [--sizes 160..320]

Models of transformers come with the tests' own environment; torchvision's and timm's with a FOLDER that holds them. One
that eager PyTorch does not run at 192 and 256 is left out. Each artifact is run at both ends and three sizes inside: by
LiteRT, the MIL interpreter, and ONNX Runtime on the engine's ONNX.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch

from edgec.compiler.build import compile_target
from edgec.compiler.canonical_model import CanonicalModel
from edgec.compiler.options import BuildOptions
from edgec.compiler.stages import prepare_captured
from edgec.diag import EdgecError
from edgec.frontend.captured import SourceId
from edgec.frontend.dynamic import DynamicDim, parse_dynamics
from edgec.frontend.torch_export import ExportRequest, export_module
from edgec.runners.open import open_runner
from edgec.spec.target import load_target

_TV = (
    "resnet18 mobilenet_v2 mobilenet_v3_small efficientnet_b0 shufflenet_v2_x1_0 squeezenet1_1 densenet121 googlenet "
    "mnasnet1_0 regnet_y_400mf convnext_tiny swin_t lraspp_mobilenet_v3_large deeplabv3_mobilenet_v3_large"
).split()
_TIMM = (
    "mobilenetv4_conv_small mobileone_s0 fastvit_t8 mobilevit_s repvit_m0_9 edgenext_small ghostnet_100 mixnet_s "
    "lcnet_050 poolformer_s12 efficientvit_b0 starnet_s1 xcit_nano_12_p16_224 pvt_v2_b0 hrnet_w18_small "
    "inception_next_tiny rexnet_100 res2net50_26w_4s"
).split()
_LIMIT = {"tflite": 2e-3, "engine": 2e-3, "mlpackage": 2e-2}
"""Of the largest magnitude, by format: float16 weights, TensorRT's ONNX in float32, float16 arithmetic."""


class _First(torch.nn.Module):
    """The named results of a model, called with an image alone."""

    def __init__(self, model: torch.nn.Module, *names: str) -> None:
        super().__init__()
        self.model, self.names = model, names

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, ...]:
        found = self.model(image)
        return tuple(found[name] for name in self.names) if self.names else (found,)


def _transformers() -> dict[str, Callable[[], torch.nn.Module]]:
    import transformers as t

    small = {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 96}
    layers = {"embedding_size": 16, "hidden_sizes": [16, 32, 48, 64], "depths": [1, 1, 1, 1]}
    return {
        "resnet": lambda: _First(t.ResNetModel(t.ResNetConfig(**layers)), "last_hidden_state"),
        "mobilenet": lambda: _First(t.MobileNetV2Model(t.MobileNetV2Config(tf_padding=False)), "last_hidden_state"),
        "convnext": lambda: _First(t.ConvNextModel(t.ConvNextConfig(depths=[1, 1, 1, 1])), "last_hidden_state"),
        "segformer": lambda: _First(t.SegformerForSemanticSegmentation(t.SegformerConfig(num_labels=5)), "logits"),
        "yolos": lambda: _First(
            t.YolosForObjectDetection(t.YolosConfig(**small, image_size=[256, 256], num_detection_tokens=9)),
            "logits",
            "pred_boxes",
        ),
    }


def models(folder: str | None) -> dict[str, Callable[[], torch.nn.Module]]:
    """Every model by name, made with random weights when it is called."""
    found = _transformers()
    if folder is not None:
        sys.path.insert(0, folder)
        import timm  # type: ignore[import-not-found]
        import torchvision

        make = torchvision.models.get_model
        kept = {"lraspp_mobilenet_v3_large": ("out",), "deeplabv3_mobilenet_v3_large": ("out",)}
        none = {"weights": None, "weights_backbone": None}
        for name in _TV:
            given = none if name in kept else {"weights": None}
            found[name] = lambda name=name, given=given: _First(make(name, **given), *kept.get(name, ()))  # type: ignore[misc]
        for name in _TIMM:
            found[name] = lambda name=name: _First(timm.create_model(name, pretrained=False))  # type: ignore[misc]
    return found


def randomized(model: torch.nn.Module) -> torch.nn.Module:
    """Constant initializations hide wrong numbers: each is made random."""
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.is_floating_point() and parameter.numel() > 1 and float(parameter.std()) == 0:
                parameter.add_(torch.randn(parameter.shape) * 0.1)
    return model.eval()


def runs(model: torch.nn.Module) -> bool:
    """Whether eager PyTorch takes images of 192 and of 256."""
    try:
        with torch.no_grad():
            return all(model(torch.randn(1, 3, size, size)) is not None for size in (192, 256))
    except Exception:  # whatever the model's own code raises
        return False


def places(dims: tuple[DynamicDim, ...]) -> Iterator[tuple[int, int]]:
    """Heights and widths: both ends and three sizes inside."""
    height, width = dims
    for share, other in ((0, 0), (1, 1), (0.25, 0.75), (0.75, 0.25), (0.5, 0.5)):
        at = [int(d.least + (d.largest - d.least) * s) for d, s in ((height, share), (width, other))]
        yield height.near(at[0]), width.near(at[1])


def worst(model: torch.nn.Module, prepared: CanonicalModel, target: str, out: Path) -> str:
    """What came out of one target: the largest error, or why there is none."""
    try:
        built = compile_target(prepared, load_target(target), BuildOptions(out=out), lambda step: None)
    except EdgecError as refused:
        return "; ".join(f"{d.code} {d.message} ({d.place})" for d in refused.diagnostics)
    form = built.manifest.format
    path = built.folder / built.manifest.artifact.path if form != "engine" else next(built.folder.glob("*.onnx"))
    largest = 0.0
    with open_runner(path) as runner:
        for height, width in places(prepared.captured.dynamic):
            x = torch.randn(1, 3, height, width)
            with torch.no_grad():
                expected = model(x)
            for want, found in zip(expected, runner.run({"image": x.numpy()}).values(), strict=True):
                if found.shape != want.shape:
                    return f"{tuple(found.shape)} where it is {tuple(want.shape)}, at {height} x {width}"
                largest = max(largest, float(np.abs(found - want.numpy()).max() / want.abs().max()))
    verdict = "right" if largest <= _LIMIT[form] and built.manifest.accuracy.status == "passed" else "WRONG"
    return f"{verdict} {largest:.1e}"


def main() -> None:
    """Build and compare; exits 1 where a model is not right on every target."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", help="a folder with torchvision and timm")
    parser.add_argument("--only", default="")
    parser.add_argument("--target", action="append")
    parser.add_argument("--sizes", default="160..320")
    asked = parser.parse_args()
    missed = 0
    for name, make in models(asked.models).items():
        if asked.only and name not in asked.only.split(","):
            continue
        model = randomized(make())
        if not runs(model):
            print(f"{name}: left out, eager PyTorch does not run it at 192 and 256", flush=True)
            continue
        dims = parse_dynamics([f"image:2=height:{asked.sizes},3=width:{asked.sizes}"])
        source = SourceId("module", name, "")
        try:
            example = (torch.randn(1, 3, 224, 224),)
            captured = export_module(ExportRequest(name, source, model, example, dynamic=dims))
            prepared = prepare_captured(captured, BuildOptions(), lambda step: None)
        except EdgecError as refused:
            missed += 1
            print(f"{name}: " + "; ".join(f"{d.code} {d.message} ({d.place})" for d in refused.diagnostics), flush=True)
            continue
        for target in asked.target or ["android", "iphone", "rtx"]:
            with tempfile.TemporaryDirectory() as out:
                told = worst(model, prepared, target, Path(out))
            missed += not told.startswith("right")
            print(f"{name} {target}: {told}", flush=True)
    sys.exit(bool(missed))


if __name__ == "__main__":
    main()
