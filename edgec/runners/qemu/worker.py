"""Runs inside the arm64 Python: a LiteRT runner with one request a line and arrays in files.

    worker.py MODEL as-source|as-it-is

Each line of standard input names an `.npz` with inputs and an `.npz` for outputs; the answer is `done`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from edgec.runners.litert import LiteRTRunner
from edgec.runners.qemu.exchange import load_saved, save_arrays


def main() -> None:
    """Load the model, then answer each line."""
    runner = LiteRTRunner(Path(sys.argv[1]), as_source=sys.argv[2] == "as-source")
    print("ready", flush=True)
    for line in sys.stdin:
        given, made = line.rstrip("\n").split("\t")
        save_arrays(Path(made), runner.run(load_saved(Path(given))))
        print("done", flush=True)


if __name__ == "__main__":
    main()
