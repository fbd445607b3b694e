"""Remarks of passes: what was done or not, and why. Manifests, messages and `inspect --rules` are made from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import ClassVar, TypeVar

import onnx_ir as ir

from edgec.diag import Diagnostic


@dataclass(frozen=True)
class Remark:
    """One thing that a pass did or did not do."""


@dataclass(frozen=True)
class Fired(Remark):
    """A rule or pass changed the graph, `count` times."""

    rule: str
    count: int = 1


@dataclass(frozen=True)
class Missed(Remark):
    """A rule that almost fired: where, and why it did not."""

    rule: str
    node: ir.Node
    reason: str


@dataclass(frozen=True)
class KeptInFloat32(Remark):
    """An operator that stays in float32 in a program of lower precision, and the evidence for it.

    `module` is the path of the `nn.Module`.
    """

    op: str
    node: str
    module: str
    evidence: str


@dataclass(frozen=True)
class Told(Remark):
    """A note or warning for the user."""

    diagnostic: Diagnostic


@dataclass(frozen=True)
class Decided(Remark):
    """A decision about the whole artifact: a table in the manifest, under the key `section`."""

    section: ClassVar[str]

    def table(self) -> Mapping[str, object]:
        """The content of the table."""
        return asdict(self)


R = TypeVar("R", bound=Remark)


def fired(rule: str, count: int) -> list[Remark]:
    """A remark on `count` changes; none if there were none."""
    return [Fired(rule, count)] if count else []


def counted(remarks: Iterable[Remark]) -> dict[str, int]:
    """The number of changes by rule, in order of first occurrence."""
    found: Counter[str] = Counter()
    for remark in remarks:
        if isinstance(remark, Fired):
            found[remark.rule] += remark.count
    return dict(found)


def only(kind: type[R], remarks: Iterable[Remark]) -> list[R]:
    """The remarks of one kind."""
    return [remark for remark in remarks if isinstance(remark, kind)]


def reasons(node: ir.Node, remarks: Iterable[Remark]) -> list[str]:
    """Why rules rooted at the node did not fire, without duplicates."""
    return list(dict.fromkeys(f"`{m.rule}`: {m.reason}" for m in only(Missed, remarks) if m.node is node))
