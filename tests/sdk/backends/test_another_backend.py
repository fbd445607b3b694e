"""A new backend needs a folder, a row in two tables and a target; all commands support it."""

from pathlib import Path

import pytest

from edgec.artifact.format import FORMATS
from edgec.compiler.build import build
from edgec.compiler.check import Budget, check_artifact
from edgec.compiler.forecast import predict_source
from edgec.compiler.options import BuildOptions
from edgec.diag import EdgecError
from edgec.frontend.request import SourceRequest
from edgec.measure.inspection import inspect
from edgec.spec.backend import BACKENDS
from edgec.spec.target import list_targets
from tests import ROOT, models

TOY = ROOT / "toy_backend"
SOURCE = SourceRequest(f"{models.__file__}:activations")


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BACKENDS, "toy", "tests.toy_backend.backend")
    monkeypatch.setitem(FORMATS, "toy", "tests.toy_backend.backend")
    monkeypatch.setenv("EDGEC_PATH", str(TOY))


def test_it_builds_and_is_checked(tmp_path: Path) -> None:
    report = build(SOURCE, ["toy"], BuildOptions(out=tmp_path), lambda _: None)
    assert report.errors == []
    (built,) = report.built
    assert built.manifest.accuracy.status == "passed"
    assert built.manifest.accuracy.runner == "toy"
    assert {"gelu-to-erf", "hardswish-to-hardsigmoid-mul"} <= {r.rule for r in built.manifest.rewrites}
    assert inspect(built.folder / "activations.toy").metadata["greeting"] == "hello"
    assert check_artifact(built.folder, SOURCE, Budget()).failures == []
    assert "toy" in list_targets()


def test_its_options_are_read_and_its_refusals_told(tmp_path: Path) -> None:
    options = BuildOptions(out=tmp_path, settings=("options.greeting=good morning",))
    (built,) = build(SOURCE, ["toy"], options, lambda _: None).built
    assert (built.folder / "activations.toy").read_bytes().startswith(b"good morning\n")
    with pytest.raises(EdgecError) as caught:
        build(SOURCE, ["toy"], BuildOptions(out=tmp_path, settings=("options.greetings=x",)), lambda _: None)
    assert "greetings" in caught.value.diagnostics[0].message
    disabled = BuildOptions(out=tmp_path / "off", disable=("gelu-to-erf",))
    (plain,) = build(SOURCE, ["toy"], disabled, lambda _: None).built
    assert "gelu-to-erf" not in {r.rule for r in plain.manifest.rewrites}


def test_prediction_needs_a_device() -> None:
    with pytest.raises(EdgecError) as caught:
        predict_source(SOURCE, "toy", BuildOptions(), lambda _: None)
    assert caught.value.diagnostics[0].code == "E0702"
