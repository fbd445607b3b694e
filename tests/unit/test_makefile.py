"""The Makefile's choice of Python: an environment for each version, and a message if there is none."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def _make(*words: str) -> subprocess.CompletedProcess[str]:
    plain = {name: value for name, value in os.environ.items() if "MAKE" not in name}  # not those of `make test` itself
    return subprocess.run(["make", "-n", *words], cwd=ROOT, env=plain, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("version", "folder"), [("3.11", ".venv"), ("3.12", ".venv-3.12"), ("3.13", ".venv-3.13")])
def test_each_python_has_an_environment_of_its_own(version: str, folder: str, tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\necho {version}\n", encoding="utf-8")
    python.chmod(0o755)
    planned = _make("-B", "test", f"PYTHON={python}")
    assert planned.returncode == 0, planned.stderr
    assert f"{python} -m venv {folder}\n" in planned.stdout
    assert f"{folder}/bin/python -m pytest tests " in planned.stdout


def test_a_version_that_pyenv_has_installed_but_not_selected_is_found(tmp_path: Path) -> None:
    python = tmp_path / "versions" / "3.99.1" / "bin" / "python3.99"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\necho 3.99\n", encoding="utf-8")
    python.chmod(0o755)
    planned = _make("-B", "test", "PYTHON=python3.99", f"PYENV_ROOT={tmp_path}")
    assert planned.returncode == 0, planned.stderr
    assert f"{python} -m venv .venv-3.99\n" in planned.stdout


def test_a_python_that_does_not_start_is_told(tmp_path: Path) -> None:
    refused = _make("test", f"PYTHON={tmp_path}/python3.99")
    assert refused.returncode != 0
    assert f"`{tmp_path}/python3.99` does not start" in refused.stderr
