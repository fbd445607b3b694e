"""Imports the user's code as a module: a single file, a file of a package, or a dotted module name."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from edgec.diag import error
from edgec.frontend.user_code import is_users_own


def import_code(where: str, folder: Path = Path()) -> ModuleType:
    """Import `path/to/file.py`, or `package.module` from `folder` or from Python's search path.

    Raises `EdgecError` E0102, or whatever the code itself raises.
    """
    path = Path(where)
    if path.suffix != ".py":
        return _named(where, folder)
    if not path.is_file():
        near = sorted(p.name for p in path.parent.glob("*.py"))[:5] if path.parent.is_dir() else []
        raise error(
            "E0102", f"`{where}` was not found", help=[f"in `{path.parent}` there is {', '.join(near)}"] if near else []
        )
    _search_first(path.parent.resolve())
    return _in_package(path.resolve()) if _is_in_package(path) else _alone(path)


def _named(where: str, folder: Path) -> ModuleType:
    _search_first(folder.resolve())
    try:
        return importlib.import_module(where)
    except ModuleNotFoundError as missing:
        if missing.name is not None and where.split(".")[0] != missing.name.split(".")[0]:
            raise
        raise error(
            "E0102", f"no module `{where}`", help=["give a file as `path/to/file.py:attr`, or install the package"]
        ) from None


def _search_first(folder: Path) -> None:
    """Put the folder first on Python's search path, and drop cached modules of the same names from other folders."""
    if sys.path[0] != str(folder):
        sys.path[:] = [str(folder), *(entry for entry in sys.path if entry != str(folder))]
    elsewhere = {name.partition(".")[0] for name, module in list(sys.modules.items()) if _shadows(name, module, folder)}
    for name in [name for name in sys.modules if name.partition(".")[0] in elsewhere]:
        del sys.modules[name]


def _shadows(name: str, module: ModuleType, folder: Path) -> bool:
    """Whether a loaded module of the user's, from elsewhere, has the name of a module in the folder."""
    file = getattr(module, "__file__", None)
    if not file or not is_users_own(file):
        return False
    place = folder.joinpath(*name.split("."))
    own = [path for path in (place.with_name(f"{place.name}.py"), place / "__init__.py") if path.is_file()]
    return bool(own) and Path(file).resolve() not in [path.resolve() for path in own]


def _alone(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path.resolve())
    assert spec is not None and spec.loader is not None  # noqa: PT018 - a .py file always has both
    module = importlib.util.module_from_spec(spec)
    known = sys.modules.get(path.stem)
    if known is None or getattr(known, "__file__", None) == module.__file__:
        sys.modules[path.stem] = module  # pickling and dataclasses look there; a package of that name keeps its place
    spec.loader.exec_module(module)
    return module


def _is_in_package(path: Path) -> bool:
    """Whether the file uses relative imports. `__init__.py` is no evidence: the folder may still hold scripts."""
    if not (path.resolve().parent / "__init__.py").is_file():
        return False
    tree = ast.parse(path.read_bytes(), str(path))
    return any(isinstance(node, ast.ImportFrom) and node.level for node in ast.walk(tree))


def _in_package(path: Path) -> ModuleType:
    """Import the file under its full name, as `python -m package.module` would from above its outermost package."""
    root, parts = path.parent, [path.stem]
    while (root / "__init__.py").is_file():
        parts.insert(0, root.name)
        root = root.parent
    _search_first(root)
    module = importlib.import_module(".".join(parts))
    if Path(module.__file__ or "").resolve() != path:
        raise ImportError(f"`{'.'.join(parts)}` is another module here: {module.__file__}")
    return module
