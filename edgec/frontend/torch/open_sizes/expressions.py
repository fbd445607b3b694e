"""Shorter expressions of sizes than torch makes itself: sizes that are padded, several times over, grow long.

Every identity holds for all integers, so that an expression stands for the same number wherever torch keeps it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import sympy  # type: ignore[import-untyped]
from torch.utils._sympy.functions import FloorDiv, Mod, PythonMod, simple_floordiv_gcd

from edgec.frontend.torch.patches import Patches

_FEW = 60
"""Parts of an expression up to which torch may reduce a quotient: its way takes minutes for long ones."""


def shorten(patches: Patches) -> None:
    """Let torch make shorter expressions for as long as the patches hold."""
    patches.replace("torch.utils._sympy.functions.simple_floordiv_gcd", _divisor_of_few(simple_floordiv_gcd))
    patches.replace("torch.utils._sympy.functions.Mod.eval", classmethod(_padding(Mod.eval)))
    patches.replace("torch.utils._sympy.functions.PythonMod.eval", classmethod(_padding(PythonMod.eval)))


def _divisor_of_few(ordinary: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """The common divisor by which `FloorDiv` reduces a quotient; of long ones 1, which leaves them as they are."""

    def divisor(base: Any, by: Any) -> Any:
        parts = sum(1 for _ in itertools.islice(sympy.preorder_traversal(base), _FEW))
        return ordinary(base, by) if parts < _FEW else sympy.Integer(1)

    return divisor


def _padding(ordinary: Callable[[Any, Any], Any]) -> Callable[[Any, Any, Any], Any]:
    """(c - x mod c) mod c and -x mod c, by which x is padded to a multiple of c: c ⌈x / c⌉ - x, to which x adds up."""

    def evaluated(_: Any, value: Any, by: Any) -> Any:
        padded = _padded(value, by) if isinstance(by, sympy.Integer) and by > 1 else None
        return ordinary(value, by) if padded is None else by * FloorDiv(padded + by - 1, by) - padded

    return evaluated


def _padded(value: Any, by: Any) -> Any | None:
    """The x of `_padding`."""
    rest = by - value
    if isinstance(rest, Mod | PythonMod) and rest.args[1] == by:
        return rest.args[0]
    return -value if isinstance(-value, sympy.Symbol | FloorDiv) else None
