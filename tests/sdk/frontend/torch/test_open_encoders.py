"""Text encoders with open batch and length: the artifacts give the module's results at every size."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import edgec
from edgec.runners.open import open_runner

SIZES = [(1, 2), (4, 40), (2, 7), (3, 21), (1, 33)]


class Masked(nn.Module):
    """Attention with a padding mask, on position and segment embeddings, as in BERT."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.segments = nn.Embedding(50, 16), nn.Embedding(3, 16)
        self.qkv = nn.Linear(16, 48)
        self.register_buffer("table", torch.arange(64)[None] % 3)

    def forward(self, ids, mask):
        b, n = ids.shape
        places = torch.arange(n)[None].expand(b, n)
        x = self.words(ids) + self.segments(torch.gather(self.table.expand(b, -1), 1, places))
        q, k, v = (part.view(b, n, 2, 8).transpose(1, 2) for part in self.qkv(x).chunk(3, -1))
        seen = mask[:, None, None, :].bool().expand(b, 1, n, n)
        y = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=seen)
        return y.transpose(1, 2).reshape(b, n, 16)


class Relative(nn.Module):
    """Scores selected for each pair of positions by their distance, as in DeBERTa."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.distances = nn.Embedding(50, 16), nn.Embedding(16, 16)

    def forward(self, ids, mask):
        x, n = self.words(ids), ids.shape[1]
        rows = (x @ self.distances.weight.T).repeat(2, 1, 1)
        far = torch.arange(n)[:, None] - torch.arange(n)[None]
        index = far.clamp(-8, 7).add(8)[None].expand(rows.shape[0], n, n)
        wide = mask[:, None, None]
        both = (wide * wide.squeeze(-2).unsqueeze(-1))[:, 0]
        scores = torch.gather(rows, -1, index) * torch.cat([both, both])
        a, b, c, d = (scores @ torch.cat([x, x])).transpose(-1, -2).chunk(4, dim=-2)
        return a * b - c + d


@pytest.mark.parametrize("target", ["android", "iphone", "rtx"])
@pytest.mark.parametrize("kind", [Masked, Relative])
def test_every_size_is_right(kind: type[nn.Module], target: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = kind().eval()
    built = edgec.build(
        module,
        (torch.randint(0, 50, (2, 12)), torch.ones(2, 12, dtype=torch.long)),
        target,
        out=tmp_path,
        dynamic=["mask:0=b,1=n", "ids:0=b:1..4,1=n:2..40"],
    )
    assert built.manifest.accuracy.status == "passed", built.failures
    artifact = built.folder / built.manifest.artifact.path
    path = artifact if target != "rtx" else next(built.folder.glob("*.onnx"))
    with open_runner(path) as runner:
        for b, n in SIZES:
            ids, mask = torch.randint(0, 50, (b, n)), torch.ones(b, n, dtype=torch.long)
            mask[0, max(1, n // 2) :] = 0
            expected = module(ids, mask).detach().numpy()
            (found,) = runner.run({"ids": ids.numpy(), "mask": mask.numpy()}).values()
            assert found.shape == expected.shape
            worst = np.abs(found - expected).max() / np.abs(expected).max()
            assert worst < (1e-2 if target == "iphone" else 1e-4), (b, n)
