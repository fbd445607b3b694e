"""`edgec build model.onnx --target iphone` against onnx2coreml on the same files, whole processes in turn.

    python -m benchmarks.coreml_from_onnx --peer /path/to/venv/bin/onnx2coreml a.onnx b.onnx [--rounds 5]

onnx2coreml 1.1 needs an environment of its own (`pip install onnx2coreml==1.1`). Times are from the start of the
interpreter to the package on disk, for iOS 17 in float16; edgec also runs the package and compares the numbers. Prints
medians and their ratios, in wall-clock and processor time: a loaded machine affects only the former.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmarks.whole_processes import Contest, build_command


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--peer", required=True, type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    contest = Contest(options.rounds)
    with tempfile.TemporaryDirectory() as folder:
        for file in options.files:
            source = str(file.resolve())
            convert = [str(options.peer), "convert", source, "-o", f"{folder}/peer.mlpackage", "--target", "iOS17"]
            contest.add(file.stem, build_command(source, "iphone", folder), convert)
    return contest.close()


if __name__ == "__main__":
    raise SystemExit(main())
