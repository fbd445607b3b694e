"""From what the user names to a captured model: which frontend reads which source."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from edgec.artifact.format import FORMATS
from edgec.diag import error
from edgec.frontend.dynamic import DynamicDim
from edgec.frontend.extensions import Extension
from edgec.frontend.imported import Captured
from edgec.frontend.samples.additional import further_samples
from edgec.frontend.samples.inputs import InputSpec, with_ranges
from edgec.frontend.state_pairs import name_states
from edgec.spec.piece import SKLEARN, TORCH, Piece, require
from edgec.spec.ranges import InputRange

_PICKLES = {".pkl", ".pickle", ".joblib", ".dill"}


@dataclass(frozen=True)
class SourceRequest:
    """A source as the command line names it, with what goes with it; `extension` knows the user's own operators."""

    ref: str
    inputs: tuple[InputSpec, ...] = ()
    name: str | None = None
    weights: Path | None = None
    dynamic: tuple[DynamicDim, ...] = ()
    states: tuple[tuple[str, str], ...] = ()
    ranges: tuple[InputRange, ...] = ()
    extension: Extension = field(default_factory=Extension)


def capture(request: SourceRequest) -> Captured:
    """Read the source.

    Raises `EdgecError`: E0102 not found, E0103 no model, E0107 inputs, E0502 a package is missing, E02 for the model.
    """
    require({f"`{request.ref}`": packages_of(request.ref)})
    request = replace(request, inputs=with_ranges(request.inputs, request.ranges))
    captured = _capture(request)
    captured = replace(captured, extra_samples=(*captured.extra_samples, *further_samples(captured, request.inputs)))
    name_states(captured.model, request.states)
    return replace(captured, ranges=request.ranges)


def _capture(request: SourceRequest) -> Captured:
    path = Path(request.ref)
    suffix = path.suffix.lower()
    if suffix in _PICKLES:
        raise error(
            "E0204",
            f"`{path.name}` is a pickle, which runs code when it is read",
            help=[
                "save weights as safetensors or `torch.save(model.state_dict(), …)` and name the code: file.py:attr",
                "save a scikit-learn pipeline with `skops.io.dump(pipeline, 'model.skops')`",
            ],
        )
    if request.weights is not None and (suffix in _FILES or ":" not in request.ref):
        raise error("E0101", "`--weights` goes with code: `file.py:attr` or `package.module:attr`")
    if suffix in _FILES:
        return _FILES[suffix].capture(_existing(path), request)
    if ":" in request.ref:
        from edgec.frontend.torch.python_source import capture_python

        return capture_python(request)
    if request.ref and path.exists():
        raise error(
            "E0103",
            f"`{request.ref}` is {'a folder, not' if path.is_dir() else 'not'} a source that edgec reads",
            help=[_WAYS_IN.get(suffix, _ANY_WAY_IN)],
        )
    raise error(
        "E0102", f"`{request.ref}` was not found", help=["name `file.py:attr`, `package.module:attr` or `model.onnx`"]
    )


def _onnx(path: Path, request: SourceRequest) -> Captured:
    from edgec.frontend.onnx.file import capture_onnx

    return capture_onnx(path, request)


def _program(path: Path, request: SourceRequest) -> Captured:
    from edgec.frontend.torch.exported_program.capture import capture_program

    return capture_program(path, request)


def _torchscript(path: Path, request: SourceRequest) -> Captured:
    from edgec.frontend.torch.torchscript.capture import capture_torchscript

    return capture_torchscript(path, request)


def _skops(path: Path, request: SourceRequest) -> Captured:
    from edgec.frontend.sklearn.capture import capture_skops

    return capture_skops(path, request)


@dataclass(frozen=True)
class _Reader:
    """The frontend of a kind of file, imported when it is called, and the packages that it needs."""

    capture: Callable[[Path, SourceRequest], Captured]
    needs: tuple[Piece, ...] = TORCH


_FILES = {
    ".onnx": _Reader(_onnx, ()),
    ".pt2": _Reader(_program),
    ".skops": _Reader(_skops, SKLEARN),
    ".pt": _Reader(_torchscript),
    ".pth": _Reader(_torchscript),
    ".ts": _Reader(_torchscript),
    ".torchscript": _Reader(_torchscript),
}


def packages_of(ref: str) -> tuple[Piece, ...]:
    """The packages that reading a source needs; none for what is no source, which `capture` refuses."""
    suffix = Path(ref).suffix.lower()
    if suffix in _FILES:
        return _FILES[suffix].needs
    return TORCH if ":" in ref and suffix not in _PICKLES else ()


_ANY_WAY_IN = "name `file.py:attr`, `package.module:attr`, or an `.onnx`, `.pt2`, `.skops` or TorchScript file"

_WEIGHTS = "weights go with the code that they belong to: `edgec build file.py:attr --weights FILE`"
_TENSORFLOW = "write it as ONNX, `python -m tf2onnx.convert`, and name the `.onnx` file"
_BUILT = "it is what a build gives: name what it was built from"

_WAYS_IN = {
    ".py": "name the model in it: `file.py:attr`",
    ".safetensors": _WEIGHTS,
    ".bin": _WEIGHTS,
    ".ckpt": _WEIGHTS,
    ".npz": _WEIGHTS,
    ".gguf": _WEIGHTS,
    ".h5": _TENSORFLOW,
    ".keras": _TENSORFLOW,
    ".pb": _TENSORFLOW,
    ".mlmodel": _BUILT,
    **{f".{name}": _BUILT for name in FORMATS if f".{name}" not in _FILES},
}
"""What to do with files that are no source."""


def source_name(request: SourceRequest) -> str:
    """The model's name: `--name`, the attribute, or the file's stem, safe as a file name."""
    tail = request.name or request.ref.rpartition(":")[2]
    stem = Path(tail).stem if Path(tail).suffix.lower() in _FILES else tail
    return safe_name(stem)


def safe_name(name: str) -> str:
    """The name as one part of a path, which never leads elsewhere."""
    return re.sub(r"[^\w.-]", "_", name).lstrip(".") or "model"


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _existing(path: Path) -> Path:
    if not path.is_file():
        what = "is no regular file" if path.exists() else "was not found"
        raise error("E0102", f"`{path}` {what}", help=_similar(path))
    return path


def _similar(path: Path) -> Sequence[str]:
    folder = path.parent
    others = sorted(p.name for p in folder.glob(f"*{path.suffix}"))[:5] if folder.is_dir() else []
    return [f"in `{folder}` there is {', '.join(others)}"] if others else []
