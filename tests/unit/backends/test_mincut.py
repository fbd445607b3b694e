"""The minimum cut for layouts, compared with brute force."""

from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from edgec.backends.layout.mincut import FlowNetwork

VALUES = st.lists(
    st.tuples(st.integers(0, 5), st.sets(st.integers(0, 5), min_size=1, max_size=3), st.integers(1, 9)), max_size=8
)


@settings(max_examples=150, deadline=None)
@given(VALUES, st.sets(st.integers(0, 5)), st.sets(st.integers(0, 5)))
def test_the_cut_is_the_cheapest_assignment(
    values: list[tuple[int, set[int], int]], wants: set[int], refuses: set[int]
) -> None:
    refuses = refuses - wants
    network = FlowNetwork()
    vertex = [network.vertex() for _ in range(6)]
    for v in wants:
        network.infinite(network.source, vertex[v])
    for v in refuses:
        network.infinite(vertex[v], network.sink)
    for maker, users, cost in values:
        network.disagreement(vertex[maker], [vertex[u] for u in users], cost)
    side, cut = network.minimum_cut()

    def cost_of(chosen: tuple[bool, ...]) -> int:
        return sum(c for m, users, c in values if any(chosen[u] != chosen[m] for u in users))

    legal = [c for c in product((False, True), repeat=6) if all(c[v] for v in wants) and not any(c[v] for v in refuses)]
    assert cut == min(map(cost_of, legal))
    assert cost_of(tuple(v in side for v in vertex)) == cut
