"""`edgec build model.onnx --target iphone` against onnx2coreml on the same files, whole processes in turn.

    python -m benchmarks.coreml_from_onnx --peer /path/to/venv/bin/onnx2coreml a.onnx b.onnx [--rounds 5]

onnx2coreml 1.1 lives in an environment of its own (`pip install onnx2coreml==1.1`). A process starts at the interpreter
and ends with the package on disk, for iOS 17 in float16; edgec's also runs what it wrote and compares the numbers.
Prints medians and their ratios, by the clock and by processor time: a loaded machine shows in the first alone.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.coreml_peers import BUILD, Timed


def compare(file: Path, peer: Path, rounds: int) -> tuple[Timed, Timed] | None:
    """Both in turn, after one of each to warm the caches; None where one of them fails."""
    edgec, other = Timed(), Timed()
    with tempfile.TemporaryDirectory() as folder:
        build = [sys.executable, "-c", BUILD, "build", str(file), "--target", "iphone", "--out", folder]
        convert = [str(peer), "convert", str(file), "-o", f"{folder}/peer.mlpackage", "--target", "iOS17"]
        if not (Timed().run(build) and Timed().run(convert)):
            return None
        for _ in range(rounds):
            if not (edgec.run(build) and other.run(convert)):
                return None
    return edgec, other


def _ratio(mine: Sequence[float], theirs: Sequence[float]) -> float:
    return statistics.median(mine) / statistics.median(theirs)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--peer", required=True, type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    ratios = []
    print(f"{'':24} {'edgec s':>8} {'peer s':>8} {'ratio':>6} {'cpu s':>6} {'peer':>6} {'ratio':>6}")
    for file in options.files:
        found = compare(file.resolve(), options.peer, options.rounds)
        if found is None:
            print(f"{file.stem:24} not converted by both", flush=True)
            continue
        mine, theirs = found
        wall, cpu = _ratio(mine.seconds, theirs.seconds), _ratio(mine.cpu, theirs.cpu)
        ratios.append((wall, cpu))
        clock = [statistics.median(n) for n in (mine.seconds, theirs.seconds)]
        busy = [statistics.median(n) for n in (mine.cpu, theirs.cpu)]
        print(f"{file.stem:24} {clock[0]:8.2f} {clock[1]:8.2f} {wall:6.2f}", end=" ")
        print(f"{busy[0]:6.2f} {busy[1]:6.2f} {cpu:6.2f}", flush=True)
    if ratios:
        wall, cpu = (statistics.median(r) for r in zip(*ratios, strict=True))
        print(f"median ratio of {len(ratios)} models: {wall:.2f} by the clock, {cpu:.2f} by processor time")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
