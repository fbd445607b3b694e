"""Chooses the frontend for a source, and imports the model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edgec.artifact.format import FORMATS
from edgec.diag import error
from edgec.diag.suggest import suggest
from edgec.frontend.imported import ImportedModel
from edgec.frontend.request import SourceRequest
from edgec.frontend.samples.additional import further_samples
from edgec.frontend.samples.inputs import with_ranges
from edgec.frontend.state_pairs import name_states
from edgec.frontend.torch.loading import registered_quickly, without_garbage
from edgec.spec.optional_package import SKLEARN, TORCH, OptionalPackage, require
from edgec.spec.reads import note

_PICKLES = {".pkl", ".pickle", ".joblib", ".dill"}


def import_source(request: SourceRequest) -> ImportedModel:
    """Import the source.

    Raises `EdgecError`: E0102 not found, E0103 not a model, E0107 inputs, E0502 a package is missing, E02xx the model.
    """
    require({f"`{request.ref}`": packages_of(request.ref)})
    request = replace(request, inputs=with_ranges(request.inputs, request.ranges))
    imported = _imported(request)
    imported = replace(imported, extra_samples=(*imported.extra_samples, *further_samples(imported, request.inputs)))
    name_states(imported.model, request.states)
    return replace(imported, ranges=request.ranges)


def _imported(request: SourceRequest) -> ImportedModel:
    if request.held is not None:
        from edgec.frontend.torch.importer import import_held

        return import_held(request, request.held)
    path = Path(request.ref)
    suffix = path.suffix.lower()
    if suffix in _PICKLES:
        raise error(
            "E0204",
            f"`{path.name}` is a pickle, which runs code when it is loaded",
            help=[
                "save weights as safetensors or `torch.save(model.state_dict(), …)` and give the code: file.py:attr",
                "save a scikit-learn pipeline with `skops.io.dump(pipeline, 'model.skops')`",
            ],
        )
    if request.weights is not None and (suffix in _FILES or ":" not in request.ref):
        raise error("E0101", "`--weights` needs a Python source: `file.py:attr` or `package.module:attr`")
    if suffix in _FILES:
        note(existing(path), "source")
        return _FILES[suffix].read(path, request)
    if ":" in request.ref:
        return _python(request)
    if request.ref and path.exists():
        raise error(
            "E0103",
            f"`{request.ref}` is {'a folder, not' if path.is_dir() else 'not'} a source that edgec can read",
            help=[_WAYS_IN.get(suffix, _ANY_WAY_IN)],
        )
    raise error(
        "E0102", f"`{request.ref}` was not found", help=["give `file.py:attr`, `package.module:attr` or `model.onnx`"]
    )


def _python(request: SourceRequest) -> ImportedModel:
    with registered_quickly():
        with without_garbage():
            from edgec.frontend.torch.importer import import_python

        return import_python(request)


def _onnx(path: Path, request: SourceRequest) -> ImportedModel:
    from edgec.frontend.onnx.importer import import_onnx

    return import_onnx(path, request)


def _program(path: Path, request: SourceRequest) -> ImportedModel:
    with registered_quickly():
        with without_garbage():
            from edgec.frontend.torch.exported_program.importer import import_exported_program

        return import_exported_program(path, request)


def _torchscript(path: Path, request: SourceRequest) -> ImportedModel:
    with registered_quickly():
        with without_garbage():
            from edgec.frontend.torch.torchscript.importer import import_torchscript

        return import_torchscript(path, request)


def _skops(path: Path, request: SourceRequest) -> ImportedModel:
    from edgec.frontend.sklearn.importer import import_skops

    return import_skops(path, request)


@dataclass(frozen=True)
class _Reader:
    """The frontend for one kind of file, imported on first use, and the packages that it needs."""

    read: Callable[[Path, SourceRequest], ImportedModel]
    needs: tuple[OptionalPackage, ...] = TORCH


_FILES = {
    ".onnx": _Reader(_onnx, ()),
    ".pt2": _Reader(_program),
    ".skops": _Reader(_skops, SKLEARN),
    ".pt": _Reader(_torchscript),
    ".pth": _Reader(_torchscript),
    ".ts": _Reader(_torchscript),
    ".torchscript": _Reader(_torchscript),
}


def packages_of(ref: str) -> tuple[OptionalPackage, ...]:
    """The packages needed to read a source; none if it is not a source, which `import_source` reports."""
    suffix = Path(ref).suffix.lower()
    if suffix in _FILES:
        return _FILES[suffix].needs
    return TORCH if ":" in ref and suffix not in _PICKLES else ()


_ANY_WAY_IN = "give `file.py:attr`, `package.module:attr`, or an `.onnx`, `.pt2`, `.skops` or TorchScript file"

_WEIGHTS = "give the weights together with their code: `edgec build file.py:attr --weights FILE`"
_TENSORFLOW = "convert it to ONNX with `python -m tf2onnx.convert`, and give the `.onnx` file"
_BUILT = "it is the output of a build: give the source that it was built from"

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
"""What to do with files that are not sources."""


def existing(path: Path) -> Path:
    """The path of a file. Raises `EdgecError` E0102, with the most similar name in the folder, if it does not exist."""
    if not path.is_file():
        what = "is no regular file" if path.exists() else "was not found"
        raise error("E0102", f"`{path}` {what}", help=_similar(path))
    return path


def _similar(path: Path) -> Sequence[str]:
    folder = path.parent
    others = sorted(p.name for p in folder.glob(f"*{path.suffix}")) if folder.is_dir() else []
    near = suggest(path.name, others)
    if near is not None:
        return [f"did you mean `{near}`?"]
    return [f"in `{folder}` there is {', '.join(others[:5])}"] if others else []
