"""Weights separate from code: which tensors of a file belong to the module, and whether they fit."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from edgec.diag import Diagnostic, EdgecError, Place, Severity, error
from edgec.diag.suggest import suggest
from edgec.frontend.request import Taken
from edgec.frontend.torch.checkpoint import WHOLE, Checkpoint, State, listed, read_state
from edgec.frontend.torch.overrides.compiled_modules import INSIDE

_COUNTER = "num_batches_tracked"
"""Batch norm's counter, used in training only: missing in older checkpoints, and rounded by tools."""

ALL = Taken()
"""The only weights of a file."""


@dataclass(frozen=True)
class _Part:
    """A part of a file: its tensors by the module's names, and what does not fit."""

    path: str
    state: State
    missing: list[str]
    misfits: list[str]
    unknown: list[str]

    @property
    def fits(self) -> bool:
        """Whether it contains every tensor that the module has."""
        return not (self.missing or self.misfits)


def load_weights(module: torch.nn.Module, path: Path, taken: Taken = ALL) -> tuple[Diagnostic, ...]:
    """Load a file's weights into the module; every name and shape must fit. Returns notes on the selection.

    Raises `EdgecError` E0102 (no file), E0203 (not readable), E0204 (would execute code), E0110 (does not fit, or
    several parts of the file do).
    """
    held = read_state(path)
    own = module.state_dict()
    parts = list(_parts(held, own))
    part = _named(parts, taken.part, path) if taken.part is not None else _only(parts, path)
    elsewhere = {id(t) for other in parts if other.fits and other is not part for t in other.state.values()}
    unknown = [name for name in part.unknown if id(part.state[name]) not in elsewhere]
    if not part.fits or (unknown and not taken.ignores_extra):
        raise _misfit(path, own, part, unknown)
    module.load_state_dict({name: t for name, t in part.state.items() if name in own}, strict=False)
    return tuple(_notes(held, parts, part, path, unknown))


def _parts(held: Checkpoint, own: Mapping[str, torch.Tensor]) -> Iterator[_Part]:
    """The mappings in the file, and the entries of each below a prefix such as `ema.`, without duplicates."""
    seen: set[frozenset[int]] = set()
    for path, state in held.parts.items():
        for inner, tensors in ((path, state), *_below_prefixes(path, state)):
            part = _part(inner, tensors, own)
            same = frozenset(id(t) for name, t in part.state.items() if name in own)
            if part.fits and same in seen:
                continue
            seen |= {same} if part.fits else set()
            if part.fits or inner == path:
                yield part


_HOLDERS = re.compile(r"model|module|net|ema|average|teacher|student|generator|backbone", re.IGNORECASE)
"""Names that training scripts commonly give to attributes that hold a whole model."""


def _below_prefixes(path: str, state: State) -> Iterator[tuple[str, State]]:
    heads = dict.fromkeys(name.partition(".")[0] for name in state if "." in name)
    for head in (head for head in heads if _HOLDERS.search(head) and len(heads) > 1):
        below = {name.removeprefix(f"{head}."): t for name, t in state.items() if name.startswith(f"{head}.")}
        yield head if path == WHOLE else f"{path}.{head}", below


def _part(path: str, tensors: State, own: Mapping[str, torch.Tensor]) -> _Part:
    state = _as_named(tensors, own)
    counters = [name for name in own if name.endswith(_COUNTER) and name in state]
    state = {name: t for name, t in state.items() if name not in counters or not _differs(own[name], t)}
    # A tensor that the model has under several names, such as tied embeddings, is usually stored once.
    there = {_place(own[n]) for n in own if n in state}
    missing = [n for n in own if n not in state and not n.endswith(_COUNTER) and _place(own[n]) not in there]
    misfits = [n for n in own if n in state and _differs(own[n], state[n])]
    return _Part(path, state, missing, misfits, [n for n in state if n not in own])


def _named(parts: list[_Part], name: str, path: Path) -> _Part:
    """The part that the user names: its path, or the end of its path. Raises `EdgecError` E0110."""
    found = [part for part in parts if part.path == name] or [p for p in parts if p.path.endswith(f".{name}")]
    if len(found) == 1:
        return found[0]
    paths = [part.path for part in found or parts]
    near = suggest(name, paths)
    raise error(
        "E0110",
        f"`{path.name}` has {'several parts' if found else 'no part'} `{name}`",
        place=Place(str(path)),
        notes=[f"its parts are {', '.join(f'`{p}`' for p in paths)}"],
        help=[f"did you mean `{near}`?"] if near else [],
    )


def _only(parts: list[_Part], path: Path) -> _Part:
    """The one part that fits, or the first of equal ones; otherwise the closest. Raises `EdgecError` E0110."""
    fitting = [part for part in parts if part.fits]
    if not fitting:
        return min(parts, key=lambda part: len(part.missing) + len(part.misfits))
    if any(not _equal(part.state, fitting[0].state) for part in fitting[1:]):
        paths = [part.path for part in fitting]
        raise error(
            "E0110",
            f"`{path.name}` holds weights of the model {len(paths)} times, and they differ",
            place=Place(str(path)),
            notes=[f"as {', '.join(f'`{p}`' for p in paths)}"],
            help=[f"say which: `--weights {path}:{p}`" for p in paths],
        )
    return fitting[0]


def _equal(first: State, second: State) -> bool:
    return all(torch.equal(t, second[name]) for name, t in first.items() if name in second)


def _notes(held: Checkpoint, parts: list[_Part], part: _Part, path: Path, unknown: list[str]) -> Iterator[Diagnostic]:
    """Notes on what was selected, and what was ignored."""
    others = [p.path for p in parts if p is not part and p.fits] + list(held.others)
    if part.path != WHOLE or others:
        which = "the weights are the file itself" if part.path == WHOLE else f"the weights are those of `{part.path}`"
        notes = (f"it also holds {listed([f'`{other}`' for other in others])}",) if others else ()
        message = f"`{path.name}`: {which}"
        yield Diagnostic("E0110", message, Place(str(path)), notes, severity=Severity.NOTE)
    if unknown:
        message = f"`{path.name}`: {len(unknown)} weights that the model does not have are ignored"
        yield Diagnostic("E0110", message, Place(str(path)), (listed(unknown),), severity=Severity.NOTE)


def _as_named(state: dict[str, torch.Tensor], own: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Rename to the module's names, if the difference is one prefix of all names in the file or in the module.

    DataParallel, Lightning and modules that wrap the model add a prefix; torch.compile adds its own anywhere.
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
    """The dotted prefixes that all names share, the shortest first."""
    parts = [name.split(".")[:-1] for name in names]
    shared = itertools.takewhile(lambda part: len(set(part)) == 1, zip(*parts, strict=False))
    return [f"{prefix}." for prefix in itertools.accumulate((part[0] for part in shared), "{}.{}".format)]


def _place(tensor: torch.Tensor) -> tuple[object, ...]:
    """The identity of a tensor's memory: the same for two names of one parameter."""
    if tensor.numel() == 0:
        return (id(tensor),)
    return (tensor.data_ptr(), tuple(tensor.shape), tensor.stride())


def _differs(own: torch.Tensor, given: torch.Tensor) -> bool:
    """Whether the shape differs, or the type cannot be converted: integers are quantized, with another meaning."""
    if own.is_floating_point() != given.is_floating_point() or own.is_complex() != given.is_complex():
        return True
    return own.shape != given.shape


def _misfit(path: Path, own: Mapping[str, torch.Tensor], part: _Part, unknown: list[str]) -> EdgecError:
    state, missing, misfits = part.state, part.missing, part.misfits
    notes = [
        f"`{n}` is {_told(state[n], own[n])} in the file and {_told(own[n], state[n])} in the model"
        for n in misfits[:3]
    ]
    notes += [f"missing: {listed(missing)}"] if missing else []
    notes += [f"not in the model: {listed(unknown)}"] if unknown else []
    near = suggest(missing[0], unknown) if missing and unknown else None
    advice = [f"is `{near}` meant for `{missing[0]}`?"] if near else []
    if part.fits:
        advice = ["`--extra-weights ignore` loads the model's own and passes over the others"]
    return error(
        "E0110",
        f"`{path.name}` does not fit the model: {len(missing)} names missing, {len(unknown)} unknown, "
        f"{len(misfits)} of another shape or type",
        place=Place(str(path)),
        notes=notes,
        help=advice,
    )


def _told(tensor: torch.Tensor, other: torch.Tensor) -> str:
    """How a tensor differs from another: its shape, otherwise its element type."""
    return str(list(tensor.shape)) if tensor.shape != other.shape else str(tensor.dtype).removeprefix("torch.")
