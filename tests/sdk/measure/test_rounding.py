"""The source's own rounding: right models pass. That wrong ones fail is in test_planted.py."""

import pytest
import torch
from torch import nn

from edgec.compiler.canonical_model import CanonicalModel
from edgec.compiler.options import BuildOptions
from edgec.compiler.stages import prepare_imported
from edgec.frontend.imported import SourceId
from edgec.frontend.torch.export import export_module
from edgec.frontend.torch.request import ExportRequest
from tests.sdk.planted import MODELS


class Steps(nn.Module):
    """Values near a step may fall on either side."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.floor(torch.softmax(x, -1) * 1000 + torch.cumsum(x, -1) * 10)


class Norm(nn.Module):
    """For a constant row: zero, or its rounding error, over the root of epsilon."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(33)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(torch.cumsum(x, -1) * 0.3 + x.mean(-1, keepdim=True))


CASES: dict[type[nn.Module], tuple[int, ...]] = {**MODELS, Steps: (5, 40), Norm: (4, 33)}


def prepared(kind: type[nn.Module]) -> CanonicalModel:
    torch.manual_seed(0)
    module, example = kind().eval(), (torch.randn(*CASES[kind]),)
    imported = export_module(ExportRequest("m", SourceId("module", "m", ""), module, example))
    return prepare_imported(imported, BuildOptions(), lambda step: None)


@pytest.mark.parametrize("kind", CASES)
def test_right_models_are_taken(kind: type[nn.Module]) -> None:
    assert prepared(kind).samples
