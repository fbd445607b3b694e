"""The Python environment of onnx2tf: created on demand from the configured package index, separate from edgec's."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from edgec.artifact.cache import made_once
from edgec.diag import EdgecError, error

VERSION = "2.6.9"
PINS = (
    f"onnx2tf=={VERSION}", "ai-edge-litert==2.1.2", "backports.strenum==1.2.8", "flatbuffers==25.12.19",
    "h5py==3.14.0", "markdown-it-py==4.3.0", "mdurl==0.1.2", "ml_dtypes==0.5.4", "mpmath==1.3.0", "numpy==2.2.6",
    "onnx==1.20.1", "onnx-ir==1.1.0", "onnxoptimizer==0.4.2", "onnxruntime==1.26.0", "onnxscript==0.6.2",
    "onnxsim==0.6.5", "opencv-python==4.13.0.92", "packaging==26.3", "protobuf==7.35.1", "psutil==5.9.5",
    "Pygments==2.21.0", "rich==15.0.0", "setuptools==81.0.0", "sne4onnx==2.0.1", "sng4onnx==2.0.1", "sympy==1.14.0",
    "tqdm==4.67.1", "typing_extensions==4.16.0",
)  # fmt: skip
"""All packages that onnx2tf's default path imports, in versions tested together; nothing else is installed."""

PYTHON_VARIABLE = "EDGEC_ONNX2TF_PYTHON"
"""The environment variable with the Python from which to create the environment."""
_PYTHON = (3, 12)
"""The oldest Python of onnx2tf 2."""
_LINES = 8


def interpreter() -> Path:
    """The Python of onnx2tf's environment, which is created if it does not exist.

    Raises `EdgecError` E0502 if there is no Python 3.12 or later, or the packages cannot be installed.
    """
    return made_once(f"onnx2tf-{VERSION}", _make) / "bin" / "python"


def _make(folder: Path) -> None:
    python = str(folder / "bin" / "python")
    uv = shutil.which("uv")
    if uv is not None and PYTHON_VARIABLE not in os.environ:
        _run([uv, "venv", "--allow-existing", "--python", ".".join(map(str, _PYTHON)), str(folder)])
        _run([uv, "pip", "install", "--python", python, "--no-deps", *PINS])
        return
    _run([_python(), "-m", "venv", str(folder)])
    _run([python, "-m", "pip", "install", "--quiet", "--no-deps", *PINS])


def _python() -> str:
    """A Python on which onnx2tf runs: the configured one, this one, or a later one on the path."""
    named = os.environ.get(PYTHON_VARIABLE)
    if named:
        return named
    if sys.version_info >= _PYTHON:
        return sys.executable
    for minor in range(_PYTHON[1], _PYTHON[1] + 4):
        found = shutil.which(f"python3.{minor}")
        if found is not None and _answers(found):
            return found
    raise error(
        "E0502",
        f"onnx2tf {VERSION} needs Python {_PYTHON[0]}.{_PYTHON[1]} or later, and there is none on the path",
        help=[f"install python3.12, or uv, which brings its own, or name one in {PYTHON_VARIABLE}"],
    )


def _answers(python: str) -> bool:
    """Whether it starts: a version manager's shim may not."""
    check = subprocess.run([python, "-c", "import venv"], capture_output=True, check=False)
    return check.returncode == 0


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise _failed(done.stdout + done.stderr)


def _failed(output: str) -> EdgecError:
    return error(
        "E0502",
        f"the environment of onnx2tf {VERSION} cannot be created",
        notes=output.strip().splitlines()[-_LINES:],
        help=["the packages come from the index that pip or uv is configured for"],
    )
