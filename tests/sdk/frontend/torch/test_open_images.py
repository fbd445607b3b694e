"""Images of open height and width: the artifacts give the module's results at both ends of the range and between."""

from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tests.sdk.open_sizes import check

SIZES = [(16, 48), (48, 16), (24, 32), (40, 40), (16, 24)]


class Upsampled(nn.Module):
    """Decoders: transposed convolutions, pixel shuffles, resizes by factors and to the sizes of other maps."""

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
    """Pools that pad, count their padding or round up, and paddings in all modes."""

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


class Positions(nn.Module):
    """Position embeddings resized to the image's patches, as in vision transformers, and odd factors."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.table = nn.Conv2d(3, 6, 4, 4), nn.Parameter(torch.randn(1, 6, 7, 7))

    def forward(self, x):
        y = self.patches(x)
        sizes = y.shape[-2:]
        z = y + F.interpolate(self.table, size=sizes, mode="bicubic", align_corners=False)
        z = z + F.interpolate(self.table, size=sizes, mode="bicubic", align_corners=True)
        z = z + F.interpolate(self.table, size=sizes, mode="bilinear")
        line = F.interpolate(y.flatten(2), scale_factor=2, mode="linear")
        return z, F.interpolate(y, scale_factor=1.5, mode="bilinear"), line


class Windows(nn.Module):
    """Attention in windows of a rolled image, which needs six dimensions."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.attention = nn.Conv2d(3, 8, 1), nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x):
        y = torch.roll(self.stem(x).permute(0, 2, 3, 1), (-2, -2), (1, 2))
        b, h, w, c = y.shape
        t = y.view(b, h // 4, 4, w // 4, 4, c).permute(0, 1, 3, 2, 4, 5).reshape(-1, 16, c)
        t = self.attention(t, t, t, need_weights=False)[0]
        y = t.view(b, h // 4, w // 4, 4, 4, c).permute(0, 1, 3, 2, 4, 5).reshape(b, h, w, c)
        return torch.roll(y, (2, 2), (1, 2)).permute(0, 3, 1, 2), F.pixel_unshuffle(x, 4)


@pytest.mark.parametrize("kind", [Upsampled, Pooled, Positions, Windows])
def test_every_size_is_right(kind: type[nn.Module], tmp_path: Path) -> None:
    torch.manual_seed(0)
    calls = [(torch.randn(1, 3, height, width),) for height, width in SIZES]
    check(kind(), (torch.randn(1, 3, 32, 32),), ["x:2=h:16..48,3=w:16..48"], calls, tmp_path)
