"""Reports exceptions of the user's own code with file and line, and the path of the module that ran."""

from __future__ import annotations

import os
import re
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import edgec
from edgec.diag import EdgecError, Place, error

_FOREIGN = ("<", str(Path(edgec.__file__).parent), str(Path(os.__file__).parent))

_ROOT = "_export_root"
"""The name of the traced module in torch.export."""

_LONGEST = 200
"""The number of characters shown of the first line of an exception."""


@contextmanager
def user_code(doing: str, notes: Sequence[str] = ()) -> Iterator[None]:
    """Convert any exception of the user's code to `EdgecError` E0201 with its file, line, and `notes`."""
    try:
        yield
    except EdgecError:
        raise
    except (Exception, SystemExit) as failure:  # any exception in foreign code is the user's, not a bug of edgec
        message = f"{doing} failed: {_first_line(failure)}"
        place, help = place_of_failure(failure), _advice(failure)
        raise error("E0201", message, place=place, notes=notes, help=help) from failure


def _first_line(failure: BaseException) -> str:
    lines = str(failure).strip().splitlines()
    if not lines:
        return type(failure).__name__
    first = lines[0] if len(lines[0]) <= _LONGEST else f"{lines[0][:_LONGEST].rstrip()} …"
    return f"{type(failure).__name__}: {first}"


def _advice(failure: BaseException) -> list[str]:
    """What to do about failures that are common to many models."""
    if isinstance(failure, ModuleNotFoundError) and failure.name:
        package = failure.name.partition(".")[0]
        return [f"install `{package}` where edgec is installed: `{sys.executable} -m pip install {package}`"]
    if isinstance(failure, FileNotFoundError):
        return [f"relative paths begin in the folder where edgec is started, here `{Path.cwd()}`"]
    return [advice for pattern, advice in _ADVICE.items() if re.search(pattern, str(failure))][:1]


_ADVICE = {
    r"Torch not compiled with CUDA|No CUDA GPUs|Found no NVIDIA driver|MPS backend": (
        "edgec runs the model on the CPU: take the device from an input, `torch.ones(1, device=x.device)`"
    ),
    r"device meta|Cannot copy out of meta tensor": (
        "the model has no values on the device `meta`: make it on the CPU, or load its weights"
    ),
    r"must have the same dtype|expected scalar type|Input type .* and (bias|weight) type": (
        "an input can be given in another element type: `--input NAME=SHAPE:DTYPE`"
    ),
    r"shapes cannot be multiplied|Expected \d+.* but got|expected input\[|must match the size|must be equal to": (
        "check the shapes of the example inputs, `--input NAME=SHAPE` gives others"
    ),
    r"index out of range": "check the values of the example inputs: `--range NAME=LOW..HIGH`, `--input NAME=@FILE.npy`",
}
"""By torch's message, as of version 2.13."""


def place_of_failure(failure: BaseException) -> Place | None:
    """The innermost line outside installed packages and edgec itself, and the path of the innermost module."""
    if isinstance(failure, SyntaxError) and failure.filename:
        return Place(failure.filename, failure.lineno)
    frames = list(traceback.walk_tb(failure.__traceback__))
    mine = [(f.f_code.co_filename, line) for f, line in frames if is_users_own(f.f_code.co_filename)]
    return Place(*mine[-1], _module_path([frame for frame, _ in frames])) if mine else None


def _module_path(frames: Sequence[FrameType]) -> str | None:
    """The path, from the outermost module, of the innermost `nn.Module` with an active method."""
    modules = [f.f_locals["self"] for f in frames if "self" in f.f_locals]
    modules = [m for m in modules if callable(getattr(type(m), "named_modules", None))]
    if not modules:
        return None
    path = next((path for path, module in modules[0].named_modules() if module is modules[-1]), "")
    return path.removeprefix(_ROOT).removeprefix(".") or None


def is_users_own(file: str) -> bool:
    """Whether the file is the user's own: not of an installed package, edgec or Python."""
    return not file.startswith(_FOREIGN) and not ("site-packages" in file or "dist-packages" in file)
