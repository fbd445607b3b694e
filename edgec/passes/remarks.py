"""What passes did, did not do and why: they return it, and manifests, messages and `inspect --rules` are made of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import ClassVar, TypeVar

import onnx_ir as ir

from edgec.diag import Diagnostic


@dataclass(frozen=True)
class Remark:
    """One thing that a pass did or left."""


@dataclass(frozen=True)
class Fired(Remark):
    """A rule or pass changed the graph, `count` times."""

    rule: str
    count: int = 1


@dataclass(frozen=True)
class Missed(Remark):
    """A rule that nearly fired: where, and why not."""

    rule: str
    node: ir.Node
    reason: str


@dataclass(frozen=True)
class KeptInFloat32(Remark):
    """An operator that stays in float32 where the target computes in less: what, where, and on what evidence.

    `module` is the path of the `nn.Module`.
    """

    op: str
    node: str
    module: str
    evidence: str


@dataclass(frozen=True)
class Told(Remark):
    """A note or a warning for whoever builds the model."""

    diagnostic: Diagnostic


@dataclass(frozen=True)
class Decided(Remark):
    """What was decided for a whole artifact: a table of its own in the manifest, under the key `section`."""

    section: ClassVar[str]

    def table(self) -> Mapping[str, object]:
        """As the manifest holds it."""
        return asdict(self)


R = TypeVar("R", bound=Remark)


def fired(rule: str, count: int) -> list[Remark]:
    """A remark on so many changes; none on no change."""
    return [Fired(rule, count)] if count else []


def counted(remarks: Iterable[Remark]) -> dict[str, int]:
    """Changes by rule, in order of the first."""
    found: Counter[str] = Counter()
    for remark in remarks:
        if isinstance(remark, Fired):
            found[remark.rule] += remark.count
    return dict(found)


def only(kind: type[R], remarks: Iterable[Remark]) -> list[R]:
    """The remarks of one kind."""
    return [remark for remark in remarks if isinstance(remark, kind)]


def reasons(node: ir.Node, remarks: Iterable[Remark]) -> list[str]:
    """Why rules that start from the node did not fire, each once."""
    return list(dict.fromkeys(f"`{m.rule}`: {m.reason}" for m in only(Missed, remarks) if m.node is node))
