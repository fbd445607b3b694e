"""Runs Core ML packages with Core ML itself, on the Mac that edgec runs on."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from edgec.diag import EdgecError, error
from edgec.diag.foreign import said
from edgec.runners.base import Array
from edgec.runners.mil.runner import source_names

UNITS = {"all": "ALL", "cpu_only": "CPU_ONLY", "cpu_and_gpu": "CPU_AND_GPU", "cpu_and_ne": "CPU_AND_NE"}
"""coremltools' names (`coremltools.ComputeUnit`) of a target's `compute_units`."""


def on_mac() -> bool:
    """Whether this machine runs macOS."""
    return platform.system() == "Darwin"


def need_mac(what: str) -> None:
    """Raise `EdgecError` E0701 on any other machine; `what` describes the request."""
    if not on_mac():
        raise error(
            "E0701",
            f"{what} needs a Mac, this is {platform.system()}",
            help=["here the MIL interpreter executes packages, and `edgec predict` estimates their latency"],
        )


class MacRunner:
    """A package loaded by coremltools' `MLModel` and run by Core ML. States persist between runs until `reset`.

    Raises E0701 without a Mac, E0602 if Core ML fails on the package or its inputs.
    """

    name = "coreml"

    def __init__(self, path: Path, compute_units: str = "all", function: str | None = None) -> None:
        need_mac(f"running `{path.name}` by Core ML")
        import coremltools as ct

        units = getattr(ct.ComputeUnit, UNITS[compute_units])
        try:
            names = source_names(path, function)
            chosen = names.interface.function if function else None
            self._model = ct.models.MLModel(str(path), compute_units=units, function_name=chosen)
        except (RuntimeError, ValueError) as failure:
            raise _failed(path.name, failure) from failure
        self._path, self._names, self._state = path, names, None
        self.reset()

    def reset(self) -> None:
        """Sets every state to zeros."""
        description = self._model.get_spec().description
        held = description.state or any(f.state for f in description.functions)
        self._state = self._model.make_state() if held else None

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs by name."""
        given = {self._names.identifiers.get(name, name): _as_coreml(array) for name, array in inputs.items()}
        try:
            found: dict[str, Any] = self._model.predict(given, state=self._state)
        except (RuntimeError, ValueError, TypeError) as failure:
            raise _failed(self._path.name, failure) from failure
        return {self._names.source(name): np.asarray(value) for name, value in found.items()}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        del self._model


def _as_coreml(array: Array) -> Array:
    """The array in a type that Core ML accepts (float16, float32, int32), with at least one dimension."""
    kinds: dict[str, type[np.generic]] = {"i": np.int32, "u": np.int32, "b": np.int32}
    wanted = kinds.get(array.dtype.kind, np.float16 if array.dtype == np.float16 else np.float32)
    return np.atleast_1d(array).astype(wanted)


def _failed(name: str, failure: Exception) -> EdgecError:
    return error(
        "E0602",
        f"Core ML cannot load or run `{name}`",
        notes=[said("Core ML", failure)],
        help=["`edgec lint` lists what Core ML refuses; `edgec run` without `--on` runs the package without Core ML"],
    )
