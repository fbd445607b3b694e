"""Packages that edgec uses, and the error if they are not installed."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgec.diag import error


@dataclass(frozen=True)
class Piece:
    """A package, the module that it provides, its purpose, and the extra of edgec that installs it.

    `native`: a glob pattern for a file that must be in the module's folder.
    """

    package: str
    module: str
    enables: str
    extra: str
    native: str = ""

    def is_installed(self) -> bool:
        """Whether the module can be found, without importing it."""
        loaded = sys.modules.get(self.module)
        return loaded is not None or importlib.util.find_spec(self.module) is not None


TORCH = (
    Piece("torch", "torch", "Python sources (nn.Module)", "torch"),
    Piece("onnxscript", "onnxscript", "torch's ONNX exporter", "torch"),
    Piece("safetensors", "safetensors", "weights from .safetensors", "torch"),
)
SKLEARN = (
    Piece("scikit-learn", "sklearn", "scikit-learn pipelines (.skops)", "sklearn"),
    Piece("skl2onnx", "skl2onnx", "their operators as ONNX", "sklearn"),
    Piece("skops", "skops", "reading .skops files", "sklearn"),
)
PLAIN = (Piece("onnxruntime", "onnxruntime", "verification of the canonical graph", ""),)
"""Packages for sources, and those installed with edgec itself. Backends list their own."""


def require(needs: Mapping[str, Sequence[Piece]]) -> None:
    """Raises `EdgecError` E0502 with all missing packages, by what needs them, and the command that installs them."""
    missing = {who: found for who, pieces in needs.items() if (found := [p for p in pieces if not p.is_installed()])}
    if not missing:
        return
    absent = list(dict.fromkeys(piece for found in missing.values() for piece in found))
    raise error(
        "E0502",
        f"{_listed(absent)} {'is' if len(absent) == 1 else 'are'} not installed",
        notes=[f"{who} needs {_listed(found)}" for who, found in missing.items()],
        help=[installation(absent)],
    )


def installation(pieces: Sequence[Piece]) -> str:
    """The command that installs the packages."""
    extras = ",".join(sorted({piece.extra for piece in pieces if piece.extra}))
    others = [piece.package for piece in pieces if not piece.extra]
    return " ".join(["pip install", *([f"'edgec[{extras}]'"] if extras else []), *others])


def _listed(pieces: Sequence[Piece]) -> str:
    *others, last = (piece.package for piece in pieces)
    return f"{', '.join(others)} and {last}" if others else last
