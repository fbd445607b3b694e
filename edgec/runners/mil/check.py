"""Checks before a function runs: known operations, defined values, a matching interface."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from edgec.diag import Diagnostic, Place
from edgec.diag.diagnostic import EdgecError
from edgec.runners.mil.decode import arguments_read
from edgec.runners.mil.evaluate import CONTROL
from edgec.runners.mil.interface import Interface
from edgec.runners.mil.ops import OPS
from edgec.runners.mil.program import Block, Function, Operation


def refuse_unknown(root: Path, function: Function) -> None:
    """Raises E0603 with one diagnostic for each operation that the interpreter lacks."""
    unknown: dict[str, list[str]] = {}
    for op in _operations(function.body):
        if op.type not in OPS and op.type not in CONTROL:
            unknown.setdefault(op.type, []).append(op.name)
    if unknown:
        place = Place(file=str(root))
        raise EdgecError(
            Diagnostic("E0603", f"the interpreter has no operation `{kind}`", place, (_count(names),))
            for kind, names in sorted(unknown.items())
        )


def problem(function: Function, interface: Interface) -> str | None:
    """Why the function cannot run as the description declares, or None."""
    described = {feature.name for feature in (*interface.inputs, *interface.states)}
    taken = {value.name for value in function.inputs}
    if described != taken:
        return f"the description's inputs {sorted(described)} are not the program's {sorted(taken)}"
    if len(interface.outputs) != len(function.body.outputs):
        return f"the description has {len(interface.outputs)} outputs, the program {len(function.body.outputs)}"
    missing = _undefined(function.body, taken)
    return f"the value `{missing}` is used and not defined" if missing else None


def _undefined(block: Block, outer: set[str]) -> str | None:
    """The first name that is used before it is defined."""
    known = outer | {value.name for value in block.inputs}
    for op in block.operations:
        missing = arguments_read(op) - known
        if missing:
            return min(missing)
        for nested in op.blocks:
            name = _undefined(nested, known)
            if name:
                return name
        known |= {value.name for value in op.outputs}
    return next((name for name in block.outputs if name not in known), None)


def _operations(block: Block) -> Iterator[Operation]:
    for op in block.operations:
        yield op
        for nested in op.blocks:
            yield from _operations(nested)


def _count(names: list[str]) -> str:
    return f"used {len(names)} time{'s' if len(names) > 1 else ''}, as `{min(names)}`"
