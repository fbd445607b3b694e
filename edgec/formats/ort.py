"""ONNX Runtime's own format, which its mobile builds read without the ONNX parser."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgec.artifact.format import Array, Format, RunOptions, Values, no_run_options
from edgec.artifact.shown import Shown
from edgec.diag import error
from edgec.formats.mlpackage import no_delegates
from edgec.ledger.row import Row
from edgec.measure.inspection.summary import Content, Feature
from edgec.runners.base import Runner


class Ort(Format):
    """Run by ONNX Runtime; its graph cannot be inspected."""

    title = "ONNX Runtime"

    def read(self, path: Path, function: str | None = None) -> Content:
        """The interface, and the version of the format."""
        from edgec.runners.ort import OrtRunner

        with OrtRunner(path) as runner:
            inputs, outputs = runner.interface()
        given, shown = ([Feature(name, dtype, shape) for name, dtype, shape in side] for side in (inputs, outputs))
        return Content(given, shown, {}, [], {"note": "operators and weights are ONNX Runtime's own flatbuffer"})

    def open(self, path: Path, options: RunOptions) -> Runner:
        """Without further optimization: the graph was optimized when it was written."""
        from edgec.runners.ort import OrtRunner

        no_run_options(options, path, self.title)
        return OrtRunner(path)

    def values(self, path: Path, inputs: Mapping[str, Array], shown: Shown) -> tuple[Values, dict[str, Array]]:
        """Raises `EdgecError` E0603: only the outputs can be read, since inner values are fused away."""
        raise error("E0603", f"the values inside `{path.name}` cannot be seen")

    def rows(self, delegates: Sequence[str] = ()) -> tuple[Row[Any], ...]:
        """No rows: the runtime's own loader checks each file when it is verified."""
        no_delegates(delegates)
        return ()

    def subject(self, path: Path) -> Any:
        """None, since there are no rows."""
        return None


FORMAT = Ort()
