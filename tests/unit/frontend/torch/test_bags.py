"""Embedding bags by rows and by offsets, with weights, padding and empty bags."""

import pytest
import torch
import torch.nn.functional as F

from edgec.frontend.torch.decompositions.splice import decompose
from edgec.frontend.torch.overrides.functions import Overrides

TABLE = torch.randn(9, 4, generator=torch.Generator().manual_seed(0))
ROWS = torch.tensor([[1, 0, 3, 0], [0, 0, 0, 0], [8, 8, 2, 5]])
WEIGHTS = torch.rand(3, 4, generator=torch.Generator().manual_seed(1))
MODES = pytest.mark.parametrize("mode", ["sum", "mean", "max"])


def program(function, *tensors):
    class Bag(torch.nn.Module):
        def forward(self, *given):
            return function(*given)

    with torch.no_grad(), Overrides():
        found = torch.export.export(Bag(), tensors, strict=False)
    decompose(found)
    assert not [n for n in found.graph.nodes if "embedding_bag" in str(n.target)]
    return found


def check(function, *tensors):
    with torch.no_grad():
        torch.testing.assert_close(program(function, *tensors).module()(*tensors), function(*tensors))


@MODES
@pytest.mark.parametrize("padding", [None, 0, -1])
def test_rows(mode, padding):
    check(lambda i: F.embedding_bag(i, TABLE, mode=mode, padding_idx=padding), ROWS)


@MODES
@pytest.mark.parametrize("padding", [None, 0, -1])
def test_offsets_with_an_empty_bag(mode, padding):
    offsets = torch.tensor([0, 4, 4, 9])
    check(lambda i, o: F.embedding_bag(i, TABLE, o, mode=mode, padding_idx=padding), ROWS.flatten(), offsets)


def test_weights_of_samples():
    check(lambda i, w: F.embedding_bag(i, TABLE, mode="sum", per_sample_weights=w), ROWS, WEIGHTS)
    offsets = torch.tensor([0, 3, 12])
    check(
        lambda i, o, w: F.embedding_bag(
            i, TABLE, o, mode="sum", per_sample_weights=w, include_last_offset=True, padding_idx=8
        ),
        ROWS.flatten(),
        offsets,
        WEIGHTS.flatten(),
    )
