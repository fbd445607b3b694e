"""Samples in files: arrays written by `numpy.save` and `numpy.savez`, and images."""

from __future__ import annotations

import glob
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgec.diag import error
from edgec.diag.foreign import said
from edgec.spec.reads import note

if TYPE_CHECKING:
    from PIL.Image import Image

Array = NDArray[np.generic]

IMAGES = (".png", ".jpg", ".jpeg")
"""Extensions of image files."""
_ARRAYS = (".npy", ".npz")

_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
"""Pillow's modes by number of channels."""


@dataclass(frozen=True)
class Pixels:
    """An image as stored in its file."""

    image: Image

    def arranged(self, shape: Sequence[int | None] | None, ends: tuple[float, float] | None) -> Array:
        """The pixels in the input's shape (N, C, H, W), (N, H, W, C), without N, or (H, W); 1, 3 or 4 channels.

        The image is resized bilinearly, if needed, except along dynamic sizes. Pixels are 0 to 255, scaled linearly to
        `ends` if given. Raises `EdgecError` E0107 for a shape that no image has.
        """
        from PIL.Image import Resampling

        sizes = (1, 3, None, None) if shape is None else tuple(shape)
        at = _channel_axis(sizes)
        if len(sizes) not in (2, 3, 4) or (at is None and len(sizes) > 2):
            raise error(
                "E0107", f"an input of shape {list(sizes)} cannot be an image", help=["give an array: `x=@sample.npy`"]
            )
        spatial = [i for i in range(len(sizes)) if i != at][-2:]
        height, width = (sizes[i] or own for i, own in zip(spatial, self.image.size[::-1], strict=True))
        channels = 1 if at is None else sizes[at] or 3
        image = self.image.convert(_MODES[channels])
        if image.size != (width, height):
            image = image.resize((width, height), Resampling.BILINEAR)
        pixels = np.asarray(image).reshape(height, width, channels)
        if at is None:
            pixels = pixels[..., 0]
        elif at < spatial[0]:
            pixels = pixels.transpose(2, 0, 1)
        if ends is not None and ends != (0, 255):
            pixels = (ends[0] + pixels * ((ends[1] - ends[0]) / 255)).astype(np.float64)
        return pixels if len(sizes) < 4 else np.repeat(pixels[None], sizes[0] or 1, axis=0)

    def normalized(
        self, shape: Sequence[int | str], color: str, scale: Sequence[float], bias: Sequence[float]
    ) -> Array:
        """The values `pixel * scale + bias` in the input's shape, channels in the order of `color`; float64.

        `scale` and `bias` contain one number for all channels, or one for each in that order.
        """
        sizes = [d if isinstance(d, int) and d > 0 else None for d in shape]
        pixels = self.arranged(sizes, None).astype(np.float64)
        axis = _channel_axis(sizes[-3:])
        if axis is None:
            return np.asarray(pixels * scale[0] + bias[0])
        axis += pixels.ndim - 3
        pixels = np.flip(pixels, axis) if color.startswith("bgr") else pixels
        along = [-1 if i == axis else 1 for i in range(pixels.ndim)]
        return np.asarray(pixels * np.reshape(scale, along) + np.reshape(bias, along))


def _channel_axis(sizes: Sequence[int | None]) -> int | None:
    """The channel axis: before or after height and width; before if both are possible, or if the size is dynamic."""
    if len(sizes) < 3:
        return None
    first, last = len(sizes) - 3, len(sizes) - 1
    return next((axis for axis in (first, last) if sizes[axis] in _MODES), first if sizes[first] is None else None)


def read_samples(pattern: str, name: str) -> list[Array | Pixels]:
    """The samples for an input: from an `.npz` file the array of its name, otherwise all arrays in order.

    `pattern` is a file, a folder or a pattern (`photos/*.png`), sorted by name. Nothing is unpickled. Raises
    `EdgecError` E0102 for a missing file, E0107 for a file that is neither an array nor an image, E0502 without pillow.
    """
    return [held for path in matching(pattern) for held in _read(path, name)]


def matching(pattern: str) -> list[Path]:
    """The matching files. Raises `EdgecError` E0102 if there are none."""
    path = Path(pattern)
    if path.is_dir():
        found = sorted(p for p in path.iterdir() if p.suffix.lower() in (*_ARRAYS, *IMAGES))
    elif path.exists():
        found = [path]
    else:
        found = sorted(map(Path, glob.glob(pattern)))
    if not found:
        held = ", ".join((*_ARRAYS, *IMAGES))
        raise error("E0102", f"`{pattern}` was not found", help=[f"give a file, a folder or a pattern: {held}"])
    return found


def is_image(path: Path) -> bool:
    """Whether the file's extension is that of an image."""
    return path.suffix.lower() in IMAGES


def names_in(path: Path) -> list[str]:
    """The names of the arrays in an `.npz` file. Raises `EdgecError` E0107 for other files."""
    if path.suffix.lower() != ".npz":
        raise error(
            "E0107",
            f"`{path.name}` does not name its inputs",
            help=["write `numpy.savez(file, x=…, mask=…)`, or give the input: `--input x=@FILE`"],
        )
    return list(arrays_in(path))


def _read(path: Path, name: str) -> Sequence[Array | Pixels]:
    suffix = path.suffix.lower()
    if suffix in IMAGES:
        return [image_in(path)]
    if suffix not in _ARRAYS:
        raise error(
            "E0107", f"`{path.name}` is not a sample", help=[f"samples are {', '.join((*_ARRAYS, *IMAGES))} files"]
        )
    arrays = arrays_in(path)
    return [arrays[name]] if name in arrays else list(arrays.values())


def arrays_in(path: Path) -> dict[str, Array]:
    """The arrays of an `.npz` file by name, that of an `.npy` file as `""`. Raises `EdgecError` E0107."""
    note(path, "samples")
    try:
        loaded = np.load(path, allow_pickle=False)
        arrays = dict(loaded) if isinstance(loaded, np.lib.npyio.NpzFile) else {"": np.asarray(loaded)}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as failure:
        raise error(
            "E0107",
            f"`{path}` contains no array",
            notes=[said("numpy", failure)],
            help=["`numpy.save` writes one, `numpy.savez` several"],
        ) from failure
    if not arrays or any(a.dtype.kind not in "biuf" for a in arrays.values()):
        raise error(
            "E0107", f"`{path}` contains values that are not numbers", help=["give floats, integers or booleans"]
        )
    return arrays


def image_in(path: Path) -> Pixels:
    """The image in a file. Raises `EdgecError` E0107, and E0502 without pillow."""
    note(path, "samples")
    try:
        from PIL import Image
    except ImportError as missing:
        raise error(
            "E0502",
            f"`{path.name}` is an image, and pillow is not installed",
            help=["`pip install pillow`, or give the array: `x=@sample.npy`"],
        ) from missing
    try:
        with Image.open(path) as image:
            image.load()
            return Pixels(image)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as failure:
        raise error("E0107", f"`{path}` is not a readable image", notes=[said("pillow", failure)]) from failure


def fitted(array: Array, dtype: str, what: str) -> Array:
    """The array converted to an element type: floats may be rounded, other values must be preserved.

    Raises `EdgecError` E0107 if a value cannot be preserved.
    """
    if str(array.dtype) == dtype:
        return array
    with np.errstate(all="ignore"):
        cast = np.asarray(array).astype(dtype)
        rounded = array.dtype.kind == "f" and cast.dtype.kind == "f"
        kept = np.isfinite(cast) == np.isfinite(array) if rounded else cast.astype(array.dtype) == array
    if not np.all(kept):
        raise error(
            "E0107",
            f"{what} contains {array.dtype} values that {dtype} cannot represent",
            help=[f"give values of type {dtype}"],
        )
    return cast
