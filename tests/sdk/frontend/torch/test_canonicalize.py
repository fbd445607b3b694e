"""Canonicalization of exported models: the core dialect is reached early and not left again."""

import pytest
import torch

from edgec.compiler.options import BuildOptions
from edgec.compiler.stages import prepare_imported
from edgec.diag import Diagnostic
from edgec.dialect.core import CORE
from edgec.frontend.dispatch import import_source
from edgec.frontend.imported import SourceId
from edgec.frontend.request import SourceRequest
from edgec.frontend.torch.export import export_module
from edgec.frontend.torch.request import ExportRequest
from edgec.ir.model import Model
from edgec.passes.canonicalize import canonicalize
from edgec.passes.remarks import counted
from tests import ROOT

MODELS = ROOT / "models.py"


@pytest.mark.parametrize("name", ["mobilenet", "bert", "unet", "activations", "window_attention"])
def test_every_pass_after_the_decompositions_keeps_the_core_dialect(name: str) -> None:
    outside: dict[str, list[Diagnostic]] = {}

    def check(step: str, model: Model) -> None:
        outside[step] = CORE.check(model)

    imported = import_source(SourceRequest(f"{MODELS}:{name}"))
    canonicalize(imported.model, check)
    steps = list(outside)
    for step in steps[steps.index("decompose-bodies") :]:
        assert outside[step] == [], step
    assert not [node for node in imported.model.graph if node.op_type == "BatchNormalization"]


def test_known_fusions_fire() -> None:
    done = canonicalize(import_source(SourceRequest(f"{MODELS}:mobilenet")).model).remarks
    assert counted(done)["fold-batch-norm"] > 10
    model = canonicalize(import_source(SourceRequest(f"{MODELS}:bert")).model).model
    kinds = {node.op_type for node in model.graph}
    assert {"LayerNormalization", "Gelu", "Attention"} <= kinds


class OwnLayerNorm(torch.nn.Module):
    """Layer normalization written by hand."""

    def __init__(self, form):
        super().__init__()
        self.form, self.scale, self.shift = form, torch.nn.Parameter(torch.rand(8)), torch.nn.Parameter(torch.rand(8))

    def forward(self, x):
        mean = x.mean(-1, keepdim=True)
        if self.form == "centred twice":
            spread = (x - mean).pow(2).mean(-1, keepdim=True)
        elif self.form == "by var":
            spread = x.var(-1, keepdim=True, unbiased=False)
        else:
            spread, mean = torch.var_mean(x, -1, correction=0, keepdim=True)
        return (x - mean) / torch.sqrt(spread + 1e-5) * self.scale + self.shift


@pytest.mark.parametrize("form", ["centred twice", "by var", "by var_mean"])
def test_a_layer_norm_of_ones_own_is_recognized(form):
    request = ExportRequest("m", SourceId("module", "m", ""), OwnLayerNorm(form).eval(), (torch.randn(2, 5, 8),))
    model = prepare_imported(export_module(request), BuildOptions(), lambda step: None).model
    assert [node.op_type for node in model.graph] == ["LayerNormalization"]
