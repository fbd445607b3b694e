"""Python's warnings on the command line: those of the user's code, once and in a line; libraries' own are left out."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO


@contextmanager
def warnings_of_user() -> Iterator[None]:
    """Until the end, a warning is shown where a file of the user's gave it: nobody can act on torch's own here."""
    shown: set[tuple[str, int, str]] = set()

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        from edgec.frontend.user_code import is_users_own

        told = (filename, lineno, str(message))
        if told not in shown and is_users_own(str(Path(filename).resolve())):
            shown.add(told)
            print(f"{filename}:{lineno}: {category.__name__}: {message}", file=file or sys.stderr)

    before = warnings.showwarning
    warnings.showwarning = show
    try:
        yield
    finally:
        warnings.showwarning = before
