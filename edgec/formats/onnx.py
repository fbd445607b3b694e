"""ONNX files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgec.artifact.format import Array, Format, RunOptions, Values, no_run_options
from edgec.artifact.shown import Shown
from edgec.calibration.instrument import observable, showing
from edgec.formats.mlpackage import no_delegates
from edgec.ledger.row import Row
from edgec.measure.inspection.summary import Content
from edgec.runners.base import Runner


class Onnx(Format):
    """Run by ONNX Runtime, without its optimizations."""

    title = "ONNX"

    def read(self, path: Path, function: str | None = None) -> Content:
        """The interface, operators and weights."""
        from edgec.measure.inspection.onnx import read_onnx

        return read_onnx(path)

    def open(self, path: Path, options: RunOptions) -> Runner:
        """Without ONNX Runtime's optimizations."""
        from edgec.runners.onnxruntime import OnnxRuntimeRunner

        no_run_options(options, path, self.title)
        return OnnxRuntimeRunner(path, optimize=False)

    def values(self, path: Path, inputs: Mapping[str, Array], shown: Shown) -> tuple[Values, dict[str, Array]]:
        """Computed by a copy of the graph with every value as an output."""
        import onnx_ir as ir

        from edgec.runners.onnxruntime import OnnxRuntimeRunner

        model = ir.load(path)
        made, outputs = observable(model), [v.name or "" for v in model.graph.outputs]
        with OnnxRuntimeRunner(showing(model, made), optimize=False) as runner:
            results = runner.run(inputs)
        return [(name, results[name]) for name in made], {name: results[name] for name in outputs}

    def rows(self, delegates: Sequence[str] = ()) -> tuple[Row[Any], ...]:
        """TensorRT's ledger, to check whether its parser accepts the file."""
        from edgec.ledger.tensorrt.ledger import ROWS

        no_delegates(delegates)
        return ROWS

    def built_rows(self) -> tuple[Row[Any], ...]:
        """No rows: the file was not made for TensorRT, and ONNX Runtime runs it when it is verified."""
        return ()

    def subject(self, path: Path) -> Any:
        """The graph."""
        from edgec.ledger.tensorrt.file import read_onnx

        return read_onnx(path)


FORMAT = Onnx()
