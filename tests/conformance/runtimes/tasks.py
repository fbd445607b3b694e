"""MediaPipe's image classifier on a file with metadata, compared with LiteRT on the same pixels."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from unittest import mock

import numpy as np

from edgec.artifact.cache import made_once
from edgec.compiler.build import build
from edgec.compiler.options import BuildOptions
from edgec.frontend.request import SourceRequest
from edgec.runners.litert import LiteRTRunner
from tests.app_target import LABELS, write_app_target
from tests.conformance.runtimes.environment import new_environment

VERSION = "1.2.3"
_MODEL = """
import torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.head = torch.nn.Conv2d(3, 8, 3, 2), torch.nn.Linear(8, 4)

    def forward(self, x):
        return self.head(torch.relu(self.conv(x)).mean((2, 3))).softmax(-1)

net = lambda: (Net().eval(), (torch.rand(1, 3, 32, 32),))
"""
_WORKER = """
import json, sys
import numpy as np
import mediapipe as mp
from mediapipe.tasks import python as tasks
from mediapipe.tasks.python import vision

options = vision.ImageClassifierOptions(base_options=tasks.BaseOptions(model_asset_path=sys.argv[1]))
classifier = vision.ImageClassifier.create_from_options(options)
image = mp.Image(image_format=mp.ImageFormat.SRGB, data=np.load(sys.argv[2]))
found = classifier.classify(image).classifications[0].categories
with open(sys.argv[3], "w") as file:
    json.dump({c.category_name: c.score for c in found}, file)
"""


def classify(folder: Path) -> tuple[dict[str, float], dict[str, float]]:
    """MediaPipe's scores and LiteRT's, by label."""
    write_app_target(folder, layout="nhwc")
    (folder / "net.py").write_text(_MODEL)
    (folder / "worker.py").write_text(_WORKER)
    with mock.patch.dict(os.environ, {"EDGEC_PATH": str(folder)}):
        report = build(SourceRequest(f"{folder}/net.py:net"), ["app"], BuildOptions(out=folder / "out"), print)
    (built,) = report.built
    path = built.folder / built.manifest.artifact.path
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3)).astype(np.uint8)
    np.save(folder / "pixels.npy", pixels)
    python = made_once(f"runtimes/mediapipe-{VERSION}", lambda at: new_environment(at, [f"mediapipe=={VERSION}"]))
    arguments = [str(path), str(folder / "pixels.npy"), str(folder / "scores.json")]
    done = subprocess.run(
        [str(python / "bin/python"), str(folder / "worker.py"), *arguments], capture_output=True, text=True, check=False
    )
    scores = folder / "scores.json"
    if not scores.is_file():
        raise SystemExit("MediaPipe refuses the file: " + " ".join(done.stderr.strip().splitlines()[-2:]))
    with LiteRTRunner(path) as runner:
        given = ((pixels.astype(np.float32) - 127.5) / 127.5)[None]
        expected = next(iter(runner.run({"x": given}).values()))[0]
    return json.loads(scores.read_text()), dict(zip(LABELS, expected.tolist(), strict=True))
