"""TensorRT's builder in a process of its own: what it refuses, and that its crash is a diagnostic."""

import sys
from pathlib import Path

import pytest
from torch import nn, randn

import edgec
from edgec.diag import EdgecError


def refused(module: nn.Module, out: Path) -> tuple[str, str]:
    with pytest.raises(EdgecError) as raised:
        edgec.build(module, (randn(1, 3, 8, 8),), target="rtx", out=out)
    (found,) = raised.value.diagnostics
    return found.code, "\n".join([found.message, *found.notes])


@pytest.mark.parametrize(
    ("script", "how"), [("kill -SEGV $$", "signal 11"), ("echo broken >&2; exit 3", "exit code 3")]
)
def test_a_crash_of_the_builder_is_a_diagnostic(script: str, how: str, tmp_path: Path, monkeypatch) -> None:
    fake = tmp_path / "python"
    fake.write_text(f"#!/bin/sh\n{script}\n")
    fake.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(fake))
    code, said = refused(nn.Conv2d(3, 4, 3), tmp_path / "out")
    assert code == "E0501"
    assert "TensorRT's builder crashed" in said
    assert how in said
    assert not list((tmp_path / "out").rglob("*.engine"))


def test_vectors_are_taken(tmp_path: Path) -> None:
    """Of which the parser takes no softmax, and no place of an extreme."""

    class Vector(nn.Module):
        def forward(self, x):
            return x.softmax(0), x.argmax()

    built = edgec.build(Vector().eval(), (randn(7),), target="rtx", out=tmp_path, name="m")
    assert not built.failures
