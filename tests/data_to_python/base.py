"""The registry of these functions, and the tables that they use."""

import dataclasses
import enum
import functools

SCALES = {1: 2.0, 2: 4.0}


NAMED = {"a1": 2.0, "a2": 4.0}


RIGHT, REFUSED = {}, {}


class Mode(enum.IntEnum):
    A = 1
    B = 2


@dataclasses.dataclass(frozen=True)
class Point:
    k: int


@functools.lru_cache
def cached(n):
    return 2.0 if n == 1 else 5.0


def right(function):
    RIGHT[function.__name__] = function
    return function


def refused(label):
    def note(function):
        REFUSED[function.__name__] = (function, label)
        return function

    return note


@dataclasses.dataclass
class Pair:
    k: int
    other: int
