"""The cost of verification samples: `edgec build` as it is, and with only the example and one similar draw.

    python -m benchmarks.sampling_cost --models path/to/models.py --only mobilenet_v2,bert [--rounds 3]

The file has each name as an attribute that is a source for `edgec build`. Runs whole processes in turn, for three
targets; prints medians and their ratios, in wall-clock and processor time: a loaded machine affects only the former.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks.whole_processes import Contest

_TARGETS = ("--target", "android", "--target", "iphone", "--target", "rtx")

_BUILD = "from edgec.cli.app import main; main()"

_FEW = f"""
import edgec.compiler.samples as sampling
sampling.STRAINS, sampling.VARIED = (), sampling.SAMPLES
{_BUILD}
"""


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", required=True, type=Path)
    parser.add_argument("--only", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    contest = Contest(options.rounds)
    with tempfile.TemporaryDirectory() as folder:
        for name in options.only.split(","):
            asked = ["build", f"{options.models.resolve()}:{name}", *_TARGETS, "--out", folder]
            contest.add(name, *([sys.executable, "-c", code, *asked] for code in (_BUILD, _FEW)))
    return contest.close()


if __name__ == "__main__":
    raise SystemExit(main())
