"""Weight files, read without executing anything: safetensors, and checkpoints of tensors and plain data."""

from __future__ import annotations

import argparse
import json
import pickle
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy._core.multiarray import scalar as np_scalar

from edgec.diag import EdgecError, Place, error
from edgec.diag.foreign import said
from edgec.spec.reads import note

State = dict[str, torch.Tensor]
"""Tensors by name."""

_PLAIN: tuple[Any, ...] = (
    argparse.Namespace,
    np.dtype,
    np_scalar,
    *(type(np.dtype(kind)) for kind in "?bBhHiIlLqQefd"),
)
"""Other types that training scripts keep in checkpoints: options, and numpy's numbers."""

_SAVE = (
    "save the weights with `safetensors.torch.save_file(model.state_dict(), …)` or `torch.save(model.state_dict(), …)`"
)


@dataclass(frozen=True)
class Checkpoint:
    """The contents of a weight file: mappings of named tensors by the dotted path of their keys, the outermost first.

    `others` are the paths of unnamed tensors, and of averages in another form.
    """

    parts: dict[str, State]
    others: tuple[str, ...] = ()


WHOLE = "."
"""The path of the outermost mapping."""


def read_state(path: Path) -> Checkpoint:
    """Read a `.safetensors` file, or a checkpoint that contains only tensors and plain data.

    Raises `EdgecError` E0102 (no file), E0203 (not readable), E0204 (would execute code), E0110 (no named tensors).
    """
    if not path.is_file():
        what = "is a folder, not a file of weights" if path.is_dir() else "was not found"
        raise error("E0102", f"`{path}` {what}")
    note(path, "weights")
    if path.name.endswith(".index.json"):
        return _read_shards(path)
    found = _read_safetensors(path) if path.suffix == ".safetensors" else _read_checkpoint(path)
    held = _held(found)
    if not held.parts:
        keys = listed([str(key) for key in found]) if isinstance(found, Mapping) else ""
        notes = [f"it holds {keys}"] if keys else []
        raise error(
            "E0110", f"`{path.name}` contains no named tensors", place=Place(str(path)), notes=notes, help=[_SAVE]
        )
    return held


def _held(found: Any) -> Checkpoint:
    parts: dict[str, State] = {}
    others: list[str] = []
    for path, mapping in _mappings(found, ()):
        own = {name: t for name, t in mapping.items() if isinstance(name, str) and isinstance(t, torch.Tensor)}
        if own:
            parts[".".join(path) or WHOLE] = own
        for name, value in mapping.items():
            if isinstance(value, list) and any(isinstance(t, torch.Tensor) for t in value):
                others.append(".".join((*path, str(name))))
    return Checkpoint(parts, tuple(others))


def _mappings(found: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Mapping[Any, Any]]]:
    """Every mapping in a file, the outermost first."""
    if isinstance(found, Mapping) and len(path) < _DEEPEST:
        yield path, found
        for key, value in found.items():
            yield from _mappings(value, (*path, str(key)))


_DEEPEST = 6
"""The maximum depth of a state dict in a checkpoint; training scripts do not nest more deeply."""


def _read_shards(path: Path) -> Checkpoint:
    """The tensors of the files listed in a `model.safetensors.index.json`, which must be in its own folder."""
    try:
        names = json.loads(path.read_bytes())["weight_map"]
        listed = {str(tensor): Path(str(file)) for tensor, file in names.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as failure:
        raise error("E0203", f"`{path.name}` is not an index of weights", place=Place(str(path))) from failure
    found: State = {}
    for file in sorted(set(listed.values())):
        if not (path.parent / file).resolve().is_relative_to(path.parent.resolve()):
            raise error(
                "E0207",
                f"`{path.name}` points outside its folder",
                place=Place(str(path)),
                notes=[f"it names `{file}`"],
            )
        found |= read_state(path.parent / file).parts.get(WHOLE, {}) if not file.name.endswith(".index.json") else {}
    if lost := [name for name in listed if name not in found]:
        raise error("E0203", f"`{lost[0]}` is not in the file that `{path.name}` refers to", place=Place(str(path)))
    return Checkpoint({WHOLE: found})


def _read_safetensors(path: Path) -> Any:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as failure:
        raise error(
            "E0203",
            f"`{path.name}` is not a safetensors file",
            place=Place(str(path)),
            notes=[said("safetensors", failure)],
        ) from failure


def _read_checkpoint(path: Path) -> Any:
    """Use torch's restricted unpickler, which accepts tensors and plain containers and calls nothing."""
    try:
        with torch.serialization.safe_globals(list(_PLAIN)):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as failure:
        named = re.search(r"GLOBAL (\S+)", str(failure))
        why = f"it contains `{named[1]}`" if named else "torch's restricted reader refuses it"
        raise executes_code(path, why) from failure
    except Exception as failure:  # torch's restricted reader raises various exceptions for corrupt files
        raise error(
            "E0203", f"`{path.name}` is not a checkpoint", place=Place(str(path)), notes=[said("torch", failure)]
        ) from failure


def executes_code(path: Path, why: str) -> EdgecError:
    """The refusal of a file that contains pickled objects."""
    return error(
        "E0204",
        f"`{path.name}` contains pickled Python objects, which run code when they are loaded",
        place=Place(str(path)),
        notes=[why],
        help=[f"{_SAVE}, then give the code: `edgec build file.py:attr --weights FILE`"],
    )


def listed(names: list[str]) -> str:
    """The first names, and the number of the others."""
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
