"""TensorRT engines. They are opaque without their GPU, so the ONNX that each was built from is stored beside it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from edgec.artifact.format import Array, RunOptions, Values
from edgec.artifact.shown import Shown
from edgec.diag import error
from edgec.formats.onnx import Onnx
from edgec.ledger.row import Row
from edgec.measure.inspection.summary import Content
from edgec.runners.base import Runner


class Engine(Onnx):
    """Inspected and run through its ONNX."""

    title = "TensorRT"
    notes: ClassVar[Mapping[str, str]] = {
        "onnxruntime": "the ONNX that TensorRT was given was executed; the engine itself was not"
    }

    def read(self, path: Path, function: str | None = None) -> Content:
        """The content of its ONNX, with a note; empty without it."""
        beside = path.with_suffix(".onnx")
        if not beside.is_file():
            return Content([], [], {}, [], {"note": "an engine is opaque without the ONNX that it was built from"})
        found = super().read(beside)
        found.metadata["note"] = f"read from {beside.name}, which the engine came from"
        return found

    def open(self, path: Path, options: RunOptions) -> Runner:
        """Raises `EdgecError` E0603 for an engine without its ONNX."""
        return super().open(_beside(path, "cannot be executed here", "it needs a GPU, or its ONNX beside it"), options)

    def values(self, path: Path, inputs: Mapping[str, Array], shown: Shown) -> tuple[Values, dict[str, Array]]:
        """The values of its ONNX."""
        return super().values(_beside(path, "cannot be inspected", "its ONNX is not beside it"), inputs, shown)

    def built_rows(self) -> tuple[Row[Any], ...]:
        """TensorRT's ledger."""
        return self.rows()

    def subject(self, path: Path) -> Any:
        """The ONNX. Raises `EdgecError` E0603 without it."""
        return super().subject(_beside(path, "is opaque without the ONNX that it was built from", "keep it beside"))


def _beside(path: Path, what: str, why: str) -> Path:
    source = path.with_suffix(".onnx")
    if not source.is_file():
        raise error("E0603", f"`{path.name}` {what}", notes=[why])
    return source


FORMAT = Engine()
