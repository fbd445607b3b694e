"""What a program asks of a unit, as plain arrays: the only thing that predictors see of it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edgec.backends.base import Instr, Program, Ref
from edgec.backends.work import Kind, Work

Numbers = NDArray[np.float64]

FUSED, FUSED_MATH = "fused", "fused_math"
"""Element-wise work on what a product alone gives (transcendental functions apart): most runtimes compute it before the
result leaves the unit.
"""

_VOLUME_RANK = 5
"""Rank of a batch of volumes, or of images in a row."""


@dataclass(frozen=True)
class Features:
    """One row an instruction. Sizes are elements; `lanes` is the number of output channels of a product's group.

    `moved`: elements read (but for constants) and written. `bits`: width of the values written. `interface`: elements
    of the program's inputs and outputs. `live`: the largest number of elements that are alive at once. `crossings`: how
    often neighbouring instructions lie on different units.
    """

    kinds: tuple[str, ...]
    macs: Numbers
    lanes: Numbers
    moved: Numbers
    weights: Numbers
    bits: Numbers
    interface: int
    live: int
    crossings: int

    def __len__(self) -> int:
        return len(self.kinds)

    @property
    def is_quantized(self) -> bool:
        """Whether most multiply-accumulates give eight bits."""
        return bool(self.macs[self.bits == 8].sum() > self.macs.sum() / 2)

    def crossing(self, crossings: int) -> Features:
        """The same with so many changes of unit."""
        return replace(self, crossings=crossings)

    def to_json(self) -> str:
        """One document; `from_json` reads it."""
        return json.dumps({k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in asdict(self).items()})

    @staticmethod
    def from_json(text: str) -> Features:
        """The features that `to_json` wrote."""
        found = json.loads(text)
        macs, lanes, moved, weights, bits = (np.array(found[name], float) for name in _ARRAYS)
        counts = found["interface"], found["live"], found["crossings"]
        return Features(tuple(found["kinds"]), macs, lanes, moved, weights, bits, *counts)


_ARRAYS = ("macs", "lanes", "moved", "weights", "bits")


def features(program: Program, work_of: Callable[[Instr], Work], crossings: int = 0) -> Features:
    """The features of a program, by what its backend says that each instruction does.

    The body of a loop counts once.
    """
    instrs = list(program.every_instr())
    works = _settled(instrs, [work_of(instr) for instr in instrs])
    volumes = any(len(ref.type.shape) == _VOLUME_RANK for ref in program.inputs)
    fused = _fused(instrs, works)
    kinds = tuple(
        (FUSED_MATH if w.kind is Kind.MATH else FUSED)
        if i in fused
        else Kind.CONV3D
        if volumes and _over_volumes(instr, w)
        else w.kind
        for i, (instr, w) in enumerate(zip(instrs, works, strict=True))
    )
    return Features(
        kinds,
        np.array([w.macs for w in works], float),
        np.array([w.window.out if w.window else 0 for w in works], float),
        np.array([w.read + w.written for w in works], float),
        np.array([w.weights for w in works], float),
        np.array([w.bits for w in works], float),
        sum(math.prod(ref.type.sizes) for ref in (*program.inputs, *(v for _, v in program.outputs))),
        _live(program),
        crossings,
    )


def _settled(instrs: Sequence[Instr], works: Sequence[Work]) -> list[Work]:
    """What is computed of constants alone (weights that are widened) is done when a program is loaded: weights."""
    constant: dict[str, int] = {}
    found = []
    for instr, work in zip(instrs, works, strict=True):
        operands = instr.operands()
        if operands and all(not isinstance(v, Ref) or v.name in constant for v in operands):
            constant |= {ref.name: math.prod(ref.type.sizes) for ref in instr.outputs}
            found.append(replace(work, kind=Kind.VIEW, macs=0, read=0, written=0, weights=0))
            continue
        held = sum(constant.get(v.name, 0) for v in operands)
        found.append(replace(work, read=work.read - held, weights=work.weights + held) if held else work)
    return found


def _over_volumes(instr: Instr, work: Work) -> bool:
    """A convolution of images in a row, which stand where the batch does."""
    return work.kind is Kind.CONV and instr.outputs[0].type.sizes[0] > 1


_PRODUCTS = frozenset({Kind.CONV, Kind.GROUPED, Kind.DEPTHWISE, Kind.TRANSPOSED, Kind.LINEAR})
_FUSABLE = frozenset({Kind.UNARY, Kind.BINARY, Kind.MATH})


def _fused(instrs: Sequence[Instr], works: Sequence[Work]) -> set[int]:
    """Element-wise instructions on a product that nothing else reads; `x * sigmoid(x)` counts as one."""
    readers: dict[str, list[int]] = {}
    for i, instr in enumerate(instrs):
        for ref in instr.operands():
            if isinstance(ref, Ref):
                readers.setdefault(ref.name, []).append(i)
    found: set[int] = set()
    for i, (instr, work) in enumerate(zip(instrs, works, strict=True)):
        if work.kind in _PRODUCTS or i in found:
            reading = sorted(set(readers.get(instr.outputs[0].name, [])))
            if all(works[j].kind in _FUSABLE for j in reading) and _is_chain(instrs, reading):
                found.update(reading)
    return found


def _is_chain(instrs: Sequence[Instr], reading: Sequence[int]) -> bool:
    """One reader, or two of which the later reads the earlier, too."""
    if len(reading) != 2:
        return len(reading) == 1
    made = {ref.name for ref in instrs[reading[0]].outputs}
    return any(operand.name in made for operand in instrs[reading[1]].operands())


def _live(program: Program) -> int:
    """Elements alive at once, in the program's order, each from where it is made to its last use."""
    last = {v.name: i for i, instr in enumerate(program.instrs) for v in instr.operands()}
    last |= {v.name: len(program.instrs) for _, v in program.outputs}
    sizes = {ref.name: math.prod(ref.type.sizes) for ref in program.inputs}
    alive = sum(sizes.values())
    most = alive
    for i, instr in enumerate(program.instrs):
        for ref in instr.outputs:
            sizes[ref.name] = math.prod(ref.type.sizes)
            alive += sizes[ref.name]
        most = max(most, alive)
        for name in [v for v in {*(o.name for o in instr.operands()), *(o.name for o in instr.outputs)} if v in sizes]:
            if last.get(name, -1) <= i:
                alive -= sizes.pop(name)
    return most
