"""`edgec explain`: the page of a diagnostic code."""

from __future__ import annotations

from pathlib import Path

from edgec.diag.codes import CODES
from edgec.diag.diagnostic import error
from edgec.diag.suggest import suggest

_PACKAGE = Path(__file__).resolve().parent.parent


def pages() -> Path:
    """The folder of the pages: package data in the wheel, `docs/explain` in a checkout."""
    packaged = _PACKAGE / "_data" / "explain"
    return packaged if packaged.is_dir() else _PACKAGE.parent / "docs" / "explain"


def explain(code: str) -> str:
    """The page of a code, without its trailing line break. Raises `EdgecError` E0101 for an unknown one."""
    wanted = code.strip().upper()
    if wanted not in CODES:
        near = suggest(wanted, CODES)
        raise error("E0101", f"there is no code `{code}`", help=[f"did you mean `{near}`?"] if near else [])
    return (pages() / f"{wanted}.md").read_text(encoding="utf-8").rstrip()
