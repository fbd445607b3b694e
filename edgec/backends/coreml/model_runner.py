"""A package run as the model that it was built from: tensors in, tensors out, whatever its interface shows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from edgec.runners.base import Array
from edgec.runners.mil.runner import MilRunner
from edgec.spec.coreml import CoreMLOptions, ImageInput


class ModelRunner:
    """The interpreter behind the source's own interface, for verification.

    An image input is given the pixels that the model's value stands for, which need not be whole or within 0 to 255;
    a classifier's scores come back as the output (1, classes) that they are.
    """

    name = MilRunner.name

    def __init__(self, path: Path, options: CoreMLOptions, function: str | None = None) -> None:
        # float16 is rounded where the package says so; a float32 package has none of it.
        self._runner, self._options = MilRunner(path, "float16", function), options

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """The source's outputs by name."""
        given = {name: self._given(name, value) for name, value in inputs.items()}
        found = self._runner.run(given)
        classifier = self._options.classifier
        if classifier is None:
            return found
        scores = found.pop(f"{classifier.label_output}_probs")
        found.pop(classifier.label_output)
        return {**found, classifier.output: np.asarray(scores).reshape(1, -1)}

    def state_values(self) -> dict[str, Array]:
        """What the package's states hold."""
        return self._runner.state_values()

    def set_states(self, values: Mapping[str, Array]) -> None:
        """Give states new values."""
        self._runner.set_states(values)

    def _given(self, name: str, value: Array) -> Array:
        image = self._options.image(name)
        return value if image is None else _pixels(value, image)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._runner.close()


def _pixels(value: Array, image: ImageInput) -> Array:
    """The inverse of `pixel * scale + bias`."""
    scale, bias = (np.asarray(n, dtype=np.float64).reshape(1, -1, 1, 1) for n in (image.scale, image.bias))
    return np.asarray((value.astype(np.float64) - bias) / scale, dtype=np.float32)
