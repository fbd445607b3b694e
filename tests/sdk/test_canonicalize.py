"""Canonicalization of exported models: the core dialect is reached early and never left again."""

from pathlib import Path

import pytest

from edgec.diag import Diagnostic
from edgec.dialect.core import CORE
from edgec.frontend.source import SourceRequest, capture
from edgec.ir.model import Model
from edgec.passes.canonicalize import canonicalize
from edgec.passes.log import RewriteLog

MODELS = Path(__file__).parent.parent / "models.py"


@pytest.mark.parametrize("name", ["mobilenet", "bert", "unet", "activations", "window_attention"])
def test_every_pass_after_the_decompositions_keeps_the_core_dialect(name: str) -> None:
    outside: dict[str, list[Diagnostic]] = {}

    def check(step: str, model: Model) -> None:
        outside[step] = CORE.check(model)

    captured = capture(SourceRequest(f"{MODELS}:{name}"))
    log = RewriteLog()
    canonicalize(captured.model, log, check)
    steps = list(outside)
    for step in steps[steps.index("decompose-bodies") :]:
        assert outside[step] == [], step
    assert not [node for node in captured.model.graph if node.op_type == "BatchNormalization"]


def test_known_fusions_fire() -> None:
    log = RewriteLog()
    canonicalize(capture(SourceRequest(f"{MODELS}:mobilenet")).model, log)
    assert log.counts["fold-batch-norm"] > 10
    log = RewriteLog()
    model = canonicalize(capture(SourceRequest(f"{MODELS}:bert")).model, log)
    kinds = {node.op_type for node in model.graph}
    assert {"LayerNormalization", "Gelu", "Attention"} <= kinds
