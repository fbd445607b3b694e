"""ONNX Runtime on files in its own format."""

from __future__ import annotations

from pathlib import Path

import onnxruntime as ort

from edgec.diag import Place, error
from edgec.diag.foreign import said
from edgec.runners.onnxruntime import SessionRunner

Interface = list[tuple[str, str, tuple[int | str, ...]]]
"""Name, element type as numpy names it, and shape."""

_TYPES = {"float": "float32", "double": "float64"}
"""ONNX Runtime's type names that differ from numpy's."""


class OrtRunner(SessionRunner):
    """Runs a `.ort` file on one thread, as a mobile build of the runtime does."""

    def __init__(self, path: Path) -> None:
        options = ort.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = 1
        try:
            session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as failure:  # onnxruntime's classes share no public base
            raise error(
                "E0604",
                f"ONNX Runtime cannot load `{path.name}`",
                place=Place(str(path)),
                notes=[said("ONNX Runtime", failure)],
                help=["build it again, or for the version of ONNX Runtime that is installed: `edgec doctor`"],
            ) from failure
        super().__init__(session, {})

    def interface(self) -> tuple[Interface, Interface]:
        """The inputs and outputs."""
        sides = (self._session.get_inputs(), self._session.get_outputs())
        inputs, outputs = ([(f.name, _dtype(f.type), tuple(f.shape)) for f in side] for side in sides)
        return inputs, outputs


def _dtype(name: str) -> str:
    plain = name.removeprefix("tensor(").removesuffix(")")
    return _TYPES.get(plain, plain)
