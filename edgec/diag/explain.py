"""`edgec explain`: the page of a code, or of a subject that the codes' pages and messages point to."""

from __future__ import annotations

from pathlib import Path

from edgec.diag.codes import CODES
from edgec.diag.diagnostic import error
from edgec.diag.suggest import suggest

_PACKAGE = Path(__file__).resolve().parent.parent


def pages() -> Path:
    """The folder of the codes' pages: package data in the wheel, `docs/explain` in a checkout."""
    return _folder("explain")


def topics() -> list[str]:
    """The codes, and the names of the other pages."""
    return [*sorted(CODES), *sorted({path.stem for path in _folder("how-to").glob("*.md")} | set(_REFERENCES))]


def explain(topic: str) -> str:
    """The page of a code or subject, without its trailing line break. Raises `EdgecError` E0101 for an unknown one."""
    wanted = topic.strip()
    if wanted.upper() in CODES:
        return _text(pages() / f"{wanted.upper()}.md")
    if wanted.lower() in topics():
        return _text(_page(wanted.lower()))
    near = suggest(wanted, topics())
    what = (
        f"there is no code `{topic}`" if wanted[:1].upper() == "E" and wanted[1:2].isdigit() else f"no page `{topic}`"
    )
    raise error(
        "E0101", what, help=[f"did you mean `{near}`?"] if near else ["`edgec explain` lists the codes and pages"]
    )


_REFERENCES = ("latency", "what-a-device-demands")
"""Pages that messages point to and that are no instructions: in `docs/` in a checkout."""


def _page(name: str) -> Path:
    beside = _folder("how-to") / f"{name}.md"
    return beside if beside.is_file() else _PACKAGE.parent / "docs" / f"{name}.md"


def _folder(name: str) -> Path:
    packaged = _PACKAGE / "_data" / name
    return packaged if packaged.is_dir() else _PACKAGE.parent / "docs" / name


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8").rstrip()
