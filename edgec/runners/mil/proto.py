"""Core ML's protobuf classes, without the time and log output of `import coremltools`.

The generated modules `coremltools/proto/*_pb2.py` need only `google.protobuf`, but importing them by name runs
coremltools' own `__init__` (1.2 s, and warnings about missing native libraries off a Mac). Therefore their folder is
found without importing the package, and the modules are loaded under a private package name. If coremltools is already
imported, its own modules are used.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

from edgec.diag import error

_PRIVATE = "edgec_coreml_proto"


@cache
def model_pb2() -> ModuleType:
    """The module that defines `Model`, the message of a `model.mlmodel`. Raises E0502 without coremltools."""
    loaded = sys.modules.get("coremltools.proto.Model_pb2")
    if loaded is not None:
        return loaded
    if _PRIVATE not in sys.modules:
        package = ModuleType(_PRIVATE)
        package.__path__ = [str(_folder())]
        sys.modules[_PRIVATE] = package
    return importlib.import_module(f"{_PRIVATE}.Model_pb2")


def _folder() -> Path:
    spec = importlib.util.find_spec("coremltools")
    if spec is None or not spec.submodule_search_locations:
        raise error("E0502", "coremltools is not installed", help=["pip install 'edgec[coreml]'"])
    return Path(next(iter(spec.submodule_search_locations))) / "proto"
