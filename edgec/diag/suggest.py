"""Suggestions for misspelt words. Only near misses: a wrong suggestion is worse than none."""

from __future__ import annotations

from collections.abc import Iterable

_FARTHEST = 2
"""The largest edit distance that counts as a typing error."""


def suggest(word: str, known: Iterable[str]) -> str | None:
    """The known word nearest to `word` within an edit distance of 2, or None."""
    ranked = sorted((edit_distance(word.lower(), k.lower()), k) for k in known)
    return ranked[0][1] if ranked and ranked[0][0] <= min(_FARTHEST, max(1, len(word) // 2)) else None


def edit_distance(a: str, b: str) -> int:
    """Levenshtein's distance: insertions, deletions and substitutions."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        last, row = row, [i]
        for j, y in enumerate(b, 1):
            row.append(min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (x != y)))
    return row[-1]
