"""A device that answers as a test says."""

from collections.abc import Callable, Sequence

import numpy as np

from edgec.devices.engine import Plan, Timed
from edgec.devices.facts import Identity, State
from edgec.devices.transport import Ran


class ScriptedTransport:
    """Gives each script to `answer`."""

    address, scratch = "scripted", "/tmp"

    def __init__(self, answer: Callable[[str], str]) -> None:
        self._answer = answer

    def run(self, script: str, limit_s: float = 0) -> Ran:
        return Ran(0, self._answer(script))


class ScriptedEngine:
    runtime, delegate, threads = "scripted 1.0", "", 1


class ScriptedRunner:
    """Gives the next of `states` at each look, the last one for ever; times tries as `medians` say."""

    identity = Identity(model="Scripted")
    engine = ScriptedEngine()

    def __init__(self, states: Sequence[State], medians: Sequence[float] = (1.0,)) -> None:
        self.transport = ScriptedTransport(lambda script: "")
        self._states, self._medians = list(states), list(medians)
        self.timed_in: list[State] = []
        self.seen = State()

    def state(self) -> State:
        self.seen = self._states.pop(0) if len(self._states) > 1 else self._states[0]
        return self.seen

    def time(self, plan: Plan) -> Timed:
        self.timed_in.append(self.seen)
        middle = self._medians.pop(0) if len(self._medians) > 1 else self._medians[0]
        samples = np.full(plan.runs, middle)
        return Timed(plan.runs, middle, middle, middle, middle, 5.0, 2.0, samples)
