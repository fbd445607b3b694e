"""edgec: an edge and mobile deployment compiler frontend."""

import importlib
import os
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = [
    "Built",
    "Diagnostic",
    "EdgecError",
    "PartialBuildError",
    "__version__",
    "build",
    "check",
    "diff",
    "evaluate",
    "inspect",
    "predict",
    "run",
]

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
"""ONNX Runtime (from 1.29 on) writes a device id and a queue of events under the user's cache folder, and sends them,
unless this is set before it is imported. Seen with 1.31; docs/how-to/verification.md.
"""

if TYPE_CHECKING:
    from edgec.api import (
        Built,
        Diagnostic,
        EdgecError,
        PartialBuildError,
        build,
        check,
        diff,
        evaluate,
        inspect,
        predict,
        run,
    )


def __getattr__(name: str) -> Any:
    """The API is imported when it is first used: `edgec --help` must not pay for it."""
    if name in __all__:
        return getattr(importlib.import_module("edgec.api"), name)
    raise AttributeError(f"module `edgec` has no attribute `{name}`")


def __dir__() -> list[str]:
    return [*__all__, *globals()]
