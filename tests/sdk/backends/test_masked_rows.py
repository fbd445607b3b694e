"""Queries whose keys are all masked: PyTorch's result for each way to write attention."""

from pathlib import Path

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from tests.sdk.ordinary import Functions, differences


def scores(q: torch.Tensor) -> torch.Tensor:
    return q @ q.transpose(-1, -2) / 2


ATTENTION: Functions = {
    "filled": lambda q, m, a: scores(q).masked_fill(m == 0, -torch.inf).softmax(-1) @ q,
    "shown": lambda q, m, a: torch.where(m > 0, scores(q), -torch.inf).softmax(-1) @ q,
    "added": lambda q, m, a: (scores(q) + a).softmax(-1) @ q,
    "added-infinity": lambda q, m, a: (scores(q) + torch.zeros(3, 3).masked_fill(m == 0, -torch.inf)).softmax(-1) @ q,
    "made-zero": lambda q, m, a: scores(q).masked_fill(m == 0, -torch.inf).softmax(-1).nan_to_num(0.0) @ q,
    "finite": lambda q, m, a: scores(q).masked_fill(m == 0, -1e9).softmax(-1) @ q,
    "fused": lambda q, m, a: scaled_dot_product_attention(q, q, q, attn_mask=(m > 0)[None, None]),
    "fused-added": lambda q, m, a: scaled_dot_product_attention(q, q, q, attn_mask=a),
    "causal": lambda q, m, a: scores(q).masked_fill(~torch.ones(3, 3).tril().bool(), -torch.inf).softmax(-1) @ q,
}


@pytest.mark.parametrize("target", ["android", "rtx", "iphone"])
def test_rows_that_are_masked_whole(target: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    q, m = torch.randn(1, 2, 3, 4), torch.tensor([[1, 1, 0], [1, 0, 0], [1, 1, 1]])
    empty = torch.tensor([[0, 0, 0], [0, 1, 0], [1, 1, 1]])
    inputs = [(q * 2, e, torch.zeros(3, 3).masked_fill(e == 0, -torch.inf)) for e in (m, empty, empty * 0)]
    assert differences(ATTENTION, (q, m, torch.randn(3, 3)), inputs, target, tmp_path) == []
