"""Arithmetic of shapes and permutations: which axes move together, and how reshapes regroup them."""

from __future__ import annotations

from math import prod

from edgec.ops.base import Ints


def merged(shape: Ints, perm: Ints) -> tuple[Ints, Ints]:
    """The same transpose with the fewest dimensions, as (sizes, permutation): units dropped, adjacent axes merged."""
    kept = [axis for axis in perm if shape[axis] != 1]
    rank_of = {axis: i for i, axis in enumerate(sorted(kept))}
    groups: list[list[int]] = []
    for axis in (rank_of[a] for a in kept):
        if groups and axis == groups[-1][-1] + 1:
            groups[-1].append(axis)
        else:
            groups.append([axis])
    plain = [size for size in shape if size != 1]
    order = sorted(range(len(groups)), key=lambda i: groups[i][0])
    sizes = tuple(prod(plain[axis] for axis in groups[i]) for i in order)
    position = {group: place for place, group in enumerate(order)}
    return sizes, tuple(position[i] for i in range(len(groups)))


def common_factors(a: Ints, b: Ints) -> tuple[Ints, list[Ints], list[Ints]] | None:
    """The coarsest common factorization of two shapes: its sizes, and the positions of each dimension's factors in it.

    None if the boundaries of the dimensions do not nest, as in (6, 4) and (8, 3).
    """
    factors: list[int] = []
    of_a: list[list[int]] = [[] for _ in a]
    of_b: list[list[int]] = [[] for _ in b]
    rest_a, rest_b = list(a), list(b)
    i = j = 0
    while True:
        while i < len(a) and rest_a[i] == 1:
            i += 1
        while j < len(b) and rest_b[j] == 1:
            j += 1
        if i == len(a) or j == len(b):
            break
        step = min(rest_a[i], rest_b[j])
        if step == 0 or rest_a[i] % step or rest_b[j] % step:
            return None
        of_a[i].append(len(factors))
        of_b[j].append(len(factors))
        factors.append(step)
        rest_a[i] //= step
        rest_b[j] //= step
    return tuple(factors), [tuple(ids) for ids in of_a], [tuple(ids) for ids in of_b]
