"""Runs a `.tflite` file with LiteRT's NEON kernels, in a process of the emulated architecture."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import edgec
from edgec.diag import EdgecError, error
from edgec.diag.foreign import said
from edgec.runners.base import Array
from edgec.runners.qemu.environment import arm_python
from edgec.runners.qemu.exchange import load_saved, save_arrays

_LINES = 4


class QemuRunner:
    """LiteRT for aarch64 under QEMU, loaded once and kept running. Its latency says nothing about a phone's."""

    name = "litert-aarch64-qemu"

    def __init__(self, path: Path, *, as_source: bool = False) -> None:
        """Raises `EdgecError` E0502 without the emulated environment, E0602 if the file cannot be loaded."""
        python = arm_python()
        self._folder = tempfile.TemporaryDirectory(prefix="edgec-qemu-")
        package = Path(next(iter(edgec.__path__))).parent
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("PYTHON")},
            "PYTHONHOME": str(python.home),
            "PYTHONPATH": f"{python.packages}{os.pathsep}{package}",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        worker = str(Path(__file__).with_name("worker.py"))
        self._errors = Path(self._folder.name) / "stderr"
        with self._errors.open("wb") as errors:
            self._process: Any = subprocess.Popen(
                [*python.command, worker, str(path.resolve()), "as-source" if as_source else "as-it-is"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=environment,
            )
        if not self._is("ready"):
            raise self._failed(f"`{path.name}` cannot be loaded under QEMU")

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs by their signature names. Raises `EdgecError` E0602."""
        given, made = (Path(self._folder.name) / name for name in ("inputs.npz", "outputs.npz"))
        save_arrays(given, inputs)
        try:
            self._process.stdin.write(f"{given}\t{made}\n")
            self._process.stdin.flush()
            done = self._is("done")
        except BrokenPipeError:
            done = False
        if not done:
            raise self._failed("the artifact fails under QEMU")
        return load_saved(made)

    def _is(self, answer: str) -> bool:
        """Whether the worker's next line is the given one."""
        line: str = self._process.stdout.readline()
        return line == f"{answer}\n"

    def _failed(self, message: str) -> EdgecError:
        self._process.kill()
        self._process.wait()
        lines = self._errors.read_text(errors="replace").strip().splitlines()[-_LINES:]
        self._folder.cleanup()
        notes = [said("the emulated process", line) for line in lines if line.strip()][-1:]
        return error("E0602", message, notes=notes, help=["`edgec run` without `--on qemu` runs it on this machine"])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.stdin.close()
            self._process.wait()
        self._process.stdout.close()
        self._folder.cleanup()
