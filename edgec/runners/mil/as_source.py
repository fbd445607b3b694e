"""Runs a package as the model that it was built from: tensors in and out, whatever its interface is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from edgec.artifact.shown import Shown, ShownImage
from edgec.diag import error
from edgec.runners.base import Array
from edgec.runners.mil.evaluate import Tap
from edgec.runners.mil.runner import MilRunner


class SourceRunner:
    """The interpreter with the source's interface, for verification.

    An image input is given the pixels for the model's values, which need not be integers or within 0 to 255; the scores
    of a classifier are returned as the output (1, classes). For an image output, the values before rounding to pixels
    are returned, after checking that the pixels are these values, rounded.
    """

    name = MilRunner.name

    def __init__(self, path: Path, shown: Shown, function: str | None = None, tap: Tap | None = None) -> None:
        # Rounds where the package declares float16; a float32 package never does.
        self._tap, self._seen = tap, dict[str, Array]()
        self._runner = MilRunner(path, "float16", function, tap=self._see if shown.pictures else tap)
        self._shown = shown
        self._before = {image.name: self._runner.before_pixels(image.name) for image in shown.pictures}

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """The source's outputs by name."""
        given = {name: self._given(name, value) for name, value in inputs.items()}
        found = self._runner.run(given)
        for image in self._shown.pictures:
            found[image.name] = self._unrounded(image, found[image.name])
        for shown in self._shown.scores:
            if shown.scores in found:
                found[shown.name] = np.asarray(found.pop(shown.scores)).reshape(1, -1)
                found.pop(shown.label)
        return found

    def state_values(self) -> dict[str, Array]:
        """The current values of the package's states."""
        return self._runner.state_values()

    def set_states(self, values: Mapping[str, Array]) -> None:
        """Set states."""
        self._runner.set_states(values)

    def _see(self, name: str, value: Array) -> None:
        if name in self._before.values():
            self._seen[name] = value
        if self._tap is not None:
            self._tap(name, value)

    def _unrounded(self, image: ShownImage, pixels: Array) -> Array:
        """The values behind an image output. Raises `EdgecError` E0602 if the pixels are something else."""
        exact = self._seen[self._before[image.name]]
        if not np.array_equal(pixels, np.rint(np.clip(exact, 0, 255)), equal_nan=True):
            raise error("E0602", f"the pixels of `{image.name}` are not what was computed, rounded, from 0 to 255")
        return image.pixels(exact)

    def _given(self, name: str, value: Array) -> Array:
        image = self._shown.image(name)
        return value if image is None else image.pixels(value)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._runner.close()
