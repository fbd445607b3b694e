"""Composition of SLICEs of SLICEs: recurrent cells slice a step of a sequence, and gates of the step."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx_ir as ir

from edgec.backends.base import Argument, Const, Instr, Program, Ref


def compose_slices(program: Program) -> Program:
    """Replace a SLICE of a SLICE that is used only by SLICEs by one of the original input."""
    makers = {instr.outputs[0].name: instr for instr in program.instrs if _is_plain(instr)}
    users: dict[str, list[Instr]] = {}
    for instr in program.instrs:
        for operand in instr.operands():
            users.setdefault(operand.name, []).append(instr)
    shown = {operand.name for _, operand in program.outputs}
    gone = {
        name
        for name in makers
        if name not in shown and users.get(name) and all(_is_plain(user) for user in users[name])
    }
    kept = []
    for instr in program.instrs:
        if instr.outputs[0].name in gone:
            continue
        while _is_plain(instr) and instr.operands()[0].name in gone:
            instr = _through(instr, makers[instr.operands()[0].name])
        kept.append(instr)
    return replace(program, instrs=tuple(kept))


def _is_plain(instr: Instr) -> bool:
    """Whether the instruction is a SLICE with constant bounds of a computed value."""
    bounds = all(isinstance(instr.input(name), Const) for name in ("begin", "size"))
    return instr.op == "SLICE" and bounds and isinstance(instr.input("input"), Ref)


def _through(outer: Instr, inner: Instr) -> Instr:
    """The outer slice applied to the inner one's input. Sizes are those of its result."""
    first, second = (_begin(instr) for instr in (inner, outer))
    table = np.asarray(first + second, dtype=np.int32)
    old = outer.input("begin")
    assert isinstance(old, Const)
    begin = Const(f"{old.name}/through", old.type, ir.Tensor(table, name=old.name))
    inputs: dict[str, Argument] = {**dict(outer.inputs), "input": inner.input("input"), "begin": begin}
    return replace(outer, inputs=tuple(inputs.items()))


def _begin(instr: Instr) -> np.ndarray[tuple[int, ...], np.dtype[np.int32]]:
    begin = instr.input("begin")
    assert isinstance(begin, Const)
    return np.asarray(begin.numpy(), dtype=np.int32)
