"""Simplifies expressions of sizes beyond what torch does, since repeatedly padded sizes give long expressions.

All identities hold for every integer, so that an expression has the same value wherever torch uses it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import sympy  # type: ignore[import-untyped]
from torch.utils._sympy.functions import FloorDiv, Mod, PythonMod, simple_floordiv_gcd

from edgec.frontend.torch.patches import Patches

_FEW = 60
"""The number of nodes of an expression up to which torch reduces quotients, which takes minutes for long ones."""


def shorten(patches: Patches) -> None:
    """Make torch simplify expressions while the patches are active."""
    patches.replace("torch.utils._sympy.functions.simple_floordiv_gcd", _divisor_of_few(simple_floordiv_gcd))
    patches.replace("torch.utils._sympy.functions.Mod.eval", classmethod(_padding(Mod.eval)))
    patches.replace("torch.utils._sympy.functions.PythonMod.eval", classmethod(_padding(PythonMod.eval)))


def _divisor_of_few(ordinary: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """The common divisor by which `FloorDiv` reduces a quotient; 1 for long ones, which leaves them unchanged."""

    def divisor(base: Any, by: Any) -> Any:
        parts = sum(1 for _ in itertools.islice(sympy.preorder_traversal(base), _FEW))
        return ordinary(base, by) if parts < _FEW else sympy.Integer(1)

    return divisor


def _padding(ordinary: Callable[[Any, Any], Any]) -> Callable[[Any, Any, Any], Any]:
    """(c - x mod c) mod c and -x mod c, the padding of x to a multiple of c, as c ⌈x / c⌉ - x, which cancels x."""

    def evaluated(_: Any, value: Any, by: Any) -> Any:
        padded = _padded(value, by) if isinstance(by, sympy.Integer) and by > 1 else None
        return ordinary(value, by) if padded is None else by * FloorDiv(padded + by - 1, by) - padded

    return evaluated


def _padded(value: Any, by: Any) -> Any | None:
    """The x in an expression of the form that `_padding` returns."""
    rest = by - value
    if isinstance(rest, Mod | PythonMod) and rest.args[1] == by:
        return rest.args[0]
    return -value if isinstance(-value, sympy.Symbol | FloorDiv) else None
