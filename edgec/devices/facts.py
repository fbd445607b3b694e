"""What a device says of itself: which product it is, and in which state it is just now."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from edgec.devices.transport import Transport

_IDENTITY = r"""
say() { [ -n "$2" ] && echo "$1=$2"; }
say kernel "$(uname -srm)"
say processors "$(grep -c '^processor' /proc/cpuinfo)"
say cpu "$(grep -m1 -E '^(model name|Hardware|CPU part)' /proc/cpuinfo | cut -d: -f2)"
if command -v getprop >/dev/null 2>&1; then
  say model "$(getprop ro.product.manufacturer) $(getprop ro.product.model)"
  say soc "$(getprop ro.soc.model)"
  say soc "$(getprop ro.board.platform)"
  say os "Android $(getprop ro.build.version.release)"
  say build "$(getprop ro.build.fingerprint)"
else
  say model "$(tr -d '\000' < /proc/device-tree/model)"
  say model "$(cat /sys/class/dmi/id/product_name)"
  say soc "$(tr '\000' ' ' < /proc/device-tree/compatible)"
  say os "$(. /etc/os-release; echo "$PRETTY_NAME")"
  say build "$(uname -v)"
fi 2>/dev/null
"""

_STATE = r"""
{
echo "boot=$(cat /proc/sys/kernel/random/boot_id)"
for z in /sys/class/thermal/thermal_zone*; do echo "zone=$(cat $z/type) $(cat $z/temp)"; done
for g in /sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_governor; do echo "governor=$(cat $g)"; done
for b in /sys/class/power_supply/*; do [ "$(cat $b/type)" = Battery ] && echo "battery=$(cat $b/capacity)"; done
if command -v dumpsys; then
  dumpsys battery | grep -E '^ *(level|temperature):' | while read l; do echo "dumped=$l"; done
  echo "thermal=$(dumpsys thermalservice | grep -m1 'Thermal Status')"
fi
command -v vcgencmd >/dev/null && echo "thermal=$(vcgencmd get_throttled)"
} 2>/dev/null
true
"""

_PLAUSIBLE_C = (-40.0, 150.0)
"""Sensors that are off, or of something else, read beyond."""


@dataclass(frozen=True)
class Identity:
    """A product and its system, in its own words; empty where it does not say."""

    model: str = ""
    soc: str = ""
    os: str = ""
    build: str = ""
    kernel: str = ""
    cpu: str = ""
    processors: int = 0


@dataclass(frozen=True)
class State:
    """How a device is just now; None, or empty, where it does not say.

    `temperature_c` is the zone's that the profile names; else the battery's on Android, the warmest sensor's elsewhere.
    `boot` changes with every start of the system.
    """

    temperature_c: float | None = None
    battery_percent: float | None = None
    governor: str = ""
    thermal: str = ""
    boot: str = ""


def identity_of(transport: Transport) -> Identity:
    """Ask which product it is. Raises as `Transport.run` does."""
    said = _pairs(transport.run(_IDENTITY).output)
    first = {key: values[0] for key, values in said.items()}
    count = first.pop("processors", "0")
    known = {key: value for key, value in first.items() if key in Identity.__dataclass_fields__}
    return Identity(**known, processors=int(count) if count.isdecimal() else 0)


def state_of(transport: Transport, zone: str = "") -> State:
    """Ask for the state; `zone` is the thermal zone that counts. Raises as `Transport.run` does."""
    said = _pairs(transport.run(_STATE).output)
    battery = {key: value for key, _, value in (line.partition(":") for line in said.get("dumped", []))}
    levels = [v for text in (*said.get("battery", []), battery.get("level", "")) if (v := _number(text)) is not None]
    governors = Counter(said.get("governor", []))
    return State(
        temperature_c=_temperature(said.get("zone", []), battery.get("temperature", ""), zone),
        battery_percent=min((v for v in levels if 0 <= v <= 100), default=None),
        governor=", ".join(sorted(governors)),
        thermal=next(iter(said.get("thermal", [])), ""),
        boot=next(iter(said.get("boot", [])), ""),
    )


def _temperature(zones: list[str], battery: str, named: str) -> float | None:
    """Zones are in thousandths of a degree (Linux), the battery in tenths (Android's BatteryManager)."""
    found = []
    for line in zones:
        name, _, text = line.rpartition(" ")
        value = _number(text)
        if value is not None and (not named or name == named) and _PLAUSIBLE_C[0] < value / 1000 < _PLAUSIBLE_C[1]:
            found.append(value / 1000)
    if not named and (value := _number(battery)) is not None:
        return value / 10 if _PLAUSIBLE_C[0] < value / 10 < _PLAUSIBLE_C[1] else None
    return max(found, default=None)


def _number(text: str) -> float | None:
    return float(text) if re.fullmatch(r"\s*-?\d+(\.\d+)?\s*", text) else None


def _pairs(output: str) -> dict[str, list[str]]:
    """`key=value` lines, in order; whatever else was written is passed over."""
    found: dict[str, list[str]] = {}
    for line in output.splitlines():
        key, equals, value = line.partition("=")
        if equals and value.strip():
            found.setdefault(key.strip(), []).append(" ".join(value.split()))
    return found
