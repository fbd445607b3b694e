"""States of a model: pairs of an input and an output, where a run's output is the next run's input."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from edgec.ir.model import Model

_KEY = "edgec.state."


@dataclass(frozen=True)
class State:
    """What a model keeps from one run to the next, by the names of the graph's input and output that carry it.

    `zero`: it begins as zeros. `sums`: it adds up by fixed factors, a counter or an average, and needs every digit.
    """

    input: str
    output: str
    zero: bool = True
    sums: bool = False


def states(model: Model) -> tuple[State, ...]:
    """The model's states in the order of its inputs; empty for a model that keeps nothing."""
    order = {value.name: i for i, value in enumerate(model.graph.inputs)}
    found = [State(**json.loads(text)) for key, text in model.metadata_props.items() if key.startswith(_KEY)]
    return tuple(sorted(found, key=lambda state: order[state.input]))


def set_state(model: Model, state: State) -> None:
    """Note a state with the model."""
    model.metadata_props[f"{_KEY}{state.input}"] = json.dumps(asdict(state))
