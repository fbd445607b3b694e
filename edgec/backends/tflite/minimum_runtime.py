"""A target's oldest runtime (`options.min_runtime`): instructions that it does not support are an error."""

from __future__ import annotations

from edgec.backends.base import Program
from edgec.backends.tflite.interface import options_of
from edgec.backends.tflite.versions import runtime_of
from edgec.diag import Diagnostic, EdgecError
from edgec.ledger.tflite.runtimes import as_numbers
from edgec.spec.target import Target


def check_floor(program: Program, target: Target) -> None:
    """Raise one `EdgecError` (E0412) with every instruction that the target's oldest runtime does not support."""
    floor = options_of(target).min_runtime
    if not floor:
        return
    needs = [(instr, runtime_of(instr)) for instr in program.every_instr()]
    newer = [(instr, release) for instr, release in needs if as_numbers(release) > as_numbers(floor)]
    if newer:
        raise EdgecError(
            Diagnostic(
                "E0412",
                f"`{instr.op}` of target `{target.name}` needs runtime {release}",
                instr.place,
                (
                    f"on {', '.join(str(value.type) for value in instr.operands()[:3])}",
                    f"rejected by `runtime-{instr.op.lower().replace('_', '-')}` ({len(newer)} of {len(needs)} ops)",
                ),
                (f"the target's oldest runtime is {floor}; `--set options.min_runtime={release}` allows it",),
            )
            for instr, release in newer
        )
