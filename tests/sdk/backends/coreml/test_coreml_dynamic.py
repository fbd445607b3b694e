"""Open dimensions: the package declares their ranges and gives the model's results at every size."""

from pathlib import Path
from typing import Any

import coremltools
import numpy as np
import pytest
import torch

from edgec.compiler.build import build
from edgec.compiler.options import BuildOptions
from edgec.diag import EdgecError
from edgec.frontend.dynamic import parse_dynamic
from edgec.frontend.request import SourceRequest
from edgec.runners.mil.runner import MilRunner

MODELS = """
import torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.head = torch.nn.Conv2d(3, 8, 3, padding=1), torch.nn.Linear(8, 5)

    def forward(self, x):
        y = torch.nn.functional.max_pool2d(torch.relu(self.conv(x)), 2)
        return self.head(y.mean((2, 3)))

class Text(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = torch.nn.Embedding(50, 16)
        self.layer = torch.nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)

    def forward(self, x):
        return self.layer(self.embed(x))[:, -3:]

def net():
    torch.manual_seed(0)
    return Net().eval(), (torch.randn(2, 3, 16, 16),)

def text():
    torch.manual_seed(0)
    return Text().eval(), (torch.randint(0, 50, (1, 12)),)
"""


def described(path: Path) -> Any:
    """The package's first input as an app sees it."""
    spec = coremltools.models.MLModel(str(path), skip_model_load=True).get_spec()
    return spec.description.input[0].type


def test_listed_sizes_are_all_that_the_package_takes(tmp_path: Path) -> None:
    file = tmp_path / "models.py"
    file.write_text(MODELS)
    request = SourceRequest(f"{file}:net", dynamic=tuple(parse_dynamic("x:0=[2,1,1],2..3=[16,24,32]")))
    options = BuildOptions(out=tmp_path / "out", settings=("numerics.compute=float32", "accept.max_rel=1e-4"))
    (built,) = build(request, ["iphone"], options, lambda step: None).built
    assert built.manifest.accuracy.status == "passed"
    assert built.manifest.accuracy.samples >= 5
    path = built.folder / built.manifest.artifact.path
    shapes = [(2, 3, 16, 16), (1, 3, 24, 24), (1, 3, 32, 32)]
    kind = described(path).multiArrayType
    assert [tuple(s.shape) for s in kind.enumeratedShapes.shapes] == shapes
    assert tuple(kind.shape) == shapes[0]
    namespace: dict[str, object] = {}
    exec(MODELS, namespace)
    module, _ = namespace["net"]()  # type: ignore[operator]
    with MilRunner(path) as runner:
        for shape in shapes:
            x = torch.randn(shape)
            np.testing.assert_allclose(runner.run({"x": x.numpy()})["output"], module(x).detach(), rtol=1e-3, atol=1e-5)
        with pytest.raises(EdgecError, match="the package takes 2x3x16x16, 1x3x24x24, 1x3x32x32"):
            runner.run({"x": np.zeros((1, 3, 16, 16), np.float32)})


@pytest.mark.parametrize("sizes", ["2..3=[16,32]", "2=h:16..64,3=w:16..48"])
def test_images_of_several_sizes(sizes: str, tmp_path: Path) -> None:
    file, target = tmp_path / "models.py", tmp_path / "targets"
    file.write_text(MODELS.replace("torch.randn(2, 3", "torch.rand(1, 3"))
    target.mkdir()
    image = 'inherits = "iphone"\nname = "camera"\n[options.images.x]\nscale = [0.00392156862745098]\n'
    (target / "camera.toml").write_text(image)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        request = SourceRequest(f"{file}:net", dynamic=tuple(parse_dynamic(f"x:{sizes}")))
        report = build(request, ["camera"], BuildOptions(out=tmp_path / "out"), lambda step: None)
    assert not report.errors, report.errors
    (built,) = report.built
    assert built.manifest.accuracy.status == "passed"
    kind = described(built.folder / built.manifest.artifact.path).imageType
    assert (kind.height, kind.width) == (16, 16)
    if "[" in sizes:
        assert [(s.height, s.width) for s in kind.enumeratedSizes.sizes] == [(16, 16), (32, 32)]
    else:
        ranges = kind.imageSizeRange.heightRange, kind.imageSizeRange.widthRange
        assert [(r.lowerBound, r.upperBound) for r in ranges] == [(16, 64), (16, 48)]


def test_lists_of_several_inputs_begin_with_ios_18(tmp_path: Path) -> None:
    source = "import torch\nclass Net(torch.nn.Module):\n    def forward(self, x, y):\n        return x + y\n"
    (tmp_path / "models.py").write_text(source + "net = lambda: (Net(), (torch.randn(1, 4), torch.randn(1, 4)))\n")
    dims = (*parse_dynamic("x:1=n:[4,8]"), *parse_dynamic("y:1=n:[4,8]"))
    request = SourceRequest(f"{tmp_path}/models.py:net", dynamic=dims)
    for system, label in (("iOS17", "sizes-of-several-inputs"), ("iOS18", "")):
        options = BuildOptions(out=tmp_path / "out", settings=(f"options.minimum_deployment_target={system}",))
        report = build(request, ["iphone"], options, lambda step: None)
        assert [d.notes[-1] for d in report.errors] == ([f"rejected by `{label}`"] if label else [])
    mixed = SourceRequest(f"{tmp_path}/models.py:net", dynamic=(*parse_dynamic("x:0=b:1..4,1=n:[4,8]"),
                          *parse_dynamic("y:0=b:1..4,1=n:[4,8]")))  # fmt: skip
    report = build(mixed, ["iphone"], options, lambda step: None)
    assert {d.notes[-1] for d in report.errors} == {"rejected by `sizes-mixed`"}


CASES = {
    "net": ("x:0=batch:1..8", (1, 3, 16, 16), [(1, 8), (3, 3), (16, 16), (16, 16)], [(1, 3, 16, 16), (7, 3, 16, 16)]),
    "text": ("x:1=length:4..64", (1, 4), [(1, 1), (4, 64)], [(1, 4), (1, 33), (1, 64)]),
}


@pytest.mark.parametrize("name", CASES)
def test_every_size_gives_the_models_numbers(name: str, tmp_path: Path) -> None:
    dynamic, default, ranges, sizes = CASES[name]
    file = tmp_path / "models.py"
    file.write_text(MODELS)
    request = SourceRequest(f"{file}:{name}", dynamic=tuple(parse_dynamic(dynamic)))
    options = BuildOptions(out=tmp_path / "out", settings=("numerics.compute=float32", "accept.max_rel=1e-4"))
    report = build(request, ["iphone"], options, lambda step: None)
    assert not report.errors, report.errors
    (built,) = report.built
    assert built.manifest.accuracy.status == "passed"
    path = built.folder / built.manifest.artifact.path
    spec = coremltools.models.MLModel(str(path), skip_model_load=True).get_spec()
    kind = spec.description.input[0].type.multiArrayType
    assert tuple(kind.shape) == default
    assert [(r.lowerBound, r.upperBound) for r in kind.shapeRange.sizeRanges] == ranges
    namespace: dict[str, object] = {}
    exec(MODELS, namespace)
    module, _ = namespace[name]()  # type: ignore[operator]
    with MilRunner(path) as runner:
        for shape in sizes:
            x = torch.randn(shape) if name == "net" else torch.randint(0, 50, shape)
            found = runner.run({"x": x.numpy()})["output"]
            np.testing.assert_allclose(found, module(x).detach().numpy(), rtol=1e-3, atol=1e-5)
