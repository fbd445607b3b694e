"""Legality as data: the operators that a target supports and their forms, defined once per family of operators.

The dialect is built from it, expansions query it, and a build reports operators that remain illegal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

import onnx_ir as ir

from edgec.diag import Diagnostic, EdgecError
from edgec.dialect.base import Dialect, Predicate
from edgec.dialect.reject import Reject
from edgec.ir.model import Model, all_nodes
from edgec.ir.provenance import place_of
from edgec.ops.base import Op
from edgec.ops.table import view
from edgec.spec.target import Target

OpT = TypeVar("OpT", bound=Op)
View = Callable[[ir.Node], Op | None]


def anything(op: Op, target: Target) -> Reject | None:
    """Every instance of the operator is legal."""
    return None


def no_objection(node: ir.Node) -> Reject | None:
    """Every value is legal."""
    return None


@dataclass(frozen=True)
class Family(Generic[OpT]):
    """Operators decoded by one view (names separated by spaces), and a function that says why one is illegal."""

    view: type[OpT]
    operators: str
    illegal: Callable[[OpT, Target], Reject | None] = anything


def dialect_of(
    name: str, families: Iterable[Family[Any]], target: Target, view_of: View = view, values: Predicate = no_objection
) -> Dialect:
    """The dialect of the operators that the families call legal, on values that `values` accepts.

    Raises ValueError if an operator is in two families.
    """
    predicates: dict[str, Predicate] = {}
    for family in families:
        for operator in family.operators.split():
            if operator in predicates:
                raise ValueError(f"two families hold {operator}")
            predicates[operator] = partial(_illegal, family, target, view_of, values)
    return Dialect(name, frozenset(predicates), predicates)


def _illegal(family: Family[Any], target: Target, view_of: View, values: Predicate, node: ir.Node) -> Reject | None:
    if (found := values(node)) is not None:
        return found
    op = view_of(node)
    assert isinstance(op, family.view), f"{node.op_type} is no {family.view.__name__}"
    return family.illegal(op, target)


def refuse_illegal(model: Model, dialect: Dialect, target: Target) -> None:
    """Raise one `EdgecError` (E0412) that lists every operator outside the dialect with its location."""
    nodes = list(all_nodes(model))
    refused = [(node, reject) for node in nodes if (reject := dialect.illegal(node)) is not None]
    if refused:
        raise EdgecError(
            Diagnostic(
                "E0412",
                f"no lowering for `{node.op_type}` on target `{target.name}`",
                place_of(node),
                (reject.reason, f"rejected by `{reject.label}` ({len(refused)} of {len(nodes)} ops)"),
                (reject.help,) if reject.help else (),
            )
            for node, reject in refused
        )
