"""Checks a module's inputs and outputs: tensors that an app can hold, accepted by its forward."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch.utils import _pytree as pytree

from edgec.diag import EdgecError, Place, error
from edgec.frontend.torch.call import Call, output_tensors
from edgec.frontend.user_code import is_users_own

_WITHOUT_NUMPY = frozenset({torch.float8_e4m3fn, torch.float8_e5m2})
"""Element types without numpy arrays."""


def check_forward(module: torch.nn.Module) -> None:
    """Raise `EdgecError` E0103 for a module without a forward."""
    if type(module).forward is torch.nn.Module.forward and "forward" not in vars(module):
        raise error("E0103", f"`{type(module).__name__}` defines no `forward`", place=place_of_forward(module))


def check_call(module: torch.nn.Module, call: Call) -> None:
    """Raise `EdgecError` E0107 if the module does not accept these arguments, or none of them is a tensor."""
    place = place_of_forward(module)
    signature = inspect.signature(module.forward)
    try:
        signature.bind(*call.args, **call.kwargs)
    except TypeError as unfit:
        raise error(
            "E0107",
            f"`{type(module).__name__}.forward` cannot be called with the example inputs: {unfit}",
            place=place,
            notes=[f"it takes {_parameters(signature)}; {_given(call)}"],
            help=["return `(module, example_inputs)`, a tuple of positional arguments or a dictionary of named ones"],
        ) from None
    leaves = pytree.tree_leaves((call.args, call.kwargs))
    if leaves and not call.tensors():
        raise error(
            "E0107",
            f"the example inputs contain no tensor, but {_article(type(leaves[0]).__name__)}",
            place=place,
            help=["give tensors, for instance `torch.from_numpy(array)`; an artifact takes nothing else"],
        )


def check_interface(module: torch.nn.Module, call: Call, result: Any) -> None:
    """Inputs and outputs of artifacts are real tensors. Raises `EdgecError` E0202."""
    place = place_of_forward(module)
    outputs = output_tensors(result)
    tensors = (*call.tensors(), *outputs)
    if any(t.is_complex() for t in tensors):
        advice = "pass the real and the imaginary part separately"
        raise _unfit("an input or output is complex", "interface-complex", advice, place)
    if odd := [t.dtype for t in tensors if t.dtype in _WITHOUT_NUMPY]:
        kind = str(odd[0]).removeprefix("torch.")
        advice = "use float32 at the interface: `.float()`"
        raise _unfit(f"an input or output is {kind}", f"interface-{kind}", advice, place)
    if any(t.layout is not torch.strided for t in tensors):
        raise _unfit("an input or output is sparse", "interface-sparse", "convert it with `.to_dense()`", place)
    for path, leaf in pytree.tree_flatten_with_path(result)[0]:
        where = f"`output{pytree.keystr(path)}`" if path else "the output"
        if isinstance(leaf, bool | int | float | complex):
            advice = "return a tensor: remove the `.item()`, or leave the number out"
            raise _unfit(f"{where} is `{leaf!r}`, a Python number", "interface-number", advice, place)
        if isinstance(leaf, str | bytes):
            advice = "leave the text out of the results: an artifact gives tensors"
            raise _unfit(f"{where} is `{leaf!r:.40}`, a text", "interface-text", advice, place)
    if not outputs:
        what = "None" if result is None else _article(type(result).__name__)
        advice = "return a tensor, or a tuple, list or dictionary of tensors"
        raise _unfit(f"the model returns {what}, which contains no tensor", "interface-number", advice, place)


def place_of_forward(module: torch.nn.Module) -> Place | None:
    """The definition of the module's forward, or of its class; None if it is not in a file of the user's."""
    forward = inspect.unwrap(module.forward)
    written = forward if type(module).forward is not torch.nn.Module.forward else type(module)
    try:
        file, (_, line) = inspect.getsourcefile(written), inspect.getsourcelines(written)
    except (OSError, TypeError):
        return None
    return Place(file, line) if file and is_users_own(file) else None


def _parameters(signature: inspect.Signature) -> str:
    named = [f"`{p}`" for p in map(str, signature.parameters.values()) if p not in ("/", "*")]
    return ", ".join(named) or "no arguments"


def _given(call: Call) -> str:
    said = [f"{len(call.args)} given by position"] if call.args else []
    said += [f"{', '.join(f'`{name}`' for name in call.kwargs)} by name"] if call.kwargs else []
    return " and ".join(said) or "none is given"


def _article(kind: str) -> str:
    return f"{'an' if kind[:1].lower() in 'aeiou' else 'a'} `{kind}`"


def _unfit(what: str, label: str, advice: str, place: Place | None) -> EdgecError:
    return error("E0202", what, place=place, notes=[f"rejected by `{label}`"], help=[advice])
