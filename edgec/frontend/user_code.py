"""What the user's own code raises, told with its file and line."""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import edgec
from edgec.diag import EdgecError, Place, error

_FOREIGN = ("<", str(Path(edgec.__file__).parent), str(Path(os.__file__).parent))


@contextmanager
def user_code(doing: str) -> Iterator[None]:
    """Whatever the user's own code raises becomes `EdgecError` E0201 with its file and line."""
    try:
        yield
    except EdgecError:
        raise
    except (Exception, SystemExit) as failure:  # any exception of foreign code is the user's, not a bug of ours
        raise error("E0201", f"{doing} failed: {_first_line(failure)}", place=place_of_failure(failure)) from failure


def _first_line(failure: BaseException) -> str:
    lines = str(failure).strip().splitlines()
    return f"{type(failure).__name__}: {lines[0]}" if lines else type(failure).__name__


def place_of_failure(failure: BaseException) -> Place | None:
    """The innermost frame outside installed packages and edgec itself."""
    if isinstance(failure, SyntaxError):
        return Place(failure.filename, failure.lineno)
    mine = [f for f in traceback.extract_tb(failure.__traceback__) if is_users_own(f.filename)]
    return Place(mine[-1].filename, mine[-1].lineno) if mine else None


def is_users_own(file: str) -> bool:
    """Whether the user wrote the file: it is of no installed package, nor edgec's, nor Python's."""
    return not file.startswith(_FOREIGN) and not ("site-packages" in file or "dist-packages" in file)
