"""ONNX Runtime on a file of its own format."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import onnxruntime as ort

from edgec.diag import error
from edgec.runners.base import Array

Interface = list[tuple[str, str, tuple[int | str, ...]]]
"""Name, numpy's name of the element type, and shape."""

_TYPES = {"float": "float32", "double": "float64"}
"""ONNX Runtime's names where numpy has others."""


class OrtRunner:
    """Runs a `.ort` file on one thread, as a mobile build of the runtime does."""

    name = "onnxruntime"

    def __init__(self, path: Path) -> None:
        options = ort.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = 1
        try:
            self._session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as failure:  # onnxruntime's classes share no public base
            note = str(failure).splitlines()[0]
            raise error("E0604", f"ONNX Runtime does not load `{path.name}`", notes=[note]) from failure

    def interface(self) -> tuple[Interface, Interface]:
        """The inputs and the outputs."""
        sides = (self._session.get_inputs(), self._session.get_outputs())
        inputs, outputs = ([(f.name, _dtype(f.type), tuple(f.shape)) for f in side] for side in sides)
        return inputs, outputs

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs by name. Raises `EdgecError` E0602 when the model fails."""
        names = [o.name for o in self._session.get_outputs()]
        wanted = {i.name for i in self._session.get_inputs()}
        try:
            results = self._session.run(names, {k: v for k, v in inputs.items() if k in wanted})
        except Exception as failure:  # onnxruntime's classes share no public base
            raise error("E0602", "ONNX Runtime fails on the model", notes=[str(failure).splitlines()[0]]) from failure
        return dict(zip(names, results, strict=True))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        del self._session


def _dtype(name: str) -> str:
    plain = name.removeprefix("tensor(").removesuffix(")")
    return _TYPES.get(plain, plain)
