"""`edgec build --target android` against litert-torch's conversion of the same models, whole processes in turn.

    python -m benchmarks.tflite_build models.py NAME… --litert-torch PYTHON [--rounds 3]

`models.py` has a function for each NAME that returns (module, example_inputs). PYTHON is the interpreter of a separate
environment, since litert-torch pins other versions: `pip install litert-torch==0.10.0`. Times are from the start of the
interpreter to the file on disk; edgec also runs the file and compares it with eager PyTorch, litert-torch does not.
Prints medians and their ratios, in wall-clock and processor time.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmarks.tflite_peers import EXPORT
from benchmarks.whole_processes import Contest, build_command


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("models", type=Path)
    parser.add_argument("names", nargs="+")
    parser.add_argument("--litert-torch", dest="python", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    models, contest = str(options.models.resolve()), Contest(options.rounds)
    with tempfile.TemporaryDirectory() as folder:
        for name in options.names:
            convert = [options.python, "-c", EXPORT, models, name, "", f"{folder}/peer.tflite"]
            contest.add(name, build_command(f"{models}:{name}", "android", folder), convert)
    return contest.close()


if __name__ == "__main__":
    raise SystemExit(main())
