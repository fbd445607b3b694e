"""Builds MIL programs with coremltools, saves them, and runs the saved packages."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import coremltools as ct
import numpy as np
from coremltools.converters.mil import Builder as mb
from coremltools.converters.mil.mil import types

from edgec.runners.mil import MilRunner

_TYPES = {"float32": types.fp32, "float16": types.fp16, "int32": types.int32}


def save(
    path: Path,
    build: Callable[..., Any],
    inputs: dict[str, np.ndarray],
    precision: str = "float32",
    target: ct.target = ct.target.iOS17,
) -> Path:
    """The package of a program whose inputs have the given names, shapes and types."""
    specs = [mb.TensorSpec(shape=value.shape, dtype=_TYPES[value.dtype.name]) for value in inputs.values()]
    # The builder names a program's inputs after the parameters of the function.
    program = mb.program(input_specs=specs, opset_version=target)(build)
    compute = ct.precision.FLOAT16 if precision == "float16" else ct.precision.FLOAT32
    model = ct.convert(
        program,
        source="milinternal",
        convert_to="mlprogram",
        compute_precision=compute,
        minimum_deployment_target=target,
        # Constant folding would leave nothing to run.
        pass_pipeline=ct.PassPipeline.DEFAULT if precision == "float16" else ct.PassPipeline.EMPTY,
    )
    model.save(str(path))
    return path


def run(
    build: Callable[..., Any],
    precision: str = "float32",
    target: ct.target = ct.target.iOS17,
    **inputs: np.ndarray,
) -> list[np.ndarray]:
    """The outputs of the saved program on `inputs`."""
    with tempfile.TemporaryDirectory() as folder:
        path = save(Path(folder) / "model.mlpackage", build, inputs, precision, target)
        with MilRunner(path, precision) as runner:
            return list(runner.run(inputs).values())
