"""Telling upside-down lines with PP-OCR's angle classifier of `rapidocr-onnxruntime`: the share told right."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.quantization.models import model_file
from benchmarks.quantization.rendering import Floats, line, picture, word

WIDTH = 192
CALIBRATION, TEST = 64, 600


def model() -> str:
    """The file of the source."""
    return str(model_file("rapidocr_onnxruntime/models/ch_ppocr_mobile_v2.0_cls_infer.onnx"))


def calibration() -> Iterator[Floats]:
    """Lines for calibration, half of them upside down."""
    return (pixels for pixels, _ in _lines(1, CALIBRATION))


def test() -> Iterator[tuple[Floats, int]]:
    """Lines with 1 where they are upside down."""
    return _lines(2, TEST)


def metric(outputs: Mapping[str, NDArray[np.generic]], target: int) -> float:
    """100 where the orientation is right."""
    (scores,) = outputs.values()
    return 100.0 * (int(np.argmax(scores)) == target)


def _lines(seed: int, count: int) -> Iterator[tuple[Floats, int]]:
    rng = np.random.default_rng(seed)
    for _ in range(count):
        image, turned = picture(word(rng), rng), int(rng.integers(2))
        yield line(image.transpose(Image.Transpose.ROTATE_180) if turned else image, WIDTH, rng), turned
