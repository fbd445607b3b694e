"""Weights beside code: a state dict from safetensors or a checkpoint, read without executing anything."""

from __future__ import annotations

import argparse
import itertools
import json
import pickle
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy._core.multiarray import scalar as np_scalar

from edgec.diag import EdgecError, Place, error
from edgec.diag.suggest import suggest
from edgec.frontend.torch.overrides.compiled_modules import INSIDE

_WRAPPERS = ("state_dict", "model_state_dict", "model", "module", "ema_state_dict")
"""Keys under which training scripts put the state dict of a checkpoint."""

_PLAIN: tuple[Any, ...] = (
    argparse.Namespace,
    np.dtype,
    np_scalar,
    *(type(np.dtype(kind)) for kind in "?bBhHiIlLqQefd"),
)
"""Beside tensors and plain containers, what training scripts keep in checkpoints: options, and numbers of numpy."""

_SAVE = (
    "save the weights with `safetensors.torch.save_file(model.state_dict(), …)` or `torch.save(model.state_dict(), …)`"
)


def load_weights(module: torch.nn.Module, path: Path) -> None:
    """Load the file's state dict into the module; every name and shape must fit.

    Raises `EdgecError` E0102 (no file), E0203 (not readable), E0204 (would execute code), E0110 (does not fit).
    """
    state = read_state(path)
    own = module.state_dict()
    state = _as_named(state, own)
    # Batch norms count their batches for training alone; older checkpoints lack the counters.
    # A tensor that the model has under several names, as tied embeddings, is in most files once.
    there = {_place(own[n]) for n in own if n in state}
    missing = [n for n in own if n not in state and not n.endswith("num_batches_tracked")]
    missing = [n for n in missing if _place(own[n]) not in there]
    unknown = [n for n in state if n not in own]
    misfits = [n for n in own if n in state and _differs(own[n], state[n])]
    if missing or unknown or misfits:
        raise _misfit(path, own, state, missing, unknown, misfits)
    module.load_state_dict(state, strict=False)


def read_state(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a `.safetensors` file or of a checkpoint that holds nothing but tensors and plain data."""
    if not path.is_file():
        what = "is a folder, not a file of weights" if path.is_dir() else "was not found"
        raise error("E0102", f"`{path}` {what}")
    if path.name.endswith(".index.json"):
        return _read_shards(path)
    found = _read_safetensors(path) if path.suffix == ".safetensors" else _read_checkpoint(path)
    tensors = _tensors(found)
    if not tensors:
        keys = _listed([str(key) for key in found]) if isinstance(found, Mapping) else ""
        notes = [f"it holds {keys}"] if keys else []
        raise error(
            "E0110", f"`{path.name}` contains no named tensors", place=Place(str(path)), notes=notes, help=[_SAVE]
        )
    return tensors


def _tensors(found: Any) -> dict[str, torch.Tensor]:
    """The tensors of a mapping, or of the one mapping inside it that training scripts put them in."""
    if not isinstance(found, Mapping):
        return {}
    inner = [key for key in _WRAPPERS if isinstance(found.get(key), Mapping)]
    if inner:
        return _tensors(found[inner[0]])
    own = {str(name): tensor for name, tensor in found.items() if isinstance(tensor, torch.Tensor)}
    deeper = [tensors for tensors in map(_tensors, found.values()) if tensors] if not own else []
    return deeper[0] if len(deeper) == 1 else own


def _read_shards(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of the files that a `model.safetensors.index.json` names, all in its own folder."""
    try:
        names = json.loads(path.read_bytes())["weight_map"]
        listed = {str(tensor): Path(str(file)) for tensor, file in names.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as failure:
        raise error("E0203", f"`{path.name}` is not an index of weights", place=Place(str(path))) from failure
    found: dict[str, torch.Tensor] = {}
    for file in sorted(set(listed.values())):
        if not (path.parent / file).resolve().is_relative_to(path.parent.resolve()):
            raise error(
                "E0207",
                f"`{path.name}` points outside its folder",
                place=Place(str(path)),
                notes=[f"it names `{file}`"],
            )
        found |= read_state(path.parent / file) if not file.name.endswith(".index.json") else {}
    if lost := [name for name in listed if name not in found]:
        raise error("E0203", f"`{lost[0]}` is not in the file that `{path.name}` refers to", place=Place(str(path)))
    return found


def _read_safetensors(path: Path) -> Any:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as failure:
        raise error(
            "E0203", f"`{path.name}` is not a safetensors file", place=Place(str(path)), notes=[str(failure)]
        ) from failure


def _read_checkpoint(path: Path) -> Any:
    """torch's restricted unpickler admits tensors and plain containers and calls nothing."""
    try:
        with torch.serialization.safe_globals(list(_PLAIN)):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as failure:
        named = re.search(r"GLOBAL (\S+)", str(failure))
        why = f"it contains `{named[1]}`" if named else "torch's restricted reader refuses it"
        raise executes_code(path, why) from failure
    except Exception as failure:  # torch's restricted reader raises whatever a broken file makes it
        raise error(
            "E0203", f"`{path.name}` is not a checkpoint", place=Place(str(path)), notes=[_first_line(failure)]
        ) from failure


def executes_code(path: Path, why: str) -> EdgecError:
    """The refusal of a file that holds pickled objects."""
    return error(
        "E0204",
        f"`{path.name}` contains pickled Python objects, which run code when they are loaded",
        place=Place(str(path)),
        notes=[why],
        help=[f"{_SAVE}, then give the code: `edgec build file.py:attr --weights FILE`"],
    )


def _as_named(state: dict[str, torch.Tensor], own: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    """Names as the module spells them, where one prefix before all of the file's or of the module's is the difference.

    DataParallel, Lightning and modules that hold the model put one there; torch.compile puts its own anywhere.
    """
    plain = {_uncompiled(name): name for name in own}
    state = {plain.get(_uncompiled(name), name): tensor for name, tensor in state.items()}
    if any(name in own for name in state):
        return state
    for prefix in _prefixes(state):
        stripped = {name.removeprefix(prefix): tensor for name, tensor in state.items()}
        if any(name in own for name in stripped):
            return stripped
    for prefix in _prefixes(own):
        longer = {prefix + name: tensor for name, tensor in state.items()}
        if any(name in own for name in longer):
            return longer
    return state


def _uncompiled(name: str) -> str:
    return name.replace(f"{INSIDE}.", "")


def _prefixes(names: Iterable[str]) -> list[str]:
    """The dotted beginnings that all names share, the shortest first."""
    parts = [name.split(".")[:-1] for name in names]
    shared = itertools.takewhile(lambda part: len(set(part)) == 1, zip(*parts, strict=False))
    return [f"{prefix}." for prefix in itertools.accumulate((part[0] for part in shared), "{}.{}".format)]


def _place(tensor: torch.Tensor) -> tuple[object, ...]:
    """Where a tensor's elements lie: the same for two names of one parameter."""
    if tensor.numel() == 0:
        return (id(tensor),)
    return (tensor.data_ptr(), tuple(tensor.shape), tensor.stride())


def _differs(own: torch.Tensor, given: torch.Tensor) -> bool:
    """Another shape, or numbers that the module's cannot hold: whole ones are quantized, and mean something else."""
    if own.is_floating_point() != given.is_floating_point() or own.is_complex() != given.is_complex():
        return True
    return own.shape != given.shape


def _misfit(
    path: Path,
    own: Mapping[str, torch.Tensor],
    state: Mapping[str, torch.Tensor],
    missing: list[str],
    unknown: list[str],
    misfits: list[str],
) -> EdgecError:
    notes = [
        f"`{n}` is {_told(state[n], own[n])} in the file and {_told(own[n], state[n])} in the model"
        for n in misfits[:3]
    ]
    notes += [f"missing: {_listed(missing)}"] if missing else []
    notes += [f"not in the model: {_listed(unknown)}"] if unknown else []
    near = suggest(missing[0], unknown) if missing and unknown else None
    return error(
        "E0110",
        f"`{path.name}` does not fit the model: {len(missing)} names missing, {len(unknown)} unknown, "
        f"{len(misfits)} of another shape or type",
        place=Place(str(path)),
        notes=notes,
        help=[f"is `{near}` meant for `{missing[0]}`?"] if near else [],
    )


def _told(tensor: torch.Tensor, other: torch.Tensor) -> str:
    """What sets a tensor apart from another: its shape, or else its element type."""
    return str(list(tensor.shape)) if tensor.shape != other.shape else str(tensor.dtype).removeprefix("torch.")


def _listed(names: list[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def _first_line(failure: BaseException) -> str:
    first = (str(failure).strip().splitlines() or [""])[0]
    return first if isinstance(failure, RuntimeError) and first else f"{type(failure).__name__} {first}".strip()
