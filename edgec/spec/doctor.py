"""`edgec doctor`: what is installed, and what each missing piece would enable."""

from __future__ import annotations

import importlib.util
import platform
from importlib import metadata
from pathlib import Path

from edgec.spec.backend import backend_specs
from edgec.spec.piece import Piece

PIECES = (
    Piece("torch", "torch", "Python sources (nn.Module)", "torch"),
    Piece("onnxscript", "onnxscript", "torch's ONNX exporter", "torch"),
    Piece("onnxruntime", "onnxruntime", "verification of the canonical graph", ""),
    Piece("skl2onnx", "skl2onnx", "scikit-learn pipelines (.skops)", "sklearn"),
)


def report() -> list[str]:
    """A line for each piece, missing ones with the command that installs them. Imports none of them."""
    lines = [f"Python {platform.python_version()} on {platform.platform()}"]
    lines += [_line(piece) for piece in (*PIECES, *(p for spec in backend_specs() for p in spec.pieces))]
    if platform.system() != "Darwin":
        lines.append("--  Core ML on a device     needs a Mac; here the MIL interpreter checks packages")
    return lines


def _line(piece: Piece) -> str:
    spec = importlib.util.find_spec(piece.module)
    if spec is None:
        how = f"pip install 'edgec[{piece.extra}]'" if piece.extra else f"pip install {piece.package}"
        return f"--  {piece.package:27} missing; enables {piece.enables}: {how}"
    try:
        version = metadata.version(piece.package)
    except metadata.PackageNotFoundError:
        version = "?"
    if piece.native and not _has_native(spec.submodule_search_locations, piece.native):
        lost = f"its native library {piece.native} is missing, so weights cannot be written"
        return f"!!  {piece.package:27} {version}: {lost}"
    return f"ok  {piece.package:27} {version}: {piece.enables}"


def _has_native(folders: object, pattern: str) -> bool:
    return any(any(Path(str(folder)).glob(pattern)) for folder in (folders or ()))  # type: ignore[attr-defined]
