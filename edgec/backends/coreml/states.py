"""States that a package keeps itself (iOS 18): which are supported, and where they are read and written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import onnx_ir as ir

from edgec.backends.base import Argument, Instr, Operand, Program, Ref
from edgec.backends.coreml.options import CoreMLOptions
from edgec.diag import Diagnostic, EdgecError
from edgec.dialect.reject import Reject
from edgec.ir.model import Model, static_shape
from edgec.ir.states import State, states
from edgec.spec.target import Target


def kept_states(model: Model, target: Target) -> tuple[State, ...]:
    """The states that the package keeps; none if the target leaves them to the app.

    Accumulating and integer states are left to the app as well: Core ML's states are float16, in which a counter stops
    at 2048.

    Raises one `EdgecError` (E0401) with every state that Core ML does not support.
    """
    options = target.options
    assert isinstance(options, CoreMLOptions)
    if options.states != "native" or options.is_before("iOS18"):
        return ()
    inputs = {value.name: value for value in model.graph.inputs}
    found = tuple(s for s in states(model) if not s.sums and _is_float(inputs[s.input]))
    refused = [(s, r) for s in found if (r := _reject(s, inputs[s.input], target)) is not None]
    if refused:
        raise EdgecError(
            Diagnostic(
                "E0401",
                f"`{state.input}` cannot be a state of target `{target.name}`",
                None,
                (reject.reason, f"rejected by `{reject.label}`"),
                ("`--set options.states=interface` makes states inputs and outputs that the app passes on",),
            )
            for state, reject in refused
        )
    return found


def _is_float(value: ir.Value) -> bool:
    return value.dtype is not None and value.dtype.is_floating_point()


def _reject(state: State, value: ir.Value, target: Target) -> Reject | None:
    shape = static_shape(value)
    if target.numerics.compute != "float16":
        return Reject("state-float32", "Core ML's states are float16, but the target computes in float32")
    if not state.zero:
        return Reject("state-initial-value", "Core ML's states are initially zero, this one is not")
    if not shape or len(shape) > target.limits.max_rank:
        return Reject("state-shape", "Core ML's states have a fixed shape of 1 to 5 dimensions")
    return None


def with_states(program: Program, kept: Sequence[State]) -> Program:
    """Replace the inputs and outputs of states by read and update operations.

    An update directly follows the instruction that computes the value, and later instructions read its result, so that
    Core ML can write in place.
    """
    by_input, by_output = ({s.input: s for s in kept}, {s.output: s for s in kept})
    refs = {ref.name: ref for ref in program.inputs if ref.name in by_input}
    now = {name: Ref(f"{name}/now", ref.type) for name, ref in refs.items()}
    reads = [Instr("read_state", (("input", refs[name]),), (), (ref,)) for name, ref in now.items()]
    instrs = [*reads, *(renamed(instr, now) for instr in program.instrs)]
    values = {name: now.get(value.name, value) for name, value in program.outputs}
    for output, state in by_output.items():
        instrs, values = _updated(instrs, values, refs[state.input], output)
    return replace(
        program,
        inputs=tuple(ref for ref in program.inputs if ref.name not in by_input),
        instrs=tuple(instrs),
        outputs=tuple((name, values[name]) for name, _ in program.outputs if name not in by_output),
        states=tuple(refs.values()),
    )


def _updated(
    instrs: list[Instr], values: Mapping[str, Operand], state: Ref, output: str
) -> tuple[list[Instr], dict[str, Operand]]:
    """Insert the update of one state after the instruction that computes its new value."""
    value = values[output]
    made = [i for i, instr in enumerate(instrs) if value in instr.outputs]
    at = made[0] + 1 if made else 0
    # A second state with the same new value reads the result of the first one's update, which is equal.
    result = Ref(f"{state.name}/next", value.type)
    update = Instr("coreml_update_state", (("state", state), ("value", value)), (), (result,))
    later = {value.name: result} if isinstance(value, Ref) else {}
    following = [renamed(instr, later) for instr in instrs[at:]]
    return [*instrs[:at], update, *following], {n: later.get(v.name, v) for n, v in values.items()}


def renamed(instr: Instr, names: Mapping[str, Ref]) -> Instr:
    """The instruction with replaced operands, in its blocks too."""
    if not names:
        return instr
    inputs = tuple((name, _argument(value, names)) for name, value in instr.inputs)
    return replace(instr, inputs=inputs, blocks=tuple(_block(block, names) for block in instr.blocks))


def _argument(value: Argument, names: Mapping[str, Ref]) -> Argument:
    if isinstance(value, tuple):
        return tuple(names.get(v.name, v) for v in value)
    return None if value is None else names.get(value.name, value)


def _block(block: Program, names: Mapping[str, Ref]) -> Program:
    outputs = tuple((name, names.get(value.name, value)) for name, value in block.outputs)
    return replace(block, instrs=tuple(renamed(i, names) for i in block.instrs), outputs=outputs)
