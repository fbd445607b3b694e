"""Packages that edgec uses, and the error if they are not installed."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgec.diag import error


@dataclass(frozen=True)
class OptionalPackage:
    """A package, the module that it provides, its purpose, and the extra of edgec that installs it.

    `native`: a glob pattern for a file that must be in the module's folder.
    """

    distribution: str
    module: str
    enables: str
    extra: str
    native: str = ""

    def is_installed(self) -> bool:
        """Whether the module can be found, without importing it."""
        loaded = sys.modules.get(self.module)
        return loaded is not None or importlib.util.find_spec(self.module) is not None


TORCH = (
    OptionalPackage("torch", "torch", "Python sources (nn.Module)", "torch"),
    OptionalPackage("onnxscript", "onnxscript", "torch's ONNX exporter", "torch"),
    OptionalPackage("safetensors", "safetensors", "weights from .safetensors", "torch"),
)
SKLEARN = (
    OptionalPackage("scikit-learn", "sklearn", "scikit-learn pipelines (.skops)", "sklearn"),
    OptionalPackage("skl2onnx", "skl2onnx", "their operators as ONNX", "sklearn"),
    OptionalPackage("skops", "skops", "reading .skops files", "sklearn"),
)
PLAIN = (OptionalPackage("onnxruntime", "onnxruntime", "verification of the canonical graph", ""),)
"""Packages for sources, and those installed with edgec itself. Backends list their own."""


def require(needs: Mapping[str, Sequence[OptionalPackage]]) -> None:
    """Raises `EdgecError` E0502 with all missing packages, by what needs them, and the command that installs them."""
    missing = {
        who: found for who, packages in needs.items() if (found := [p for p in packages if not p.is_installed()])
    }
    if not missing:
        return
    absent = list(dict.fromkeys(package for found in missing.values() for package in found))
    raise error(
        "E0502",
        f"{_listed(absent)} {'is' if len(absent) == 1 else 'are'} not installed",
        notes=[f"{who} needs {_listed(found)}" for who, found in missing.items()],
        help=[installation(absent)],
    )


def installation(packages: Sequence[OptionalPackage]) -> str:
    """The command that installs the packages."""
    extras = ",".join(sorted({package.extra for package in packages if package.extra}))
    others = [package.distribution for package in packages if not package.extra]
    return " ".join(["pip install", *([f"'edgec[{extras}]'"] if extras else []), *others])


def _listed(packages: Sequence[OptionalPackage]) -> str:
    *others, last = (package.distribution for package in packages)
    return f"{', '.join(others)} and {last}" if others else last
