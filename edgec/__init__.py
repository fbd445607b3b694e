"""edgec: an edge and mobile deployment compiler frontend."""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["__version__", "build"]

if TYPE_CHECKING:
    from edgec.api import build


def __getattr__(name: str) -> Any:
    """`edgec.build` is imported when it is first used: `edgec --help` must not pay for torch."""
    if name == "build":
        from edgec.api import build

        return build
    raise AttributeError(f"module `edgec` has no attribute `{name}`")
