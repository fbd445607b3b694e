"""Errors in a request are reported before its source is imported."""

from pathlib import Path

import pytest

from edgec.compiler import build as builder
from edgec.compiler.build import build
from edgec.compiler.options import BuildOptions
from edgec.diag import EdgecError
from edgec.frontend.request import SourceRequest
from tests import models

SOURCE = SourceRequest(f"{models.__file__}:activations")


@pytest.fixture
def unimported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail if a source is imported."""

    def prepare(*_: object) -> None:
        raise AssertionError("the source was imported")

    monkeypatch.setattr(builder, "prepare", prepare)


@pytest.mark.usefixtures("unimported")
@pytest.mark.parametrize(
    ("source", "targets", "device", "code", "said"),
    [
        (SOURCE, ["iphone"], "galaxy-s24", "E0702", "runs none of these targets: iphone"),
        (SOURCE, ["iphone"], "galaxy-s42", "E0105", "galaxy-s24"),
        (SourceRequest("modles.py:net"), ["android"], None, "E0102", "`modles.py` was not found"),
        (SourceRequest(f"{Path(models.__file__).parent}/model.py:net"), ["android"], None, "E0102", "models.py"),
        (SourceRequest(SOURCE.ref, weights=Path("none.safetensors")), ["android"], None, "E0102", "none.safetensors"),
    ],
)
def test_told_before_the_import(
    source: SourceRequest, targets: list[str], device: str | None, code: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(EdgecError) as refused:
        build(source, targets, BuildOptions(out=tmp_path, device=device), lambda _: None)
    (found,) = refused.value.diagnostics
    assert found.code == code
    assert said in " ".join([found.message, *found.notes, *found.help])
    assert not any(tmp_path.iterdir())


@pytest.mark.usefixtures("unimported")
def test_a_target_that_its_board_builds(tmp_path: Path) -> None:
    report = build(SOURCE, ["jetson-orin"], BuildOptions(out=tmp_path), lambda _: None)
    assert [d.code for d in report.errors] == ["E0503"]


def test_a_device_is_for_the_targets_that_it_runs(tmp_path: Path) -> None:
    options = BuildOptions(out=tmp_path, device="iphone-13")
    report = build(SOURCE, ["iphone", "android", "jetson-orin"], options, lambda _: None)
    assert {b.manifest.target: b.manifest.latency[0].device for b in report.built} == {
        "iphone": "iphone-13",
        "android": "galaxy-s24",
    }
    assert [d.code for d in report.errors] == ["E0503"]
