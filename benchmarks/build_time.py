"""What a build costs beside the export that it contains: `python -m benchmarks.build_time`.

Whole processes, in turn: torch.onnx.export of the example alone, `edgec build` for one target, and for three. Prints
the median seconds and peak memory of each and their ratios to the export.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples" / "mobilenet.py"

EXPORT = f"""
import sys; sys.path.insert(0, {str(EXAMPLE.parent)!r})
import torch, mobilenet
module, inputs = mobilenet.model()
torch.onnx.export(module, inputs, sys.argv[1], dynamo=True, verbose=False)
"""


@dataclass
class Contestant:
    name: str
    command: list[str]
    seconds: list[float] = field(default_factory=list)
    peak_mib: list[float] = field(default_factory=list)

    def run(self) -> None:
        start = time.monotonic()
        process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        if os.waitstatus_to_exitcode(status) != 0:
            sys.exit(f"{self.name} failed: {' '.join(self.command)}")
        self.seconds.append(time.monotonic() - start)
        self.peak_mib.append(usage.ru_maxrss / 1024)


def contestants(folder: str) -> list[Contestant]:
    build = [
        sys.executable,
        "-c",
        "from edgec.cli.app import main; main()",
        "build",
        f"{EXAMPLE}:model",
        "--out",
        folder,
    ]
    three = ["--target", "iphone", "--target", "android", "--target", "rtx"]
    return [
        Contestant("torch.onnx.export alone", [sys.executable, "-c", EXPORT, f"{folder}/export.onnx"]),
        Contestant("edgec build, android", [*build, "--target", "android"]),
        Contestant("edgec build, three targets", [*build, *three]),
    ]


def main(rounds: int = 5) -> None:
    with tempfile.TemporaryDirectory() as folder:
        entries = contestants(folder)
        for _ in range(rounds):
            for entry in entries:
                entry.run()
    base = statistics.median(entries[0].seconds)
    print(f"MobileNetV2 at 224, {rounds} rounds in turn, medians, {os.cpu_count()} cores")
    print(f"{'':28} {'seconds':>8} {'ratio':>6} {'peak MiB':>9}")
    for entry in entries:
        seconds = statistics.median(entry.seconds)
        print(f"{entry.name:28} {seconds:8.2f} {seconds / base:6.2f} {statistics.median(entry.peak_mib):9.0f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
