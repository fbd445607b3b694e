"""Completion in a shell: names of targets, devices, rules and codes, and `file.py:attr`."""

from __future__ import annotations

import ast
import contextlib
import io
import os
from collections.abc import Callable, Iterable
from pathlib import Path

VARIABLE = "_EDGEC_COMPLETE"
"""What a shell sets to ask for completions: the command line's parser answers them."""

_MODELS = frozenset({".onnx", ".pt2", ".skops", ".pt", ".pth", ".ts", ".torchscript"})


def complete_target(incomplete: str) -> list[str]:
    """Targets that begin so."""
    from edgec.spec.target import list_targets

    return _beginning(incomplete, list_targets())


def complete_device(incomplete: str) -> list[str]:
    """Devices that begin so."""
    from edgec.spec.device import list_devices

    return _beginning(incomplete, list_devices())


def complete_rule(incomplete: str) -> list[str]:
    """Rules that begin so."""
    from edgec.compiler.catalogue import catalogue

    return _beginning(incomplete, catalogue())


def complete_topic(incomplete: str) -> list[str]:
    """Codes and pages that begin so."""
    from edgec.diag.explain import topics

    return [topic for topic in topics() if topic.lower().startswith(incomplete.lower())]


def complete_source(incomplete: str) -> list[str]:
    """Python files, `file.py:attr`, model files and folders."""
    file, colon, attribute = incomplete.rpartition(":")
    if colon and file.endswith(".py"):
        return [_colon(f"{file}:{name}") for name in _attributes(Path(file)) if name.startswith(attribute)]
    folder = Path(incomplete) if incomplete.endswith("/") else Path(incomplete).parent
    found = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        shown = str(path)
        if not shown.startswith(incomplete) or path.name.startswith("."):
            continue
        if path.is_dir():
            found.append(f"{shown}/")
        elif path.suffix == ".py":
            found.append(_colon(f"{shown}:"))
        elif path.suffix in _MODELS:
            found.append(shown)
    return found


def _beginning(incomplete: str, names: Iterable[str]) -> list[str]:
    return sorted(name for name in names if name.startswith(incomplete))


def _attributes(file: Path) -> list[str]:
    """Names that the file binds to a class, a function or a value; the file is not executed."""
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return []
    found = [node.name for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)]
    for node in tree.body:
        if isinstance(node, ast.Assign):
            found += [target.id for target in node.targets if isinstance(target, ast.Name)]
    return [name for name in dict.fromkeys(found) if not name.startswith("_")]


def _colon(text: str) -> str:
    """zsh takes what follows a colon for a description."""
    return text.replace(":", r"\:") if os.environ.get(VARIABLE, "").endswith("_zsh") else text


def is_bash() -> bool:
    """Whether bash asks for completions."""
    return os.environ.get(VARIABLE) == "complete_bash"


def complete_bash(answer: Callable[[], int]) -> int:
    """Answer bash, for which `net.py:model` and `--target=iphone` are three words: it completes the last one alone."""
    words, at = _joined(os.environ.get("COMP_WORDS", "").split(), int(os.environ.get("COMP_CWORD", "0") or 0))
    os.environ.update(COMP_WORDS=" ".join(words), COMP_CWORD=str(at))
    current = words[at] if at < len(words) else ""
    before = current.rpartition(":")[0] + ":" if ":" in current else ""
    said, status = io.StringIO(), 0
    try:
        with contextlib.redirect_stdout(said):
            status = answer()
    except SystemExit as ended:
        status = int(ended.code or 0) if isinstance(ended.code, int | None) else 1
    for line in said.getvalue().splitlines():
        print(line.removeprefix(before))
    return status


def _joined(words: list[str], at: int) -> tuple[list[str], int]:
    """The words as they were typed, and which of them the cursor is in."""
    typed: list[str] = []
    position = at
    glue = False
    for i, word in enumerate(words):
        joins = word in (":", "=") and bool(typed)
        if (joins or glue) and typed:
            typed[-1] += word
        else:
            typed.append(word)
        if i == at:
            position = len(typed) - 1
        glue = joins
    return typed, position if at < len(words) else len(typed)
