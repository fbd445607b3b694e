"""Shorter expressions of open sizes stand for the same numbers."""

import pytest
import sympy
from torch.utils._sympy.functions import FloorDiv, Mod, PythonMod

from edgec.frontend.torch.open_sizes.expressions import shorten
from edgec.frontend.torch.patches import patched

SIZE = sympy.Symbol("s", integer=True, positive=True)


@pytest.mark.parametrize("c", [2, 7, 32])
def test_the_padding_to_a_multiple_is_what_it_was(c) -> None:
    with patched() as patches:
        shorten(patches)
        half = FloorDiv(SIZE, 2)
        made = [
            PythonMod(c - PythonMod(SIZE, c), c),
            Mod(c - Mod(SIZE, c), c),
            PythonMod(-SIZE, c),
            half + PythonMod(c - Mod(half, c), c),
        ]
    for s in range(1, 70):
        expected = [(c - s % c) % c, (c - s % c) % c, -s % c, s // 2 + -(s // 2) % c]
        assert [expression.subs(SIZE, s) for expression in made] == expected


def test_a_padded_size_is_one_term() -> None:
    with patched() as patches:
        shorten(patches)
        padded = SIZE + PythonMod(7 - Mod(SIZE, 7), 7)
        assert padded == 7 * FloorDiv(SIZE + 6, 7)
        assert FloorDiv(padded, 7) == FloorDiv(SIZE + 6, 7)
