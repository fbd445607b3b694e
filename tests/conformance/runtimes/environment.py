"""The runtimes and their environments, created on demand in the cache folder, separate from edgec's."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgec.artifact.cache import made_once
from edgec.diag import error

_PYTHONS = ("3.11", "3.10", "3.9")
"""Pythons for which every wheel below exists; tflite-runtime 2.14 has none for later ones."""
_LINES = 6


@dataclass(frozen=True)
class Runtime:
    """A package that runs TFLite files; `release` is the equivalent release of TensorFlow Lite."""

    package: str
    version: str
    release: str
    numpy: str

    @property
    def name(self) -> str:
        """The display name, also used for the environment's folder."""
        return f"{self.package}-{self.version}"


RUNTIMES = (
    Runtime("tflite-runtime", "2.14.0", "2.14", "1.26.4"),
    Runtime("ai-edge-litert", "1.0.1", "2.18", "1.26.4"),
    Runtime("ai-edge-litert", "1.4.0", "2.20", "2.2.6"),
    Runtime("ai-edge-litert", "2.0.3", "2.20.1", "2.2.6"),
)
TENSORFLOW = Runtime("tensorflow-cpu", "2.21.0", "2.21", "2.2.6")
"""TensorFlow's wheel contains an interpreter of its own."""


def interpreter(runtime: Runtime) -> Path:
    """The Python of a runtime's environment. Raises `EdgecError` E0502 if it cannot be created."""

    def make(folder: Path) -> None:
        new_environment(folder, [f"{runtime.package}=={runtime.version}", f"numpy=={runtime.numpy}"])

    return made_once(f"runtimes/{runtime.name}", make) / "bin/python"


def new_environment(folder: Path, packages: Sequence[str]) -> None:
    """Create a Python environment with these packages. Raises `EdgecError` E0502."""
    _run([_python(), "-m", "venv", str(folder)])
    _run([str(folder / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages])


def _python() -> str:
    if ".".join(map(str, sys.version_info[:2])) in _PYTHONS:
        return sys.executable
    for version in _PYTHONS:
        found = shutil.which(f"python{version}")
        if found and subprocess.run([found, "-c", "import venv"], capture_output=True, check=False).returncode == 0:
            return found
    raise error("E0502", f"the runtimes need Python {' or '.join(_PYTHONS)}, and there is none on the path")


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = (done.stdout + done.stderr).strip().splitlines()[-_LINES:]
        raise error("E0502", "the environment of a runtime cannot be made", notes=lines)
