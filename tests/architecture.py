"""The diagram of `docs/architecture.md`, drawn from the imports of the code.

    python -m tests.architecture

updates it; a test fails if the page shows another diagram.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import edgec

ROOT = Path(edgec.__file__).parent
PAGE = ROOT.parent / "docs/architecture.md"
BEGIN, END = "```mermaid\n", "```\n"


def imports() -> dict[str, set[str]]:
    """The imports between the parts of `edgec`, by name, without imports for type checkers only."""
    found: dict[str, set[str]] = {}
    for path in sorted(ROOT.rglob("*.py")):
        own = _part(path.relative_to(ROOT).parts)
        if own is not None:
            used = {part for name in _imported(ast.parse(path.read_text(encoding="utf-8"))) if (part := _of(name))}
            found.setdefault(own, set()).update(used - {own})
    return found


def modules() -> dict[str, set[str]]:
    """The imports between modules, including those in functions, without imports for type checkers only."""
    files = {".".join(p.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__"): p
             for p in ROOT.rglob("*.py")}  # fmt: skip
    found: dict[str, set[str]] = {}
    for name, path in files.items():
        used = set()
        for node in _nodes(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module in files:
                used |= {m if (m := f"{node.module}.{alias.name}") in files else node.module for alias in node.names}
        found[name] = used - {name}
    return found


def _part(parts: tuple[str, ...]) -> str | None:
    return None if parts[0].startswith("__") else parts[0].removesuffix(".py")


def _of(name: str) -> str | None:
    parts = name.split(".")
    return parts[1] if parts[0] == "edgec" and len(parts) > 1 and (ROOT / parts[1]).is_dir() else None


def _nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes except those that only type checkers read."""
    for node in ast.iter_child_nodes(tree):
        if not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)):
            yield node
            yield from _nodes(node)


def _imported(tree: ast.AST) -> Iterator[str]:
    for node in _nodes(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def reduced(edges: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """The edges without those that are implied by a longer path."""

    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        pending = [*edges.get(start, ())]
        while pending:
            part = pending.pop()
            if part not in seen:
                seen.add(part)
                pending += edges.get(part, ())
        return seen

    return {part: used - set().union(*(reached(other) for other in used)) for part, used in edges.items()}


def diagram() -> str:
    """Mermaid text: an arrow from each part to those that it imports."""
    edges = reduced(imports())
    lines = [f"  {part} --> {used}" for part in sorted(edges) for used in sorted(edges[part])]
    return "graph TD\n" + "\n".join(lines) + "\n"


def shown() -> str:
    """The diagram on the page."""
    text = PAGE.read_text(encoding="utf-8")
    return text.split(BEGIN)[1].split(END)[0]


def main() -> None:
    """Update the diagram on the page."""
    text = PAGE.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    PAGE.write_text(head + BEGIN + diagram() + rest[rest.index(END) :], encoding="utf-8")


if __name__ == "__main__":
    main()
