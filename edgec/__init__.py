"""edgec: an edge and mobile deployment compiler frontend."""

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["__version__", "build"]

if TYPE_CHECKING:
    from edgec.api import build


def __getattr__(name: str) -> Any:
    """`edgec.build` is imported when it is first used: `edgec --help` must not pay for torch."""
    if name == "build":
        return importlib.import_module("edgec.api").build
    raise AttributeError(f"module `edgec` has no attribute `{name}`")
