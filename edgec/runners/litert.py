"""LiteRT on the CPU, as a phone would run the file without a delegate for its accelerators."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from edgec.diag import error
from edgec.runners.base import Array


class LiteRTRunner:
    """Runs a `.tflite` file through its default signature; XNNPACK takes what it can."""

    name = "litert"

    def __init__(self, path: Path, threads: int = 1) -> None:
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as missing:
            raise error(
                "E0502", "LiteRT is not installed", notes=[str(missing)], help=["pip install 'edgec[tflite]'"]
            ) from missing
        try:
            self._interpreter: Any = Interpreter(str(path), num_threads=threads)
            signature = next(iter(self._interpreter.get_signature_list().values()), None)
            self._interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as failure:
            raise error("E0602", f"LiteRT refuses `{path.name}`", notes=str(failure).splitlines()[:3]) from failure
        details = self._interpreter.get_input_details()
        names = [d["name"] for d in self._interpreter.get_output_details()]
        self._inputs = {d["name"]: d for d in details}
        self._outputs = self._output_names(signature, names)

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs by their signature names. Raises `EdgecError` E0107 or E0602."""
        interpreter = self._interpreter
        for name, detail in self._inputs.items():
            if name not in inputs:
                raise error("E0107", f"input `{name}` is missing")
            if list(detail["shape"]) != list(inputs[name].shape):
                interpreter.resize_tensor_input(detail["index"], inputs[name].shape)
        try:
            interpreter.allocate_tensors()
            for name, detail in self._inputs.items():
                interpreter.set_tensor(detail["index"], np.ascontiguousarray(inputs[name], dtype=detail["dtype"]))
            interpreter.invoke()
        except (RuntimeError, ValueError) as failure:
            raise error("E0602", "LiteRT fails on the artifact", notes=str(failure).splitlines()[:3]) from failure
        return {name: interpreter.get_tensor(index) for name, index in self._outputs}

    def _output_names(self, signature: Any, names: list[str]) -> list[tuple[str, int]]:
        """Signature names in the file's order of outputs; tensor names where there is no signature."""
        details = self._interpreter.get_output_details()
        if signature is None:
            return [(name, d["index"]) for name, d in zip(names, details, strict=True)]
        runner = self._interpreter.get_signature_runner()
        by_index: dict[int, list[str]] = {}
        for name, detail in runner.get_output_details().items():
            by_index.setdefault(detail["index"], []).append(name)
        return [(by_index[d["index"]].pop(0), d["index"]) for d in details]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        del self._interpreter
