"""The time of a build compared to the export that it contains: `python -m benchmarks.build_time`.

Runs whole processes in turn: torch.onnx.export of the example alone, `edgec build` for one target, and for three.
Prints the medians of each in wall-clock and processor time (a loaded machine affects only the former), their ratios to
the export, and peak memory.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.whole_processes import Timed, build_command

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples" / "mobilenet.py"

EXPORT = f"""
import sys; sys.path.insert(0, {str(EXAMPLE.parent)!r})
import torch, mobilenet
module, inputs = mobilenet.model()
torch.onnx.export(module, inputs, sys.argv[1], dynamo=True, verbose=False)
"""


@dataclass
class Contestant(Timed):
    """One of the processes compared."""

    name: str = ""
    command: tuple[str, ...] = ()


def contestants(folder: str) -> list[Contestant]:
    android = build_command(f"{EXAMPLE}:model", "android", folder)
    three = [*android, "--target", "iphone", "--target", "rtx"]
    return [
        Contestant(name="torch.onnx.export alone", command=(sys.executable, "-c", EXPORT, f"{folder}/export.onnx")),
        Contestant(name="edgec build, android", command=tuple(android)),
        Contestant(name="edgec build, three targets", command=tuple(three)),
    ]


def main(rounds: int = 5) -> None:
    with tempfile.TemporaryDirectory() as folder:
        entries = contestants(folder)
        Contestant().run(entries[-1].command)  # warms the caches
        for _ in range(rounds):
            for entry in entries:
                if not entry.run(entry.command):
                    sys.exit(f"{entry.name} failed: {' '.join(entry.command)}")
    base, busy = (statistics.median(times) for times in (entries[0].seconds, entries[0].cpu))
    print(f"MobileNetV2 at 224, {rounds} rounds in turn, medians, {os.cpu_count()} cores")
    print(f"{'':28} {'seconds':>8} {'ratio':>6} {'cpu s':>6} {'ratio':>6} {'peak MiB':>9}")
    for entry in entries:
        seconds, cpu = statistics.median(entry.seconds), statistics.median(entry.cpu)
        print(f"{entry.name:28} {seconds:8.2f} {seconds / base:6.2f} {cpu:6.2f} {cpu / busy:6.2f}", end=" ")
        print(f"{statistics.median(entry.peak_mib):9.0f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
