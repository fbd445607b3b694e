"""`edgec doctor`: installed packages, and what missing ones would enable."""

from __future__ import annotations

import importlib.util
import platform
from importlib import metadata
from pathlib import Path

from edgec.spec.backend import backend_specs
from edgec.spec.optional_package import PLAIN, SKLEARN, TORCH, Piece, installation


def report() -> list[str]:
    """A line for each package, with the installation command for missing ones. Imports none of them."""
    lines = [f"Python {platform.python_version()} on {platform.platform()}"]
    lines += [
        _line(piece) for piece in (*TORCH, *PLAIN, *SKLEARN, *(p for spec in backend_specs() for p in spec.pieces))
    ]
    if platform.system() != "Darwin":
        lines.append("--  Core ML on a device     needs a Mac; here the MIL interpreter runs packages")
    return lines


def _line(piece: Piece) -> str:
    if not piece.is_installed():
        return f"--  {piece.package:27} missing; enables {piece.enables}: {installation([piece])}"
    try:
        version = metadata.version(piece.package)
    except metadata.PackageNotFoundError:
        version = "?"
    if piece.native and not _has_native(piece):
        lost = f"its native library {piece.native} is missing, so weights cannot be written"
        return f"!!  {piece.package:27} {version}: {lost}"
    return f"ok  {piece.package:27} {version}: {piece.enables}"


def _has_native(piece: Piece) -> bool:
    spec = importlib.util.find_spec(piece.module)
    folders = (spec.submodule_search_locations or ()) if spec is not None else ()
    return any(any(Path(folder).glob(piece.native)) for folder in folders)
