"""LiteRT in the board's own Python, driven by a worker that is pushed there."""

from __future__ import annotations

import json
import shlex
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgec.devices.engine import MODEL, Plan, Timed, check_times, garbage, run_logged
from edgec.devices.transport import last_lines
from edgec.devices.work_folder import WorkFolder
from edgec.diag import EdgecError, error
from edgec.runners.base import Array
from edgec.runners.qemu.exchange import load_saved, save_arrays

_WORKER = "litert_worker.py"
PYTHON = "python3"
"""The interpreter of a board whose profile names none."""


class PythonEngine:
    """`python` is the interpreter on the device, `delegate` a library there (empty: the CPU)."""

    def __init__(self, folder: WorkFolder, python: str, delegate: str, threads: int) -> None:
        self._folder, self._python, self.delegate, self.threads = folder, python or PYTHON, delegate, threads
        self.runtime = ""
        folder.push(Path(__file__).with_name(_WORKER), _WORKER)

    def run(self, inputs: Mapping[str, Array], limit_s: float) -> dict[str, Array]:
        """Through `inputs.npz` and `outputs.npz`."""
        with tempfile.TemporaryDirectory(prefix="edgec-device-") as scratch:
            given, made = Path(scratch) / "inputs.npz", Path(scratch) / "outputs.npz"
            save_arrays(given, inputs)
            self._folder.push(given, given.name)
            self._work("run", [given.name, made.name, str(self.threads)], limit_s)
            self._folder.pull(made.name, made)
            try:
                return load_saved(made)
            except (OSError, ValueError, KeyError, EOFError) as failure:
                raise garbage(self._folder.transport.address, str(failure)) from failure

    def time(self, plan: Plan, limit_s: float) -> Timed:
        """Every single run by the device's own clock."""
        numbers = [str(self.threads), str(plan.warm_up), str(plan.runs), str(plan.seconds)]
        begin = time.monotonic()
        said = self._work("time", ["inputs.npz", "samples.npy", *numbers], limit_s)
        wall_s = time.monotonic() - begin
        with tempfile.TemporaryDirectory(prefix="edgec-device-") as scratch:
            path = Path(scratch) / "samples.npy"
            self._folder.pull(path.name, path)
            try:
                samples = np.load(path, allow_pickle=False).astype(np.float64).reshape(-1)
                if samples.size == 0 or samples.size != said["runs"]:
                    raise ValueError(f"{samples.size} samples of {said['runs']} runs")
                init, first = float(said["init_ms"]), float(said["first_ms"])
            except (OSError, ValueError, KeyError, EOFError) as failure:
                raise garbage(self._folder.transport.address, str(failure)) from failure
        spread = (float(samples.mean()), float(samples.min()), float(samples.max()), float(np.median(samples)))
        return check_times(self._folder.transport.address, Timed(samples.size, *spread, init, first, samples), wall_s)

    def _work(self, mode: str, arguments: Sequence[str], limit_s: float) -> dict[str, Any]:
        words = [self._python, _WORKER, mode, MODEL, *arguments, *([self.delegate] if self.delegate else [])]
        done = run_logged(self._folder, " ".join(shlex.quote(word) for word in words), limit_s)
        for line in reversed(done.output.splitlines()):
            kind, _, text = line.partition(" ")
            if kind in ("edgec-result", "edgec-error"):
                said = _loaded(text)
                if kind == "edgec-result" and done.status == 0 and isinstance(said.get("runtime"), str):
                    self.runtime = f"{said['runtime']} ({said.get('python', '')}, NumPy {said.get('numpy', '')})"
                    return said
                raise self._failed(said)
        if done.status in (126, 127):
            notes, name = last_lines(done.output), self._python
            help = ["name its Python with LiteRT: `python` in `[reach]` of the device's profile"]
            address = self._folder.transport.address
            raise error("E0502", f"there is no `{name}` on `{address}`", notes=notes, help=help)
        raise garbage(self._folder.transport.address, done.output)

    def _failed(self, said: Mapping[str, Any]) -> EdgecError:
        address, notes = self._folder.transport.address, last_lines(str(said.get("text", "")))
        kind = said.get("kind")
        if kind == "missing":
            return error(
                "E0502",
                f"there is no LiteRT in `{self._python}` on `{address}`",
                notes=notes,
                help=[
                    "install it there (`pip install ai-edge-litert`), or name the Python that has it: `python` in "
                    "`[reach]` of the device's profile"
                ],
            )
        if kind == "delegate":
            return error(
                "E0706", f"the delegate does not run on `{address}`", notes=notes, help=["measure with `--unit cpu`"]
            )
        what = "refuses the artifact" if kind == "refused" else "fails on the artifact"
        return error(
            "E0706", f"the runtime on `{address}` {what}", notes=notes, help=["try a newer LiteRT on the device"]
        )


def _loaded(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
