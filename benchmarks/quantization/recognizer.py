"""Reading rendered words with the PP-OCRv4 recognizer of `rapidocr-onnxruntime`: the share of words read right."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache

import numpy as np
import onnx
from numpy.typing import NDArray

from benchmarks.quantization.models import model_file
from benchmarks.quantization.rendering import Floats, line, picture, word
from edgec.evaluation.text import greedy_text

WIDTH = 320
CALIBRATION, TEST = 64, 600


def model() -> str:
    """The file of the source."""
    return str(model_file("rapidocr_onnxruntime/models/ch_PP-OCRv4_rec_infer.onnx"))


def calibration() -> Iterator[Floats]:
    """Lines for calibration, of other words than those of the test."""
    rng = np.random.default_rng(1)
    for _ in range(CALIBRATION):
        yield line(picture(word(rng), rng), WIDTH, rng)


def test() -> Iterator[tuple[Floats, str]]:
    """Lines with their words."""
    rng = np.random.default_rng(2)
    for _ in range(TEST):
        text = word(rng)
        yield line(picture(text, rng), WIDTH, rng), text


def metric(outputs: Mapping[str, NDArray[np.generic]], target: str) -> float:
    """100 where the whole word is right."""
    (scores,) = outputs.values()
    return 100.0 * (greedy_text(scores, symbols()).strip() == target)


@cache
def symbols() -> tuple[str, ...]:
    """The recognizer's characters without the blank; its file lists all but the space, which is the last."""
    properties = {p.key: p.value for p in onnx.load(model(), load_external_data=False).metadata_props}
    return (*properties["character"].splitlines(), " ")
