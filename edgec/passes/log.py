"""What rewrote the graph, how often: every firing of a rule or pass ends in the manifest."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

import onnx_ir as ir

from edgec.diag import Diagnostic


@dataclass(frozen=True)
class NearMiss:
    """A rule that nearly fired: where, and why not."""

    rule: str
    node: ir.Node
    reason: str


@dataclass(frozen=True)
class KeptWide:
    """An operator that stays in float32 where the target computes in less: what, where, and on what evidence.

    `module` is the path of the `nn.Module`.
    """

    op: str
    node: str
    module: str
    evidence: str


@dataclass(frozen=True)
class LayoutMoves:
    """Transposes left in a graph, the bytes that they move in one run, and the least that any layouts would move."""

    transposes: int
    moved_bytes: int
    bound_bytes: int


@dataclass(frozen=True)
class FormChoice:
    """Whether a model got the form that the neural engine prefers, and why: `asked` for, or `predicted` to pay.

    What a run copies, and how many operations leave the engine, in the form that was taken and in the other one (None
    where it was not made).
    """

    taken: bool
    kind: str
    copied_bytes: int
    off_engine: int
    other_copied_bytes: int | None
    other_off_engine: int | None
    evidence: str


@dataclass
class RewriteLog:
    """Counts firings by rule name, in order of first firing; collects near misses and what was kept in float32.

    `told` are notes for whoever builds the model.
    """

    counts: Counter[str] = field(default_factory=Counter)
    misses: list[NearMiss] = field(default_factory=list)
    kept_wide: list[KeptWide] = field(default_factory=list)
    told: list[Diagnostic] = field(default_factory=list)
    layout: LayoutMoves | None = None
    form: FormChoice | None = None

    def fork(self) -> RewriteLog:
        """A log that goes on from here by itself."""
        counts, misses, kept = Counter(self.counts), list(self.misses), list(self.kept_wide)
        return replace(self, counts=counts, misses=misses, kept_wide=kept, told=list(self.told))

    def take(self, fork: RewriteLog) -> None:
        """Let this log be what a fork has become."""
        self.counts, self.misses, self.kept_wide = fork.counts, fork.misses, fork.kept_wide
        self.told = fork.told
        self.layout, self.form = fork.layout, fork.form

    def fired(self, rule: str, count: int = 1) -> None:
        """Record that a rule or pass changed the graph `count` times."""
        if count:
            self.counts[rule] += count

    def missed(self, rule: str, node: ir.Node, reason: str) -> None:
        """Record that a rule's shape was there but a condition failed."""
        self.misses.append(NearMiss(rule, node, reason))

    def reasons(self, node: ir.Node) -> list[str]:
        """Why rules that start from the node did not fire, each once."""
        return list(dict.fromkeys(f"`{m.rule}`: {m.reason}" for m in self.misses if m.node is node))
