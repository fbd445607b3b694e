"""Open dimensions: the package says their ranges and gives the model's numbers at every size."""

from pathlib import Path

import coremltools
import numpy as np
import pytest
import torch

from edgec.driver import BuildOptions, build
from edgec.frontend.dynamic import parse_dynamic
from edgec.frontend.source import SourceRequest
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
