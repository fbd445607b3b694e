"""Placement on neural engine, GPU or CPU: predicted for each MIL operation from Apple's and others' publications.

Core ML decides at run time, by device and system; on a Mac `MLComputePlan` reports its decision, which is measured.
Where publications disagree (dilated convolutions) there is no rule.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from edgec.backends.base import Instr, Program
from edgec.backends.coreml.names import named
from edgec.backends.coreml.options import CoreMLOptions
from edgec.backends.placement import Placed, Placement
from edgec.diag import Place
from edgec.runners.apple.plan import compute_plan
from edgec.spec.target import Target

_TYPED_EXECUTION = "Apple, coremltools guide, Typed Execution: float 32 runs on GPU and CPU"
_ANE_16_BIT = "M. Hollemans, The Neural Engine, 16-bit: the engine computes in float16 alone"
_ANE_LAYERS = "M. Hollemans, The Neural Engine, Unsupported layers: recurrent layers and gather (by observation)"
_ANE_GUIDE = "ANE Guide, Capability surface: no path for scatters, reduce_prod, recurrent cells and 3-D convolutions"


@dataclass(frozen=True)
class Rule:
    """A reason why an operation does not run on the neural engine, and its source."""

    name: str
    holds: Callable[[Instr], bool]
    evidence: str


def _types(instr: Instr) -> set[str]:
    return {v.type.dtype for v in (*instr.operands(), *instr.outputs)}


def _is_spatial_3d(instr: Instr) -> bool:
    return instr.op in ("conv", "conv_transpose", "max_pool", "avg_pool") and len(instr.outputs[0].type.shape) == 5


RULES: tuple[Rule, ...] = (
    Rule("ane-no-float32", lambda i: "float32" in _types(i), _TYPED_EXECUTION),
    Rule("ane-no-recurrence", lambda i: i.op in {"lstm", "gru", "rnn"}, f"{_ANE_LAYERS}; {_ANE_GUIDE}"),
    Rule("ane-no-gather", lambda i: i.op.startswith("gather"), _ANE_LAYERS),
    Rule("ane-no-scatter", lambda i: i.op.startswith("scatter"), _ANE_GUIDE),
    Rule("ane-no-product", lambda i: i.op == "reduce_prod", _ANE_GUIDE),
    Rule("ane-no-3d-convolution", _is_spatial_3d, _ANE_GUIDE),
    Rule("ane-float16-alone", lambda i: {v.type.dtype for v in i.outputs} == {"int32"}, _ANE_16_BIT),
)
"""The first rule that applies is the reason. Each is a prediction."""

_UNITS: Mapping[str, tuple[str, str]] = {
    "all": ("ane", "gpu or cpu"),
    "cpu_and_ne": ("ane", "cpu"),
    "cpu_and_gpu": ("gpu or cpu", "gpu or cpu"),
    "cpu_only": ("cpu", "cpu"),
}
"""For each `compute_units`: the preferred unit, and the one for the rest."""


def placement(program: Program, target: Target) -> Placement:
    """The unit of each instruction under the target's `compute_units`."""
    options = target.options
    assert isinstance(options, CoreMLOptions)
    first, rest = _UNITS[options.compute_units]
    rules = RULES if first == "ane" else ()
    placed = []
    for instr in program.instrs:
        rule = next((r for r in rules if r.holds(instr)), None)
        unit = first if rule is None else rest
        placed.append(Placed(instr.op, instr.outputs[0].name, instr.place, unit, rule.name if rule else ""))
    used = {p.rule for p in placed}
    return Placement(tuple(placed), tuple((r.name, r.evidence) for r in rules if r.name in used))


def measured(program: Program, target: Target, path: Path) -> Placement:
    """The unit that Core ML on this Mac prefers for each operation of the written package."""
    options = target.options
    assert isinstance(options, CoreMLOptions)
    places = {ref.name: instr.place for instr in program.instrs for ref in instr.outputs}
    sources = named(program, options).values
    first = _UNITS[options.compute_units][0]
    placed = []
    for found in compute_plan(path, options.compute_units):
        off = first == "ane" and found.unit != first
        rule = ("core-ml-cannot" if first not in found.supported else "core-ml-prefers-another") if off else ""
        name = sources.get(found.name, found.name)
        placed.append(Placed(found.op, name, places.get(name, Place()), found.unit, rule))
    used = {p.rule for p in placed}
    return Placement(tuple(placed), tuple((r, why) for r, why in _MEASURED.items() if r in used), "measured")


_MEASURED = {
    "core-ml-cannot": "MLComputePlan on this Mac: the neural engine is not among the operation's supported devices",
    "core-ml-prefers-another": "MLComputePlan on this Mac: Core ML prefers another device to the neural engine",
}
