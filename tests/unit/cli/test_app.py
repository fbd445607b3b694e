"""Frames of the command line share one chunk of memory: calls behave as elsewhere."""

from __future__ import annotations

import sys

import pytest

from edgec.cli import app


def _depth(levels: int) -> int:
    return 0 if levels == 0 else 1 + _depth(levels - 1)


def test_the_claimed_stack_is_larger_than_a_chunk_of_frames() -> None:
    assert app._in_one_chunk.__code__.co_stacksize * 8 >= 1 << 20


def test_calls_return_raise_and_recurse_as_elsewhere() -> None:
    assert app._in_one_chunk(lambda: _depth(500)) == 500
    with pytest.raises(RecursionError):
        app._in_one_chunk(lambda: _depth(sys.getrecursionlimit() + 10))
    with pytest.raises(ZeroDivisionError):
        app._in_one_chunk(lambda: 1 // 0)
