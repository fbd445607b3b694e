"""A package run as the model that it was built from: tensors in, tensors out, whatever its interface shows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from edgec.artifact.shown import Shown
from edgec.runners.base import Array
from edgec.runners.mil.evaluate import Tap
from edgec.runners.mil.runner import MilRunner


class SourceRunner:
    """The interpreter behind the source's own interface, for verification.

    An image input is given the pixels that the model's value stands for, which need not be whole or within 0 to 255;
    a classifier's scores come back as the output (1, classes) that they are.
    """

    name = MilRunner.name

    def __init__(self, path: Path, shown: Shown, function: str | None = None, tap: Tap | None = None) -> None:
        # float16 is rounded where the package says so; a float32 package has none of it.
        self._runner, self._shown = MilRunner(path, "float16", function, tap=tap), shown

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """The source's outputs by name."""
        given = {name: self._given(name, value) for name, value in inputs.items()}
        found = self._runner.run(given)
        for shown in self._shown.scores:
            if shown.scores in found:
                found[shown.name] = np.asarray(found.pop(shown.scores)).reshape(1, -1)
                found.pop(shown.label)
        return found

    def state_values(self) -> dict[str, Array]:
        """What the package's states hold."""
        return self._runner.state_values()

    def set_states(self, values: Mapping[str, Array]) -> None:
        """Give states new values."""
        self._runner.set_states(values)

    def _given(self, name: str, value: Array) -> Array:
        image = self._shown.image(name)
        return value if image is None else image.pixels(value)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._runner.close()
