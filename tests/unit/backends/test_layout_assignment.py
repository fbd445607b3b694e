"""The assignment of layouts is the cheapest: compared with all others for small graphs."""

from itertools import product

import onnx_ir as ir
from hypothesis import given, settings
from hypothesis import strategies as st

from edgec.backends.layout.assignment import Border, End, Side, cheapest

NODES = [ir.Node("", "Relu", [ir.Value(name=f"x{i}")]) for i in range(6)]
ENDS: list[End] = [*NODES, Side.TURNED, Side.KEPT]


@st.composite
def borders(draw: st.DrawFn) -> list[Border]:
    ends = st.sampled_from(ENDS)
    rows = draw(st.lists(st.tuples(ends, st.frozensets(ends, max_size=4), st.integers(0, 9)), max_size=8))
    return [Border(*row) for row in rows]


def moved(turned: frozenset[ir.Node], rows: list[Border]) -> int:
    """The cost of an assignment: each value once, if one of its users has another layout than its producer."""

    def side(end: End) -> bool:
        return end is Side.TURNED if isinstance(end, Side) else end in turned

    return sum(row.cost for row in rows if any(side(user) != side(row.maker) for user in row.users))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(Side), min_size=len(NODES), max_size=len(NODES)), borders())
def test_no_assignment_moves_less(sides: list[Side], rows: list[Border]) -> None:
    known = dict(zip(NODES, sides, strict=True))
    found = cheapest(known, rows)
    every = [
        frozenset(node for node, turned in zip(NODES, choice, strict=True) if turned)
        for choice in product((False, True), repeat=len(NODES))
        if all(known[n] is Side.EITHER or (known[n] is Side.TURNED) == t for n, t in zip(NODES, choice, strict=True))
    ]
    assert found.turned in every
    assert moved(found.turned, rows) == found.bound_bytes == min(moved(one, rows) for one in every)
    assert len(found.turned) == max(len(one) for one in every if moved(one, rows) == found.bound_bytes)
