"""When a device may be measured: never above the temperature or below the battery charge of its profile."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from edgec.devices.facts import State
from edgec.diag import error
from edgec.spec.reach import Limits

STEP_S = 10.0
"""Seconds between two looks."""

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Watch:
    """Looks at a device until it may be measured.

    `look` reads its state, `limits` are the profile's. A wait ends after `longest_s` seconds; `tell` is told of it, and
    of limits that cannot be watched. `pause` sleeps.
    """

    look: Callable[[], State]
    limits: Limits
    longest_s: float
    tell: Tell
    pause: Callable[[float], None] = time.sleep

    def wait(self) -> State:
        """The state in which it may be measured. Raises `EdgecError` E0705 when the longest wait is over."""
        waited = 0.0
        state = self.look()
        while why := self.against(state):
            if waited >= self.longest_s:
                raise error(
                    "E0705",
                    f"the device is not ready to be measured: {why}",
                    notes=[f"waited {waited:.0f} seconds for it"],
                    help=[
                        "let it cool or charge, allow a longer wait (`--wait SECONDS`), or change the profile's limit"
                    ],
                )
            if waited == 0:
                self.tell(f"waiting, at most {self.longest_s:.0f} seconds: {why}")
            step = min(STEP_S, self.longest_s - waited)
            self.pause(step)
            waited += step
            state = self.look()
        return state

    def against(self, state: State) -> str:
        """What speaks against a measurement in this state; empty where nothing does."""
        found = []
        hottest, least = self.limits.max_temperature_c, self.limits.min_battery_percent
        if hottest is not None and state.temperature_c is not None and state.temperature_c > hottest:
            found.append(f"it is at {state.temperature_c:.1f} °C, the limit is {hottest:.1f} °C")
        if least is not None and state.battery_percent is not None and state.battery_percent < least:
            found.append(f"its battery is at {state.battery_percent:.0f} %, the limit is {least:.0f} %")
        return " and ".join(found)

    def unwatched(self, state: State) -> list[str]:
        """The limits that the device gives no reading for."""
        found = []
        if self.limits.max_temperature_c is not None and state.temperature_c is None:
            found.append("the device does not tell its temperature, so its limit was not watched")
        if self.limits.min_battery_percent is not None and state.battery_percent is None:
            found.append("the device does not tell its battery's charge, so its limit was not watched")
        return found
