"""A model named by a Python attribute: import it, get the module and its example inputs, export it."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from edgec.diag import error
from edgec.diag.suggest import suggest
from edgec.frontend.captured import Captured, SourceId
from edgec.frontend.source import SourceRequest, file_sha256, source_name
from edgec.frontend.torch_export import ExportRequest, export_module
from edgec.frontend.user_code import user_code
from edgec.frontend.weights import load_weights

SEED = 0
"""torch's seed before the user's code runs: a model with random weights is the same model in every build."""


def capture_python(request: SourceRequest) -> Captured:
    """Import `file.py:attr` or `package.module:attr` and export the module that it names."""
    where, _, attribute = request.ref.rpartition(":")
    with user_code(f"importing `{where}`"):
        torch.manual_seed(SEED)
        module = _import(where)
    file = Path(module.__file__) if module.__file__ else None
    found = _attribute(module, where, attribute)
    net, inputs = _module_and_inputs(found, request)
    if request.weights is not None:
        load_weights(net, request.weights)
    source = SourceId("python", request.ref, file_sha256(file) if file and file.is_file() else "")
    return export_module(
        ExportRequest(source_name(request), source, net, inputs, request.inputs, dynamic=request.dynamic)
    )


def _import(where: str) -> ModuleType:
    path = Path(where)
    if path.suffix != ".py":
        try:
            sys.path.insert(0, str(Path.cwd()))
            return importlib.import_module(where)
        except ModuleNotFoundError as missing:
            if missing.name is not None and where.split(".")[0] != missing.name.split(".")[0]:
                raise
            raise error(
                "E0102", f"no module `{where}`", help=["name a file as `path/to/file.py:attr`, or install the package"]
            ) from None
    if not path.is_file():
        near = sorted(p.name for p in path.parent.glob("*.py"))[:5] if path.parent.is_dir() else []
        raise error(
            "E0102", f"`{where}` was not found", help=[f"in `{path.parent}` there is {', '.join(near)}"] if near else []
        )
    folder = str(path.parent.resolve())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    spec = importlib.util.spec_from_file_location(path.stem, path.resolve())
    assert spec is not None and spec.loader is not None  # noqa: PT018 - a .py file always has both
    module = importlib.util.module_from_spec(spec)
    known = sys.modules.get(path.stem)
    if known is None or getattr(known, "__file__", None) == module.__file__:
        sys.modules[path.stem] = module  # pickling and dataclasses look there; a package of that name keeps its place
    spec.loader.exec_module(module)
    return module


def _attribute(module: ModuleType, where: str, attribute: str) -> Any:
    found: Any = module
    for part in attribute.split("."):
        if not hasattr(found, part):
            public = sorted(n for n, v in vars(found).items() if not n.startswith("_") and _could_be_model(v))
            near = suggest(part, public)
            listed = [f"it has {', '.join(public[:12])}"] if public else []
            raise error(
                "E0103",
                f"`{where}` has no attribute `{part}`",
                notes=listed,
                help=[f"did you mean `{near}`?"] if near else [],
            )
        found = getattr(found, part)
    return found


def _could_be_model(value: object) -> bool:
    return isinstance(value, torch.nn.Module) or inspect.isfunction(value) or inspect.isclass(value)


def _module_and_inputs(found: Any, request: SourceRequest) -> tuple[torch.nn.Module, Any]:
    """A module stays; a class or function is called without arguments."""
    if not isinstance(found, torch.nn.Module) and callable(found):
        with user_code(f"calling `{request.ref}`"):
            torch.manual_seed(SEED)
            found = found()
    inputs: Any = None
    if isinstance(found, tuple) and len(found) == 2 and isinstance(found[0], torch.nn.Module):
        found, inputs = found
    if not isinstance(found, torch.nn.Module):
        raise error(
            "E0103",
            f"`{request.ref}` is a {type(found).__name__}, not a model",
            help=[
                "name a `torch.nn.Module`, a class, or a function that returns a module or `(module, example_inputs)`"
            ],
        )
    return found.eval(), inputs
