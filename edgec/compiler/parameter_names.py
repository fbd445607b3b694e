"""What an artifact's constants are called in the source: rewrites give those that they compute names of their own."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from edgec.backends.base import Argument, Const, Program

_LEAST = 8
"""Elements of a constant that is told: smaller ones are bounds, axes and factors."""


def parameter_names(program: Program, renamed: Mapping[str, str]) -> dict[str, str]:
    """The source's name of each constant by the artifact's: its own where the source has it, else the module of the
    instruction that uses it, and as what: `layer1.0.conv1 (weight)`.

    `renamed` gives the program's name of what the artifact calls otherwise.
    """
    artifacts = {own: name for name, own in renamed.items()}
    found: dict[str, str] = {}
    for instr in program.every_instr():
        for argument, value in instr.inputs:
            for const in _constants(value):
                name = _name(const.name, argument, instr.place.module or "")
                if name and prod(const.type.sizes) >= _LEAST:
                    found.setdefault(artifacts.get(const.name, const.name), name)
    return dict(sorted(found.items()))


def _constants(value: Argument) -> list[Const]:
    values = value if isinstance(value, tuple) else (value,)
    return [v for v in values if isinstance(v, Const)]


def _name(own: str, argument: str, module: str) -> str:
    """Empty where no module uses it. What follows a slash in a constant's name was made of the constant before it."""
    source = own.partition("/")[0]
    if not module or source.startswith(f"{module}."):
        return source if "." in source else ""
    return f"{module} ({argument if not argument.isdigit() else f'operand {argument}'})"
