"""States of a model: pairs of an input and an output, in which each run's output is the next run's input."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from edgec.ir.model import Model

_KEY = "edgec.state."


@dataclass(frozen=True)
class State:
    """A state, by the names of the graph's input and output that carry it.

    `zero`: its initial value is zero. `sums`: it accumulates (a counter, an average), so it needs float32's precision.
    """

    input: str
    output: str
    zero: bool = True
    sums: bool = False


def states(model: Model) -> tuple[State, ...]:
    """The model's states in the order of its inputs; empty for a stateless model."""
    order = {value.name: i for i, value in enumerate(model.graph.inputs)}
    found = [State(**json.loads(text)) for key, text in model.metadata_props.items() if key.startswith(_KEY)]
    return tuple(sorted(found, key=lambda state: order[state.input]))


def set_state(model: Model, state: State) -> None:
    """Record a state in the model."""
    model.metadata_props[f"{_KEY}{state.input}"] = json.dumps(asdict(state))
