"""Differences between an artifact's interface and its source's tensors: images, and labels with their scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class ShownImage:
    """An image input: the source's input is `pixel * scale + bias`, with pixels from 0 to 255. Or an image output:
    `value * scale + bias`, rounded and clamped to 0 to 255.

    `scale` and `bias` have one number for all channels, or one for each in the order of the source's channels.
    """

    name: str
    scale: tuple[float, ...]
    bias: tuple[float, ...]

    def value(self, pixels: Array) -> Array:
        """The source's input for pixels (1, channels, height, width)."""
        scale, bias = self._columns()
        return np.asarray(pixels * scale + bias, dtype=np.float32)

    def pixels(self, value: Array) -> Array:
        """The pixels for a value of the source, not necessarily integers or within 0 to 255."""
        scale, bias = self._columns()
        return np.asarray((value - bias) / scale, dtype=np.float32)

    def _columns(self) -> list[NDArray[np.float64]]:
        return [np.asarray(n, dtype=np.float64).reshape(1, -1, 1, 1) for n in (self.scale, self.bias)]


@dataclass(frozen=True)
class ShownScores:
    """An output (1, classes) of the source that the app receives as its best `label`, and as `scores` by label."""

    name: str
    label: str
    scores: str


@dataclass(frozen=True)
class Shown:
    """How an artifact's interface differs from its source's, by the source's names. `pictures` are outputs."""

    images: tuple[ShownImage, ...] = ()
    scores: tuple[ShownScores, ...] = ()
    pictures: tuple[ShownImage, ...] = ()

    def image(self, name: str) -> ShownImage | None:
        """The image for an input, or None if it is a tensor."""
        return next((image for image in self.images if image.name == name), None)


def load_shown(table: Mapping[str, Any]) -> Shown:
    """Read the table of a manifest. Raises KeyError or TypeError for an invalid one."""
    images, pictures = (
        tuple(ShownImage(t["name"], tuple(t["scale"]), tuple(t["bias"])) for t in table.get(key, ()))
        for key in ("images", "pictures")
    )
    scores = (ShownScores(t["name"], t["label"], t["scores"]) for t in table.get("scores", ()))
    return Shown(images, tuple(scores), pictures)
