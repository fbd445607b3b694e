"""Writes at repeated positions: the last one wins, as in eager PyTorch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import edgec
from edgec.runners.open import open_runner
from tests.sdk.ordinary import Functions, differences

WRITES: Functions = {
    "scatter": lambda x, i, s: x.scatter(0, i, s),
    "scatter-number": lambda x, i, s: x.scatter(0, i, 2.0),
    "scatter-columns": lambda x, i, s: x.t().scatter(1, i.t(), s.t()),
    "scatter-integers": lambda x, i, s: (x * 10).int().scatter(0, i, (s * 10).int()),
    "scatter-product": lambda x, i, s: torch.scatter_reduce(x, 0, i, s, "prod", include_self=False),
    "scatter-largest": lambda x, i, s: torch.scatter_reduce(x, 0, i, s, "amax", include_self=False),
    "rows": lambda x, i, s: x.index_put((i[:, 0],), s),
    "rows-from-the-end": lambda x, i, s: x.index_put((i[:, 0] - 6,), s),
    "cells": lambda x, i, s: x.index_put((i[0], i[1] % 3), s[0]),
    "cells-of-three": lambda x, i, s: x[None].expand(2, -1, -1).index_put((i[:, 0] % 2, i[:, 1]), s),
    "cells-number": lambda x, i, s: x.index_put((i[0], i[1] % 3), torch.tensor(1.0)),
    "constant-places": lambda x, i, s: x.index_put((torch.tensor([1, 1]),), s),
    "index-copy": lambda x, i, s: x.index_copy(0, i[:, 0], s),
    "index-fill": lambda x, i, s: x.index_fill(0, i[:, 0], 3.0),
    "index-add": lambda x, i, s: x.index_add(0, i[:, 0], s),
    "index-add-columns": lambda x, i, s: x.t().index_add(1, i[:, 0], s.t(), alpha=-2.0),
    "index-add-integers": lambda x, i, s: (x * 10).int().index_add(0, i[:, 0], (s * 10).int()),
    "index-add-infinity": lambda x, i, s: x.index_add(0, i[:, 0], s.clamp(max=10) / (s < 10)).clamp(-1e4, 1e4),
    "scatter-sum": lambda x, i, s: x.scatter_add(0, i, s),
    "scatter-sum-columns": lambda x, i, s: x.t().scatter_add(1, i.t(), s.t()),
    "more-than-places": lambda x, i, s: x[0].scatter_add(0, i.reshape(-1) // 2, s.reshape(-1)),
    "more-writes-than-places": lambda x, i, s: x[:1].scatter(0, i // 9, s),
    "reads-more-than-places": lambda x, i, s: x[:1].gather(0, i // 9),
    "scatter-mean": lambda x, i, s: torch.scatter_reduce(x, 0, i, s, "mean"),
    "scatter-smallest": lambda x, i, s: torch.scatter_reduce(x, 0, i, s, "amin"),
    "accumulate": lambda x, i, s: x.index_put((i[0], i[1] % 3), s[0], accumulate=True),
    "overlap-add": lambda x, i, s: nn.functional.fold(x.t()[None], (1, 14), (1, 3), stride=(1, 2)),
    "constant-sum": lambda x, i, s: x.index_add(0, torch.tensor([4, 1, 4, 4, 1]), torch.cat([s, s, s[:1]])),
    "put": lambda x, i, s: x.put(i, s),
    "apart": lambda x, i, s: x.index_put((torch.arange(2) + i[0, 0],), s),
}


@pytest.mark.parametrize("target", ["android", "iphone", "rtx"])
def test_last_write_wins(target: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    example = (torch.randn(6, 3), torch.tensor([[0, 1, 2], [3, 4, 5]]), torch.randn(2, 3))
    repeats = [[[2, 2, 2], [2, 2, 0]], [[2, 1, 2], [2, 2, 0]], [[0, 0, 0], [0, 0, 0]]]
    inputs = [(torch.randn(6, 3), torch.tensor(i), torch.randn(2, 3) * 100) for i in repeats]
    assert differences(WRITES, example, inputs, target, tmp_path) == []


class Signed(torch.nn.Module):
    """Writes and sums of negative zeros, whose sign atan2 shows."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        written, picked = x.clone(), torch.tensor([3, 0, 2])
        written[:, :2] = x[:, 2:].tanh()
        written[1, picked] = x[0, picked]
        added = x.index_add(1, picked, x[:, picked])
        return torch.atan2(written, x - 1) + torch.atan2(added, x - 1)


def test_what_is_written_keeps_the_sign_of_zero(tmp_path: Path) -> None:
    x = torch.tensor([[0.0, -0.0, -0.0, 0.5], [-0.0, -1.0, 0.0, -0.0]])
    built = edgec.build(Signed().eval(), (x,), target="android", out=tmp_path)
    assert not built.failures
    with open_runner(built.folder / built.manifest.artifact.path) as runner:
        (found,) = runner.run({built.manifest.inputs[0].name: x.numpy()}).values()
    np.testing.assert_allclose(found, Signed()(x).numpy(), rtol=1e-5)
