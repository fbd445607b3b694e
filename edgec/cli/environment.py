"""Failures of the machine that a command runs on: they are no defects of edgec, and the user can help them."""

from __future__ import annotations

import errno
import importlib.util
import sys
from pathlib import Path

from edgec.diag import EdgecError, error
from edgec.diag.foreign import said

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


def environment_failure(failure: BaseException) -> EdgecError | None:
    """What is wrong with the machine, where that is what an exception says: E0108, E0502."""
    seen: BaseException | None = failure
    while seen is not None:
        if isinstance(seen, OSError) and (found := _of_files(seen)) is not None:
            return found
        if isinstance(seen, ImportError) and (found := _of_modules(seen)) is not None:
            return found
        seen = seen.__cause__ or seen.__context__
    return None


def _of_files(failure: OSError) -> EdgecError | None:
    where = f" at `{failure.filename}`" if failure.filename else ""
    if failure.errno in _FULL:
        return error(
            "E0108",
            f"there is no space left on the disk{where}",
            notes=["earlier artifacts are untouched"],
            help=["free some space, or choose another folder: `--out` for artifacts, TMPDIR for temporary files"],
        )
    if failure.errno in _FORBIDDEN and failure.filename:
        return error(
            "E0108", f"`{failure.filename}` cannot be used: {failure.strerror}", help=["change its permissions"]
        )
    return None


def _of_modules(failure: ImportError) -> EdgecError | None:
    """A file of the user's that has the name of a package which edgec imports."""
    top = (failure.name or "").partition(".")[0]
    spec = importlib.util.find_spec(top) if top in sys.modules or top else None
    origin = Path(spec.origin) if spec is not None and spec.origin and spec.has_location else None
    if origin is None or "site-packages" in origin.parts or "dist-packages" in origin.parts:
        return None
    if top in sys.stdlib_module_names or top == "edgec":
        return None
    return error(
        "E0502",
        f"`{origin}` hides the package `{top}`",
        notes=[said("Python", failure)],
        help=["rename it, or start edgec in another folder: `edgec` does not look for modules there, `python -m` does"],
    )
