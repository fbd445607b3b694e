"""The reference for an ONNX file: its own outputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import onnx_ir as ir
from onnx.reference import ReferenceEvaluator

from edgec.diag import EdgecError, error
from edgec.diag.foreign import said
from edgec.frontend.imported import Array
from edgec.ir.model import Model
from edgec.runners.onnxruntime import OnnxRuntimeRunner

_KERNELS = (26, 21)
"""Opsets under which ONNX Runtime 1.31 runs a file whose own opset it does not support, or has no kernels for.

The newest that it supports, and the last before many operators accepted further element types, for which it lacks
kernels. No opset above 21 changes the meaning of an attribute or input; ONNX Runtime rejects additions in older opsets.
"""


class OnnxReference:
    """The original file, run by ONNX Runtime on the CPU without graph optimization.

    A file for which ONNX Runtime has no kernels is run by onnx's slow reference implementation. If `changed`, the
    graph `given`, which has dynamic dimensions or is in single precision, is run instead of the file.
    """

    def __init__(self, path: Path, given: Model, *, changed: bool = False) -> None:
        self._runner: OnnxRuntimeRunner | None = None
        self._evaluator: ReferenceEvaluator | None = None
        refusals = []
        for source in _sources(path, given, changed):
            try:
                self._runner, self.name = OnnxRuntimeRunner(source, optimize=False), "onnxruntime"
                return
            except EdgecError as refused:
                refusals.append(refused)
        try:
            self._evaluator = ReferenceEvaluator(ir.to_proto(given) if changed else str(path))
            self.name = "onnx-reference"
        except Exception as failure:  # the reference implementation raises whatever its operators do
            raise self._refusal(f"`{path.name}`", refusals[0]) from failure

    def precise(self, inputs: Mapping[str, Array]) -> dict[str, Array] | None:
        """None: a graph's types are fixed."""

    def rounded(self, inputs: Mapping[str, Array], roundings: float, seed: int) -> dict[str, Array] | None:
        """None, for the same reason."""

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Run the original file. Raises `EdgecError` E0203."""
        try:
            if self._runner is not None:
                return self._runner.run(inputs)
            assert self._evaluator is not None
            results = self._evaluator.run(None, dict(inputs))
            return dict(zip(self._evaluator.output_names, map(np.asarray, results), strict=True))
        except EdgecError as refused:
            raise self._refusal("the model", refused) from refused
        except Exception as failure:  # as above
            raise error(
                "E0203", "onnx's reference implementation fails on the model", notes=[said("onnx", failure)]
            ) from failure

    @staticmethod
    def _refusal(what: str, refused: EdgecError) -> EdgecError:
        first = refused.diagnostics[0]
        return error("E0203", f"ONNX Runtime cannot run {what}", notes=first.notes)


def _sources(path: Path, given: Model, changed: bool) -> Iterator[Path | Model]:
    """The file or its changed graph, followed by the same under the opsets of `_KERNELS`."""
    yield given if changed else path
    for version in _KERNELS:
        if given.graph.opset_imports.get("", 0) > version:
            older = given.clone()
            older.graph.opset_imports[""] = version
            for function in older.functions.values():
                function.opset_imports[""] = version
            yield older
