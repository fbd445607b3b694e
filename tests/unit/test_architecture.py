"""The architecture page matches the code: no import circles, and a diagram of the real imports."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.architecture import PAGE, ROOT, diagram, imports, modules, shown


def test_the_diagram_is_drawn_from_the_imports() -> None:
    assert shown() == diagram(), "run `python -m tests.architecture`"


@pytest.mark.parametrize("graph", [imports, modules])
def test_there_are_no_circles(graph: Callable[[], dict[str, set[str]]]) -> None:
    edges = graph()
    while edges:
        leaves = {part for part, used in edges.items() if not used & edges.keys()}
        assert leaves, f"a circle among {sorted(edges)}"
        edges = {part: used for part, used in edges.items() if part not in leaves}


def test_the_page_names_what_is_there() -> None:
    text = PAGE.read_text(encoding="utf-8")
    named = set(re.findall(r"`([a-z_]+(?:/[a-z_]+)*/)`", text))
    places = [
        ROOT,
        ROOT / "frontend",
        ROOT / "frontend/torch",
        ROOT / "frontend/torch/autograph",
        ROOT / "backends/tflite",
    ]
    missing = {name for name in named if not any((p / name).is_dir() for p in (*places, ROOT.parent))}
    assert missing == set()
    parts = {part.name for part in Path(ROOT).iterdir() if part.is_dir() and not part.name.startswith("_")}
    assert {part for part in parts if f"`{part}/" not in text} == set()


def test_the_glossary_is_short() -> None:
    rows = [line for line in (ROOT.parent / "docs/glossary.md").read_text(encoding="utf-8").splitlines() if "|" in line]
    assert 20 <= len(rows) - 2 <= 40
    assert all(all(cell.strip() for cell in row.strip("|").split("|")) for row in rows)


def test_the_docs_name_modules_that_exist() -> None:
    files = {
        path.relative_to(ROOT.parent).as_posix() for path in ROOT.parent.rglob("*.py") if ".venv" not in path.parts
    }
    suffixes = {"/".join(parts[i:]) for parts in (name.split("/") for name in files) for i in range(len(parts))}
    docs = ROOT.parent / "docs"
    pages = [*docs.glob("*.md"), *docs.glob("how-to/*.md"), *docs.glob("explain/*.md"), ROOT.parent / "README.md"]
    named = {(page.name, name) for page in pages for name in re.findall(r"`([\w/]+\.py)`", page.read_text("utf-8"))}
    assert {(page, name) for page, name in named if name not in suffixes} == set()
