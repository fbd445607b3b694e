"""Inspects a Core ML package."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from edgec.measure.inspection.summary import Content, Feature, HeldState, Weight
from edgec.runners.mil import MilRunner
from edgec.runners.mil.interface import Feature as Declared
from edgec.runners.mil.program import Block, Operation, TensorType


def read_mlpackage(path: Path, function: str | None = None) -> Content:
    """The interface, operations (in nested blocks too, without constants), constants and metadata.

    If the package has several functions, of one of them: the named or the default one.

    Raises `EdgecError` E0604 for a broken package, E0603 for one that is not an ML Program.
    """
    runner = MilRunner(path, function=function)
    operations = list(_operations(runner.body))
    ops = Counter(o.type for o in operations if o.type != "const")
    weights = [w for o in operations if (w := _weight(o)) is not None]
    labels = tuple(map(str, runner.classes))
    inputs = [_feature(f) for f in runner.inputs]
    outputs = [_feature(f, labels if f.kind == "probabilities" else ()) for f in runner.outputs]
    states = [HeldState(s.name, "", "artifact", s.dtype, tuple(s.shape)) for s in runner.states]
    system = _SYSTEMS.get(runner.specification, f"specification version {runner.specification}")
    return Content(inputs, outputs, dict(ops), weights, runner.metadata, states, system)


_SYSTEMS = {
    6: "iOS 15, macOS 12",
    7: "iOS 16, macOS 13",
    8: "iOS 17, macOS 14",
    9: "iOS 18, macOS 15",
    10: "iOS 26, macOS 26",
}
"""The oldest systems that read a specification version: coremltools, Model.proto and `coremltools.target`."""


def _feature(found: Declared, labels: tuple[str, ...] = ()) -> Feature:
    return Feature(found.name, found.dtype, tuple(found.shape), found.colour or "", labels)


def _operations(block: Block) -> Iterator[Operation]:
    for operation in block.operations:
        yield operation
        for inner in operation.blocks:
            yield from _operations(inner)


def _weight(operation: Operation) -> Weight | None:
    if operation.type != "const" or not operation.outputs:
        return None
    output, value = operation.outputs[0], operation.attributes.get("val")
    if not isinstance(output.type, TensorType) or not output.type.shape or not isinstance(value, np.ndarray):
        return None
    stored = -(-value.size * output.type.scalar.bits // 8)
    return Weight(output.name, output.type.scalar.name, value.shape, stored)
