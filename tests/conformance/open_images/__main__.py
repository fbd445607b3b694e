"""Vision models with open height and width, built for every target and compared with eager PyTorch.

    python -m tests.conformance.open_images [--models FOLDER] [--only NAME,…] [--target android …] [--sizes 160..320]
                                            [--update]

Small models and those of transformers are in the tests' own environment; torchvision's and timm's need a FOLDER that
contains these packages. Models that eager PyTorch does not run at 192 and 256 are left out. Each artifact is run at
both ends of the range and three sizes between: by LiteRT, the MIL interpreter, and ONNX Runtime on the engine's ONNX.
`--update` writes the results into `docs/conformance/open-images.md`.
"""

from __future__ import annotations

import argparse
import sys

from tests.conformance.arm import ROOT
from tests.conformance.open_images.judge import TARGETS, Judged, judge
from tests.conformance.open_images.models import models
from tests.conformance.open_images.table import updated

PAGE = ROOT / "docs/conformance/open-images.md"


def main() -> int:
    """Build and compare; returns 1 if a model is not right on every target."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", help="a folder with torchvision and timm")
    parser.add_argument("--only", default="")
    parser.add_argument("--target", action="append")
    parser.add_argument("--sizes", default="160..320")
    parser.add_argument("--update", action="store_true")
    asked = parser.parse_args()
    if asked.update and asked.target:
        parser.error("--update is for all targets")
    results: list[Judged] = []
    for name, make in models(asked.models).items():
        if asked.only and name not in asked.only.split(","):
            continue
        judged = judge(name, make, asked.sizes, asked.target or TARGETS)
        results.append(judged)
        print(f"{name} ({judged.sizes}): " + " | ".join(judged.found), flush=True)
        if asked.update:
            PAGE.write_text(updated(PAGE, results), encoding="utf-8")
    return int(not all(judged.is_right for judged in results))


if __name__ == "__main__":
    sys.exit(main())
