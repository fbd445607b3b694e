"""States declared by the user: an input whose next value is an output."""

from __future__ import annotations

from collections.abc import Sequence

from edgec.diag import EdgecError, error
from edgec.diag.suggest import suggest
from edgec.ir.model import Model, static_shape
from edgec.ir.states import State, set_state, states


def parse_state(text: str) -> tuple[str, str]:
    """Parse `INPUT=OUTPUT`. Raises `EdgecError` E0101."""
    before, equals, after = (part.strip() for part in text.partition("="))
    if not equals or not before or not after:
        raise error("E0101", f"`--state {text}` is not INPUT=OUTPUT", help=["write `--state past_key=present_key`"])
    return before, after


def name_states(model: Model, pairs: Sequence[tuple[str, str]]) -> None:
    """Record pairs of an input and an output as states, unless they are already.

    Raises `EdgecError` E0101 if a pair cannot be a state.
    """
    inputs = {value.name or "": value for value in model.graph.inputs}
    outputs = {value.name or "": value for value in model.graph.outputs}
    own = {(state.input, state.output) for state in states(model)}
    taken = {name for pair in own for name in pair}
    for before, after in (pair for pair in pairs if pair not in own):
        for name, known, kind in ((before, inputs, "input"), (after, outputs, "output")):
            if name not in known:
                raise _unknown(name, list(known), kind)
            if name in taken:
                raise error("E0101", f"`--state` names `{name}`, which already belongs to a state")
            taken.add(name)
        given, kept = inputs[before], outputs[after]
        if given.dtype != kept.dtype or static_shape(given) is None or static_shape(given) != static_shape(kept):
            raise error(
                "E0101",
                f"`{before}` and `{after}` cannot be a state",
                notes=[f"they are {given.dtype} {given.shape} and {kept.dtype} {kept.shape}"],
                help=["the input and the output of a state need the same element type and the same fixed shape"],
            )
        set_state(model, State(before, after))


def _unknown(name: str, known: list[str], kind: str) -> EdgecError:
    near = suggest(name, known)
    return error(
        "E0101",
        f"`--state` names `{name}`, which is not an {kind} of the model",
        notes=[f"its {kind}s are {', '.join(known)}"],
        help=[f"did you mean `{near}`?"] if near else [],
    )
