"""Whether channels-first tokens pay for a model: predicted from the copies in both layouts and their placement.

The engine's layout is four-dimensional and channels-first, and its buffers are padded along the last axis to 64 bytes,
so that a transpose, and a reshape that changes the last axis, copies its tensor (Apple, "Deploying Transformers on the
Apple Neural Engine", principles 1 and 3). Apple measured DistilBERT with 128 tokens on an iPhone 13, iOS 16: 2.8 times
faster in this layout. Nothing was measured on a device here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from edgec.backends.base import Argument, Const, Dim, Instr, Program, Ref
from edgec.backends.coreml.options import CoreMLOptions
from edgec.backends.coreml.placement import placement
from edgec.backends.traffic import bytes_of
from edgec.passes.base import Rewritten
from edgec.passes.remarks import Decided
from edgec.spec.target import Target

EVIDENCE = (
    "bytes that transposes, cuts and reshapes copy, and operations off the neural engine by published rules; Apple "
    "measured 2.8 times less time for DistilBERT (128 tokens) in this form on an iPhone 13; nothing was measured here"
)

_COPIES = frozenset("transpose stack slice_by_size gather_nd gather_along_axis tile pad".split())

_CUTS = frozenset("concat split gather".split())
"""Along the first dimension other than 1 these are views of whole rows."""


@dataclass(frozen=True)
class Movement:
    """The cost of one layout per run: bytes copied, and instructions off the neural engine."""

    copied_bytes: int
    off_engine: int


def movement(program: Program, target: Target) -> Movement:
    """Count the bytes that the program's instructions copy, and those that published rules place off the engine."""
    copied = sum(sum(map(bytes_of, instr.outputs)) for instr in program.every_instr() if _copies(instr))
    return Movement(copied, sum(1 for placed in placement(program, target).placed if placed.rule))


@dataclass(frozen=True)
class FormChoice(Decided):
    """Whether a model got the layout that the neural engine prefers, and why: `asked` for, or `predicted` to pay.

    With the bytes that a run copies and the operations off the engine, in the chosen layout and in the other one (None
    if it was not built).
    """

    section: ClassVar[str] = "neural_engine"
    taken: bool
    kind: str
    copied_bytes: int
    off_engine: int
    other_copied_bytes: int | None
    other_off_engine: int | None
    evidence: str


@dataclass(frozen=True)
class Formed:
    """A model legalized in one layout."""

    legal: Rewritten
    moved: Movement


def forms_of(target: Target) -> tuple[str, ...]:
    """The layouts to build: `on` and `off` if the target is `auto` and may use the neural engine, otherwise one."""
    options = target.options
    assert isinstance(options, CoreMLOptions)
    if options.neural_engine != "auto":
        return (options.neural_engine,)
    engine = target.numerics.compute == "float16" and options.compute_units in ("all", "cpu_and_ne")
    return ("on", "off") if engine else ("off",)


def with_form(target: Target, form: str) -> Target:
    """The target with the layout fixed."""
    assert isinstance(target.options, CoreMLOptions)
    return replace(target, options=replace(target.options, neural_engine=form))


def cheaper(made: Mapping[str, Formed]) -> tuple[str, str | None]:
    """The chosen layout and the other one: `on` if it copies less and has no more operations off the engine."""
    if len(made) == 1:
        return next(iter(made)), None
    on, off = made["on"].moved, made["off"].moved
    pays = on.copied_bytes < off.copied_bytes and on.off_engine <= off.off_engine
    return ("on", "off") if pays else ("off", "on")


def choice(taken: bool, moved: Movement, other: Movement | None) -> FormChoice:
    """The decision and its figures."""
    return FormChoice(
        taken,
        "asked" if other is None else "predicted",
        moved.copied_bytes,
        moved.off_engine,
        None if other is None else other.copied_bytes,
        None if other is None else other.off_engine,
        EVIDENCE,
    )


def _copies(instr: Instr) -> bool:
    if instr.op == "reshape":
        return _shape(instr.input("x"))[-1:] != _shape(instr.outputs[0])[-1:]
    attrs = dict(instr.attrs)
    if instr.op == "slice_by_index":
        cut = [
            i
            for i, (a, b) in enumerate(zip(_shape(instr.input("x")), _shape(instr.outputs[0]), strict=False))
            if a != b
        ]
        return bool(cut) and not _leads(instr, max(cut))
    if instr.op in _CUTS:
        axis = attrs.get("axis")
        return not isinstance(axis, int) or not _leads(instr, axis)
    return instr.op in _COPIES


def _leads(instr: Instr, axis: int) -> bool:
    """Whether all dimensions before an axis are 1."""
    longest = max((_shape(v) for v in instr.operands()), key=len)
    return all(d == 1 for d in longest[: axis % max(len(longest), 1)])


def _shape(value: Argument) -> tuple[Dim, ...]:
    return value.type.shape if isinstance(value, Ref | Const) else ()
