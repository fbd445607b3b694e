"""A small minimum s-t cut: Dinic's algorithm on adjacency lists.

E. A. Dinic, "Algorithm for solution of a problem of maximum flow in a network with power estimation", 1970.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

_INFINITE = 1 << 60


class FlowNetwork:
    """Vertices are integers. Arc `2k` and its reverse `2k + 1` share their capacity."""

    def __init__(self) -> None:
        self._arcs: list[list[int]] = []
        self._head: list[int] = []
        self._capacity: list[int] = []
        self.source = self.vertex()
        self.sink = self.vertex()

    def vertex(self) -> int:
        """A new vertex."""
        self._arcs.append([])
        return len(self._arcs) - 1

    def arc(self, tail: int, head: int, capacity: int) -> None:
        """A directed arc."""
        for start, end, room in ((tail, head, capacity), (head, tail, 0)):
            self._arcs[start].append(len(self._head))
            self._head.append(end)
            self._capacity.append(room)

    def infinite(self, tail: int, head: int) -> None:
        """An arc that no cut may cross: if `tail` is on the source side, so is `head`."""
        self.arc(tail, head, _INFINITE)

    def disagreement(self, maker: int, users: Iterable[int], cost: int) -> None:
        """Cost `cost` once if any user is on another side than the maker, regardless of their number."""
        others = set(users) - {maker}
        if not others:
            return
        forward, backward = self.vertex(), self.vertex()
        self.arc(maker, forward, cost)
        self.arc(backward, maker, cost)
        for user in others:
            self.infinite(forward, user)
            self.infinite(user, backward)

    def minimum_cut(self) -> tuple[set[int], int]:
        """The vertices on the source side of a minimum cut (the largest such side), and the cut's value."""
        flow = 0
        while (level := self._levels())[self.sink] >= 0:
            following = [0] * len(self._arcs)
            while pushed := self._augment(level, following):
                flow += pushed
        return set(range(len(self._arcs))) - self._reaching_sink(), flow

    def _reaching_sink(self) -> set[int]:
        """The vertices with a residual path to the sink."""
        found, pending = {self.sink}, [self.sink]
        while pending:
            for arc in self._arcs[pending.pop()]:
                tail = self._head[arc]
                if self._capacity[arc ^ 1] > 0 and tail not in found:
                    found.add(tail)
                    pending.append(tail)
        return found

    def _levels(self) -> list[int]:
        level = [-1] * len(self._arcs)
        level[self.source] = 0
        pending = deque([self.source])
        while pending:
            v = pending.popleft()
            for arc in self._arcs[v]:
                head = self._head[arc]
                if self._capacity[arc] > 0 and level[head] < 0:
                    level[head] = level[v] + 1
                    pending.append(head)
        return level

    def _augment(self, level: list[int], following: list[int]) -> int:
        """Find one path along increasing levels, without recursion, and push its bottleneck capacity."""
        path: list[int] = []
        v = self.source
        while v != self.sink:
            arc = self._next_arc(v, level, following)
            if arc is not None:
                path.append(arc)
                v = self._head[arc]
            elif path:
                v = self._head[path.pop() ^ 1]
                following[v] += 1
            else:
                return 0
        room = min(self._capacity[arc] for arc in path)
        for arc in path:
            self._capacity[arc] -= room
            self._capacity[arc ^ 1] += room
        return room

    def _next_arc(self, v: int, level: list[int], following: list[int]) -> int | None:
        while following[v] < len(self._arcs[v]):
            arc = self._arcs[v][following[v]]
            if self._capacity[arc] > 0 and level[self._head[arc]] == level[v] + 1:
                return arc
            following[v] += 1
        return None
