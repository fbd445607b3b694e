"""The programs of a small model as text, in which a change of any lowering is visible."""

import pytest

from edgec.backends.table import backend
from edgec.compiler.canonical_model import CanonicalModel
from edgec.compiler.options import BuildOptions
from edgec.compiler.stages import prepare
from edgec.frontend.request import SourceRequest
from edgec.spec.target import load_target
from tests import ROOT

MODELS = ROOT / "models.py"


@pytest.fixture(scope="module", params=["unet", "activations", "bert"])
def prepared(request: pytest.FixtureRequest) -> CanonicalModel:
    return prepare(SourceRequest(f"{MODELS}:{request.param}"), BuildOptions(), lambda _: None)


@pytest.mark.parametrize("name", ["android", "iphone", "rtx"])
def test_program_text(name: str, prepared: CanonicalModel, golden) -> None:
    target = load_target(name)
    chosen = backend(target.backend)
    program = chosen.lower(chosen.legalize(prepared.model, target).model, target)
    golden(f"{name}/{prepared.imported.name}.txt", program.text())
