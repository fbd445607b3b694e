"""Texts of recognizers: greedy decoding, and the distance of two texts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgec.diag import error


def greedy_text(output: NDArray[np.generic], labels: Sequence[str]) -> str:
    """The text for (T, symbols) or (1, T, symbols) scores: the best symbol of each step, repeats merged, blanks (symbol
    0) dropped (Graves et al. 2006). Raises `EdgecError` E0107 for other shapes, or symbols without labels.
    """
    scores = np.asarray(output)
    if scores.ndim == 3 and scores.shape[0] == 1:
        scores = scores[0]
    if scores.ndim != 2:
        raise error("E0107", f"a text is read from scores (steps, symbols), and the output has shape {output.shape}")
    if len(labels) != scores.shape[1] - 1:
        message = f"{scores.shape[1]} symbols are scored, the blank among them, and {len(labels)} labels are given"
        raise error("E0107", message, help=["add `--labels FILE`: one symbol a line, without the blank"])
    best = scores.argmax(axis=1)
    kept = best[np.insert(best[1:] != best[:-1], 0, True)]
    return "".join(labels[symbol - 1] for symbol in kept if symbol)


def edit_distance(found: Sequence[str], truth: Sequence[str]) -> int:
    """Levenshtein distance: insertions, deletions and substitutions, each of cost one."""
    row = list(range(len(truth) + 1))
    for i, unit in enumerate(found, 1):
        diagonal, row[0] = row[0], i
        for j, expected in enumerate(truth, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (unit != expected))
    return row[-1]
