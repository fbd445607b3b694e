"""A target as an engine: canonicalizes, legalizes, lowers, assembles, and executes the written file."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from edgec.backends.table import backend
from edgec.frontend.onnx.opset import to_working_opset
from edgec.passes.canonicalize import canonicalize
from edgec.spec.target import load_target
from tests.conformance.onnx_nodes.compare import Tolerance


@dataclass(frozen=True)
class TargetEngine:
    """One shipped target, with settings in the form of `--set`."""

    name: str
    intro: str
    target: str
    settings: tuple[str, ...]
    tolerance: Tolerance
    binds: bool = True

    def run(self, model: onnx.ModelProto, inputs: dict[str, np.ndarray[Any, Any]]) -> list[np.ndarray[Any, Any]]:
        """Build like the driver, and run the artifact."""
        target = load_target(self.target, self.settings)
        chosen = backend(target.backend)
        core = canonicalize(to_working_opset(model, Path(model.graph.name or "case"))).model
        program = chosen.lower(chosen.legalize(core, target).model, target)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"case.{chosen.format(target)}"
            chosen.assemble(program, target, path)
            with chosen.open(path, target) as runner:
                found = runner.run(inputs)
        return [found[output.name] for output in model.graph.output]


def as_text(model: onnx.ModelProto) -> str:
    """A case's nodes as text, with small constants."""
    constants = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    shown = [f"{name} = {array.tolist()}" for name, array in constants.items() if array.size <= 16]
    return "\n".join([*shown, onnx.printer.to_text(model.graph)])
