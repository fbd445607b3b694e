"""Parses Einsum equations into a letter for each axis."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Letters = tuple[str, ...]
"""The letter of each axis. An axis under an ellipsis is numbered from the right end of the ellipsis: `.0`."""


@dataclass(frozen=True)
class Equation:
    """The letters of each operand and of the result. A letter repeated in an operand selects its diagonal."""

    operands: tuple[Letters, ...]
    output: Letters


def parse(text: str, ranks: Sequence[int]) -> Equation:
    """Parse an explicit or implicit equation for operands of the given ranks. Raises ValueError with the reason."""
    left, arrow, right = text.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(ranks):
        raise ValueError(f"the equation has {len(terms)} operands, the node {len(ranks)}")
    operands = tuple(_letters(term, rank) for term, rank in zip(terms, ranks, strict=True))
    widest = max((_dots(letters) for letters in operands), key=len, default=())
    output = _output(right, widest) if arrow else _implicit(left, widest)
    known = {letter for letters in operands for letter in letters}
    if len(set(output)) != len(output) or not set(output) <= known:
        raise ValueError("the result repeats a letter or names one that no operand has")
    return Equation(operands, output)


def _letters(term: str, rank: int) -> Letters:
    before, dots, after = term.partition("...")
    explicit = before + after
    if not all(c.isascii() and c.isalpha() for c in explicit):
        raise ValueError(f"`{term}` has other characters than letters and one ellipsis")
    hidden = rank - len(explicit)
    if hidden < 0 or (hidden and not dots):
        raise ValueError(f"`{term}` does not fit an operand of rank {rank}")
    return (*before, *(f".{i}" for i in reversed(range(hidden))), *after)


def _dots(letters: Letters) -> Letters:
    return tuple(letter for letter in letters if letter.startswith("."))


def _output(term: str, hidden: Letters) -> Letters:
    before, dots, after = term.partition("...")
    return (*before, *(hidden if dots else ()), *after)


def _implicit(left: str, hidden: Letters) -> Letters:
    """The ellipsis, then every letter that occurs once, in alphabetical order (capitals first)."""
    counts = Counter(c for c in left if c.isalpha())
    return (*hidden, *sorted(c for c, n in counts.items() if n == 1))


def ordered(letters: Iterable[str], like: Letters) -> Letters:
    """The letters in the order of `like`; those that it lacks come last, sorted."""
    chosen = set(letters)
    return (*(letter for letter in like if letter in chosen), *sorted(chosen - set(like)))
