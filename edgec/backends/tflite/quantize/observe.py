"""Observation of a program's values, by running its float artifact on samples one by one."""

from __future__ import annotations

import tempfile
from pathlib import Path

from edgec.backends.base import Program
from edgec.backends.tflite.assemble import assemble
from edgec.calibration.data import Pass
from edgec.calibration.statistics import Statistics
from edgec.runners.litert import LiteRTRunner
from edgec.spec.target import Target


def observed(program: Program, target: Target, samples: Pass) -> dict[str, Statistics]:
    """Statistics of all inputs and computed values of the program by name, except those in blocks.

    Samples are in the source's layout. Raises `EdgecError` E0602 or E0107 if one cannot be run.
    """
    wanted = {ref.name for instr in program.instrs for ref in instr.outputs if ref.type.dtype == "float32"}
    found = {ref.name: Statistics() for ref in program.inputs if ref.type.dtype == "float32"}
    found |= {name: Statistics() for name in sorted(wanted)}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "float.tflite"
        assemble(program, target, path)
        with LiteRTRunner(path, keep_values=True, as_source=True) as runner:
            for sample in samples:
                runner.run(sample)
                for ref in program.inputs:
                    if ref.name in found:
                        found[ref.name].add(sample[ref.name])
                for name, array in runner.values():
                    if name in wanted:
                        found[name].add(array)
    return found
