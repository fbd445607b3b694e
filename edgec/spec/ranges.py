"""Ranges of inputs: `--range image=0..255`, and `[ranges]` in a target."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from edgec.diag import EdgecError, error
from edgec.spec.reader import Checker, Table

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_RANGE = re.compile(rf"(?P<low>{_NUMBER})\.\.(?P<high>{_NUMBER})")
_HELP = "write `--range image=0..255`"


@dataclass(frozen=True)
class InputRange:
    """Bounds of all elements of an input, both inclusive.

    `origin`: `request` (the command line, the project file, an argument), `target` (its `[ranges]`), `image` (its
    `[options.images]`), `type` (integers of 8 or 16 bits) or `table` (indices into an embedding table).
    """

    name: str
    low: float
    high: float
    origin: str = "request"

    @property
    def is_single(self) -> bool:
        """Whether it contains one value, so that the input is a constant."""
        return self.low == self.high

    @property
    def size(self) -> float:
        """The largest magnitude."""
        return max(abs(self.low), abs(self.high))


def parse_range(text: str) -> InputRange:
    """Parse `NAME=LOW..HIGH`; with equal bounds, the input is a constant. Raises `EdgecError` E0101."""
    name, equals, numbers = (part.strip() for part in text.rpartition("="))
    found = _RANGE.fullmatch(numbers)
    if not equals or not name or found is None:
        raise error("E0101", f"`--range {text}` is not NAME=LOW..HIGH", help=[_HELP])
    low, high = float(found["low"]), float(found["high"])
    if not (_is_range(low, high) or (low == high and math.isfinite(low))):
        raise error("E0101", f"`--range {text}` is empty or infinite", help=["write the lower bound first"])
    return InputRange(name, low, high)


def parse_ranges(texts: tuple[str, ...]) -> tuple[InputRange, ...]:
    """Parse several. Raises `EdgecError` E0101, also for an input with two ranges."""
    found = tuple(parse_range(text) for text in texts)
    names = [r.name for r in found]
    if twice := [name for name in names if names.count(name) > 1]:
        raise _twice(twice[0])
    return found


def _twice(name: str) -> EdgecError:
    return error("E0101", f"input `{name}` has two ranges", help=["give one `--range` per input"])


def read_ranges(c: Checker, table: Table) -> tuple[InputRange, ...]:
    """Read `[ranges]`: `image = [0, 255]`. Mistakes are reported to the checker."""
    found = []
    for name in table:
        ends = c.numbers(table, name, 0.0)
        if len(ends) != 2 or not _is_range(*ends):
            c.problem(f"the range `{name}` must be two numbers, the lower one first", name, "write `image = [0, 255]`")
            continue
        found.append(InputRange(name, *ends, "target"))
    return tuple(found)


def _is_range(low: float, high: float) -> bool:
    return math.isfinite(low) and math.isfinite(high) and low < high
