"""Images of open height and width: the artifacts give the module's numbers at both ends and between."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import edgec
from edgec.runners.open import open_runner

SIZES = [(16, 48), (48, 16), (24, 32), (40, 40), (16, 24)]


class Upsampled(nn.Module):
    """Decoders: transposed convolutions, shuffled pixels, resizes by factors and to the sizes of other maps."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.down = nn.Conv2d(8, 8, 3, stride=2, padding=1)
        self.twice = nn.ConvTranspose2d(8, 8, 2, 2)
        self.odd = nn.ConvTranspose2d(8, 8, 3, 2, 1, output_padding=1)
        self.wide = nn.ConvTranspose2d(8, 8, 4, 2, 1)
        self.shuffled = nn.Conv2d(8, 32, 1)

    def forward(self, x):
        a = self.stem(x)
        b = self.down(a)
        y = a + self.twice(b) + self.odd(b) + self.wide(b) + F.pixel_shuffle(self.shuffled(b), 2)
        y = y + F.interpolate(b, scale_factor=2, mode="bilinear", align_corners=False)
        y = y + F.interpolate(b, size=a.shape[-2:], mode="bilinear", align_corners=True)
        y = y + F.interpolate(b, size=a.shape[-2:], mode="nearest") + F.interpolate(b, scale_factor=2.0)
        return y, F.interpolate(b, scale_factor=3.0), F.interpolate(a, size=x.shape[-2:], mode="bilinear")


class Pooled(nn.Module):
    """Pools that pad, count their padding or round up, and paddings of every mode."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x):
        y = self.conv(F.pad(x, (2, 1, 0, 2), mode="reflect"))
        y = F.pad(F.pad(y, (1, 2, 3, 0), mode="replicate"), (0, 1, 1, 0), value=2.0)
        y = F.pad(y, (-1, 0, 0, -1))
        pools = [
            F.max_pool2d(y, 3, 2, ceil_mode=True),
            F.max_pool2d(y, 3, 2, padding=1),
            F.avg_pool2d(y, 3, 1, padding=1),
            F.avg_pool2d(y, 3, 2, padding=1, count_include_pad=False),
            F.avg_pool2d(y, 2, 2, ceil_mode=True),
            F.avg_pool2d(y, 3, 2, padding=1, ceil_mode=True),
        ]
        return tuple(pools)


@pytest.mark.parametrize("target", ["android", "iphone", "rtx"])
@pytest.mark.parametrize("kind", [Upsampled, Pooled])
def test_every_size_is_right(kind: type[nn.Module], target: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = kind().eval()
    built = edgec.build(module, (torch.randn(1, 3, 32, 32),), target, out=tmp_path, dynamic=["x:2=h:16..48,3=w:16..48"])
    assert built.manifest.accuracy.status == "passed", built.failures
    artifact = built.folder / built.manifest.artifact.path
    with open_runner(artifact if target != "rtx" else next(built.folder.glob("*.onnx"))) as runner:
        for height, width in SIZES:
            x = torch.randn(1, 3, height, width)
            for expected, found in zip(module(x), runner.run({"x": x.numpy()}).values(), strict=True):
                assert found.shape == expected.shape
                worst = np.abs(found - expected.detach().numpy()).max() / expected.abs().max()
                assert worst < (1e-2 if target == "iphone" else 1e-4), (height, width)
