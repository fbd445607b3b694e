"""`edgec doctor`: installed packages, and what missing ones would enable."""

from __future__ import annotations

import importlib.util
import platform
from importlib import metadata
from pathlib import Path

from edgec.spec.backend import backend_specs
from edgec.spec.optional_package import PLAIN, SKLEARN, TORCH, OptionalPackage, installation


def report() -> list[str]:
    """A line for each package, with the installation command for missing ones. Imports none of them."""
    lines = [f"Python {platform.python_version()} on {platform.platform()}"]
    lines += [
        _line(package)
        for package in (*TORCH, *PLAIN, *SKLEARN, *(p for spec in backend_specs() for p in spec.packages))
    ]
    if platform.system() != "Darwin":
        lines.append("--  Core ML on a device     needs a Mac; here the MIL interpreter runs packages")
    return lines


def _line(package: OptionalPackage) -> str:
    if not package.is_installed():
        return f"--  {package.distribution:27} missing; enables {package.enables}: {installation([package])}"
    try:
        version = metadata.version(package.distribution)
    except metadata.PackageNotFoundError:
        version = "?"
    if package.native and not _has_native(package):
        lost = f"its native library {package.native} is missing, so weights cannot be written"
        return f"!!  {package.distribution:27} {version}: {lost}"
    return f"ok  {package.distribution:27} {version}: {package.enables}"


def _has_native(package: OptionalPackage) -> bool:
    spec = importlib.util.find_spec(package.module)
    folders = (spec.submodule_search_locations or ()) if spec is not None else ()
    return any(any(Path(folder).glob(package.native)) for folder in folders)
