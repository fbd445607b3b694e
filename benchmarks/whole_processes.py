"""Runs whole processes of edgec and of peers in turn, for the benchmarks of build time."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Timed:
    """Runs of one command: wall-clock and processor seconds, and peak memory in MiB."""

    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    peak_mib: list[float] = field(default_factory=list)

    def run(self, command: Sequence[str]) -> bool:
        """Run the command; returns whether it succeeded. Only successful runs count."""
        start = time.monotonic()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=_as_installed())
        _, status, usage = os.wait4(process.pid, 0)
        if os.waitstatus_to_exitcode(status) != 0:
            return False
        self.seconds.append(time.monotonic() - start)
        self.cpu.append(usage.ru_utime + usage.ru_stime)
        self.peak_mib.append(usage.ru_maxrss / 1024)
        return True


def _as_installed() -> dict[str, str]:
    """The environment, with bytecode caching on, as for installed packages."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def build_command(source: str, target: str, out: str) -> list[str]:
    """The command line of `edgec build`, with this interpreter."""
    code = "from edgec.cli.app import main; main()"
    return [sys.executable, "-c", code, "build", source, "--target", target, "--out", out]


@dataclass
class Contest:
    """A table that compares edgec with a peer, printed row by row: medians of `rounds` runs of each, in turn."""

    rounds: int
    ratios: list[tuple[float, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        columns = f"{'edgec s':>8} {'peer s':>8} {'ratio':>6} {'edgec cpu':>10} {'peer':>6} {'ratio':>6}"
        print(f"{'':24} {columns} {'edgec MiB':>10} {'peer MiB':>9}", flush=True)

    def add(self, name: str, build: Sequence[str], convert: Sequence[str]) -> None:
        """Run both, after a warm-up of each. If one fails on a model, that is printed instead of a row."""
        edgec, peer = Timed(), Timed()
        warm = Timed().run(build) and Timed().run(convert)
        if not warm or not all(edgec.run(build) and peer.run(convert) for _ in range(self.rounds)):
            print(f"{name:24} not converted by both", flush=True)
            return
        wall, cpu, memory = (
            [statistics.median(values) for values in pair]
            for pair in ((edgec.seconds, peer.seconds), (edgec.cpu, peer.cpu), (edgec.peak_mib, peer.peak_mib))
        )
        ratios = wall[0] / wall[1], cpu[0] / cpu[1]
        self.ratios.append(ratios)
        print(f"{name:24} {wall[0]:8.2f} {wall[1]:8.2f} {ratios[0]:6.2f}", end=" ")
        print(f"{cpu[0]:10.2f} {cpu[1]:6.2f} {ratios[1]:6.2f} {memory[0]:10.0f} {memory[1]:9.0f}", flush=True)

    def close(self) -> int:
        """Print the median ratios. Returns 0, or 1 if nothing was compared."""
        if not self.ratios:
            return 1
        wall, cpu = (statistics.median(r) for r in zip(*self.ratios, strict=True))
        print(f"median ratio of {len(self.ratios)} models: {wall:.2f} by the clock, {cpu:.2f} by processor time")
        return 0
