"""Outputs of a run on disk, as NAME.npy, with a list of them, so that the next run replaces only these files."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgec.diag import error

Array = NDArray[np.generic]

INDEX = "edgec-run.json"
"""The list of files that `edgec run --out` wrote into a folder, by output."""


def save_outputs(arrays: Mapping[str, Array], folder: Path) -> None:
    """Write each array to `folder` as NAME.npy, replacing those of an earlier run.

    Raises `EdgecError` E0111 if that would replace a file that no run wrote, E0108 if `folder` is not writable.
    """
    files = _file_names(arrays)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        foreign = [n for n in (*files.values(), INDEX) if _exists(folder / n) and n not in _earlier(folder)]
        if foreign:
            raise error(
                "E0111",
                f"`{folder / foreign[0]}` exists, and no earlier run wrote it",
                help=["choose another folder with `--out`, or move the file away"],
            )
        (folder / INDEX).write_text(json.dumps({"schema": 1, "outputs": files}, indent=1) + "\n", encoding="utf-8")
        for name, array in arrays.items():
            np.save(folder / files[name], array, allow_pickle=False)
    except OSError as failure:
        raise error("E0108", f"`{folder}` cannot be written: {failure.strerror}") from failure


def _file_names(names: Mapping[str, object]) -> dict[str, str]:
    """A file name for each output; names that are equal apart from case get a number."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        stem = re.sub(r"[^0-9A-Za-z_.-]", "_", name).lstrip(".")[:_LONGEST] or "output"
        free = next(s for i in itertools.count() if (s := f"{stem}_{i}" if i else stem).lower() not in taken)
        taken.add(free.lower())
        found[name] = f"{free}.npy"
    return found


_LONGEST = 100
"""Characters of an output's name used in its file name; file systems allow 255."""


def _exists(path: Path) -> bool:
    return path.exists() or path.is_symlink()


def _earlier(folder: Path) -> set[str]:
    """The files that an earlier run wrote there, including its list; symbolic links never count."""
    try:
        document = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        listed = {INDEX, *map(str, document["outputs"].values())} if document["schema"] == 1 else set()
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return set()
    return {name for name in listed if not (folder / name).is_symlink()}
