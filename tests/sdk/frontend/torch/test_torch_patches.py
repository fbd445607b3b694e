"""All changes that edgec makes to torch, and all private names that it uses, are listed in one place and exist."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import edgec
from edgec.frontend.torch.patches import PATCHED, PRIVATE, Patches, patched, resolved

ROOT = Path(edgec.__file__).parent
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in ROOT.rglob("*.py")}
LIST = ROOT / "frontend/torch/patches.py"


def aliases(tree: ast.AST) -> dict[str, str]:
    """Names in a module that refer to objects of torch."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {a.asname or "torch": a.name if a.asname else "torch" for a in node.names if is_torch(a.name)}
        elif isinstance(node, ast.ImportFrom) and is_torch(node.module or ""):
            found |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
    return found


def is_torch(name: str) -> bool:
    return name.split(".")[0] == "torch"


def dotted(node: ast.AST, known: dict[str, str]) -> str | None:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([known[node.id], *reversed(parts)]) if isinstance(node, ast.Name) and node.id in known else None


def private(tree: ast.AST) -> Iterator[str]:
    known = aliases(tree)
    names = [*known.values(), *(name for n in ast.walk(tree) if (name := dotted(n, known)))]
    for name in names:
        if any(part[0] == "_" and part[:2] != "__" for part in name.split(".")):
            yield name


def covers(row: str, name: str) -> bool:
    return name == row or name.startswith(f"{row}.") or row.startswith(f"{name}.")


USED = {name: path for path, tree in TREES.items() for name in private(tree)}


def test_every_private_name_has_a_row() -> None:
    assert {n: str(p.relative_to(ROOT)) for n, p in USED.items() if not any(covers(row, n) for row in PRIVATE)} == {}


def test_every_row_is_used() -> None:
    assert [row for row in PRIVATE if not any(name == row or name.startswith(f"{row}.") for name in USED)] == []
    text = "\n".join(path.read_text(encoding="utf-8") for path in TREES if path != LIST)
    assert [row for row in PATCHED if f'"{row}"' not in text and f'"{row.rpartition(".")[0]}"' not in text] == []


@pytest.mark.parametrize("name", sorted({*PRIVATE, *PATCHED}))
def test_torch_has_it(name: str) -> None:
    resolved(name)


def test_torch_is_changed_nowhere_else() -> None:
    """No assignment to an attribute of torch, no `setattr` and no mock on one."""
    found = []
    for path, tree in TREES.items():
        known = aliases(tree)
        for node in ast.walk(tree):
            targets = node.targets if isinstance(node, ast.Assign) else []
            if isinstance(node, ast.Call) and dotted_name(node.func) in (
                "setattr",
                "patch.object",
                "mock.patch.object",
            ):
                targets = node.args[:1]
            found += [f"{path.name}:{node.lineno}" for t in targets if dotted(t, known) and path != LIST]
    assert found == []


_SETTERS = ("setattr", "patch.object", "mock.patch.object")


def dotted_name(node: ast.AST) -> str:
    return ast.unparse(node) if isinstance(node, ast.Name | ast.Attribute) else ""


def test_patches_are_undone_the_last_first() -> None:
    before = torch.nn.Module.to
    with patched() as patches:
        assert patches.replace("torch.nn.Module.to", "one") is before
        assert patches.replace("torch.nn.Module.to", "two") == "one"
        patches.replace("torch.SymInt.tolist", "new")
        assert torch.nn.Module.to == "two"
    assert torch.nn.Module.to is before
    assert not hasattr(torch.SymInt, "tolist")
    with pytest.raises(AssertionError, match="has no row"):
        Patches().replace("torch.nn.Module.forward", None)
