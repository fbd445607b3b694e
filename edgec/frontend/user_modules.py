"""The user's own Python files that a source depends on, directly or indirectly."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType

from edgec.frontend.user_code import is_users_own
from edgec.spec.reads import note


def note_modules(start: ModuleType | None, classes: Iterable[type]) -> None:
    """Record the files of a module, of the modules that define the classes, and of everything that these import.

    Imports are found in import statements anywhere in a file, if the module is loaded. Installed packages are not
    recorded.
    """
    waiting = [start, *(sys.modules.get(kind.__module__) for kind in classes)]
    seen: set[str] = set()
    while waiting:
        module = waiting.pop()
        file = getattr(module, "__file__", None)
        if module is None or not file or file in seen or not is_users_own(file) or not file.endswith(".py"):
            continue
        seen.add(file)
        waiting += [found for name in _imported(module, Path(file)) if (found := sys.modules.get(name)) is not None]
    for file in sorted(seen):
        note(file, "module")


def _imported(module: ModuleType, file: Path) -> Iterator[str]:
    """The full names of the modules that the file's import statements may refer to, including parent packages."""
    try:
        tree = ast.parse(file.read_bytes(), str(file))
    except (OSError, SyntaxError, ValueError):
        return
    package = module.__package__ or ""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _above(alias.name)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, package)
            yield from _above(base)
            yield from (f"{base}.{alias.name}" if base else alias.name for alias in node.names)


def _absolute(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    parts = package.split(".")[: len(package.split(".")) - node.level + 1]
    return ".".join((*parts, *([node.module] if node.module else [])))


def _above(name: str) -> Iterator[str]:
    """A module's name and those of its parent packages."""
    parts = name.split(".")
    yield from (".".join(parts[: i + 1]) for i in range(len(parts)))
