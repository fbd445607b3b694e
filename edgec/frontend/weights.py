"""Weights beside code: a state dict from safetensors or a checkpoint, read without executing anything."""

from __future__ import annotations

import pickle
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from edgec.diag import EdgecError, Place, error
from edgec.diag.suggest import suggest

_WRAPPERS = ("state_dict", "model_state_dict", "model", "module", "ema_state_dict")
"""Keys under which training scripts put the state dict of a checkpoint."""

_PREFIXES = ("module.", "model.", "_orig_mod.")
"""What DataParallel, Lightning and torch.compile put before every name."""

_SAVE = (
    "save the weights with `safetensors.torch.save_file(model.state_dict(), …)` or `torch.save(model.state_dict(), …)`"
)


def load_weights(module: torch.nn.Module, path: Path) -> None:
    """Load the file's state dict into the module; every name and shape must fit.

    Raises `EdgecError` E0102 (no file), E0203 (not readable), E0204 (would execute code), E0110 (does not fit).
    """
    state = read_state(path)
    own = module.state_dict()
    state = _without_prefix(state, own)
    # Batch norms count their batches for training alone; older checkpoints lack the counters.
    missing = [n for n in own if n not in state and not n.endswith("num_batches_tracked")]
    unknown = [n for n in state if n not in own]
    misfits = [n for n in own if n in state and own[n].shape != state[n].shape]
    if missing or unknown or misfits:
        raise _misfit(path, own, state, missing, unknown, misfits)
    module.load_state_dict(state, strict=False)


def read_state(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a `.safetensors` file or of a checkpoint that holds nothing but tensors and plain data."""
    if not path.is_file():
        raise error("E0102", f"`{path}` was not found")
    found = _read_safetensors(path) if path.suffix == ".safetensors" else _read_checkpoint(path)
    for key in _WRAPPERS:
        if isinstance(found, Mapping) and isinstance(found.get(key), Mapping):
            found = found[key]
    tensors = {k: v for k, v in found.items() if isinstance(v, torch.Tensor)} if isinstance(found, Mapping) else {}
    if not tensors:
        raise error("E0110", f"`{path.name}` holds no named tensors", place=Place(str(path)), help=[_SAVE])
    return tensors


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
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as failure:
        named = re.search(r"GLOBAL (\S+)", str(failure))
        why = f"it names `{named[1]}`" if named else "torch's restricted reader refuses it"
        raise executes_code(path, why) from failure
    except (RuntimeError, EOFError, ValueError, KeyError, OSError, zipfile.BadZipFile) as failure:
        raise error(
            "E0203", f"`{path.name}` is not a checkpoint", place=Place(str(path)), notes=[_first_line(failure)]
        ) from failure


def executes_code(path: Path, why: str) -> EdgecError:
    """The refusal of a file that holds pickled objects."""
    return error(
        "E0204",
        f"`{path.name}` holds pickled Python objects, which run code when they are read",
        place=Place(str(path)),
        notes=[why],
        help=[f"{_SAVE}, then name the code: `edgec build file.py:attr --weights FILE`"],
    )


def _without_prefix(state: dict[str, torch.Tensor], own: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    """Names as the module spells them, if stripping one common prefix makes more of them fit."""
    for prefix in _PREFIXES:
        if all(n.startswith(prefix) for n in state) and not any(n in own for n in state):
            state = {n.removeprefix(prefix): t for n, t in state.items()}
    return state


def _misfit(
    path: Path,
    own: Mapping[str, torch.Tensor],
    state: Mapping[str, torch.Tensor],
    missing: list[str],
    unknown: list[str],
    misfits: list[str],
) -> EdgecError:
    notes = [f"`{n}` is {list(state[n].shape)} in the file and {list(own[n].shape)} in the model" for n in misfits[:3]]
    notes += [f"missing: {_listed(missing)}"] if missing else []
    notes += [f"not in the model: {_listed(unknown)}"] if unknown else []
    near = suggest(missing[0], unknown) if missing and unknown else None
    return error(
        "E0110",
        f"`{path.name}` does not fit the model: {len(missing)} names missing, {len(unknown)} unknown, "
        f"{len(misfits)} of another shape",
        place=Place(str(path)),
        notes=notes,
        help=[f"is `{near}` meant for `{missing[0]}`?"] if near else [],
    )


def _listed(names: list[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def _first_line(failure: BaseException) -> str:
    return (str(failure).strip().splitlines() or [type(failure).__name__])[0]
