"""Decoders with caches, and signals padded to a length: right at every size on every target."""

from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

from tests.sdk.open_sizes import check


class Decoder(nn.Module):
    """One layer of attention on cached and new tokens, with a causal mask that begins behind the cache."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.places, self.qkv = nn.Embedding(50, 16), nn.Embedding(64, 16), nn.Linear(16, 48)

    def forward(self, ids, keys, values):
        (b, n), past = ids.shape, keys.shape[2]
        x = self.words(ids) + self.places(torch.arange(past, past + n))
        q, k, v = (part.view(b, n, 2, 8).transpose(1, 2) for part in self.qkv(x).chunk(3, -1))
        keys, values = torch.cat([keys, k], 2), torch.cat([values, v], 2)
        seen = torch.ones(n, past + n, dtype=torch.bool).tril(past)
        hidden = torch.full((n, past + n), float("-inf")).triu(past + 1)
        y = F.scaled_dot_product_attention(q, keys, values, attn_mask=seen)
        y = y + (q @ keys.transpose(-1, -2) + hidden).softmax(-1) @ values
        return y.transpose(1, 2).reshape(b, n, 16), keys, values


class Filled(nn.Module):
    """Pads a signal to whole strides, and pads or crops the result to the signal's length."""

    def __init__(self) -> None:
        super().__init__()
        self.down, self.up = nn.Conv1d(4, 8, 8, 4), nn.ConvTranspose1d(8, 4, 8, 4)

    def forward(self, x):
        n = x.shape[-1]
        back = self.up(torch.relu(self.down(F.pad(x, (0, -(n - 8) % 4)))))
        return F.pad(back, (0, n + 3 - back.shape[-1])), F.pad(back, (1, n - 2 - back.shape[-1]), value=0.5)


def test_decoder_with_a_cache(tmp_path: Path) -> None:
    torch.manual_seed(0)
    calls = [_call(new, past) for new, past in [(1, 1), (8, 24), (3, 7), (1, 13), (5, 24)]]
    assert not check(Decoder(), _call(3, 5), ["ids:1=n:1..8", "keys:2=past:1..24", "values:2=past"], calls, tmp_path)


def _call(new: int, past: int) -> tuple[torch.Tensor, ...]:
    return torch.randint(0, 50, (1, new)), torch.randn(1, 2, past, 8), torch.randn(1, 2, past, 8)


def test_signals_filled_to_a_length(tmp_path: Path) -> None:
    torch.manual_seed(0)
    calls = [(torch.randn(1, 4, length),) for length in (12, 40, 17, 23, 32)]
    assert not check(Filled(), (torch.randn(1, 4, 21),), ["x:2=n:12..40"], calls, tmp_path)
