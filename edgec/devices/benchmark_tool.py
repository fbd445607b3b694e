"""LiteRT's own `benchmark_model`, for devices without Python.

Its flags and what it prints are those of `tflite/tools/benchmark` in the LiteRT repository: inputs are given by
position, outputs are written one behind the other to `--output_filepath`, and a line `count=… first=… curr=… min=…
max=… avg=… std=…`, in microseconds, ends each phase. Later versions add `p5=… median=… p95=…`.
"""

from __future__ import annotations

import re
import shlex
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import ml_dtypes
import numpy as np

from edgec.devices.engine import MODEL, Plan, Timed, check_times, garbage, run_logged
from edgec.devices.transport import last_lines
from edgec.devices.work_folder import WorkFolder
from edgec.diag import error
from edgec.measure.inspection import Feature
from edgec.runners.base import Array
from edgec.spec.reach import DeviceUse


@dataclass(frozen=True)
class Interface:
    """The inputs and outputs of a model, in the order of its file."""

    inputs: Sequence[Feature]
    outputs: Sequence[Feature]


class BenchmarkTool:
    """`tool` is its path on the device or, where there is none, on this machine: it is pushed then.

    `use` names the unit: the CPU with XNNPACK, the GPU by the tool's own delegate, or what the profile's delegate runs.
    Raises `EdgecError` E0502 without the tool, E0106 for an npu without a delegate.
    """

    def __init__(self, folder: WorkFolder, tool: str, interface: Interface, use: DeviceUse) -> None:
        self._folder, self._interface, self.threads = folder, interface, use.threads
        self._flags = unit_flags(use.unit, use.reach.delegates.get(use.unit, ""))
        self._delegated = use.unit != "cpu"
        self.delegate = " ".join(self._flags)
        self._tool = self._placed(tool)
        self.runtime = f"benchmark_model, sha256 {self._digest()}"
        self._given: list[str] = []

    def run(self, inputs: Mapping[str, Array], limit_s: float) -> dict[str, Array]:
        """One run, its outputs cut out of the one file by their sizes."""
        self._give(inputs)
        once = ["--num_runs=1", "--min_secs=0", "--warmup_runs=1", "--warmup_min_secs=0", "--output_filepath=outputs"]
        self._benchmark(once, limit_s)
        with tempfile.TemporaryDirectory(prefix="edgec-device-") as scratch:
            made = Path(scratch) / "outputs"
            self._folder.pull("outputs", made)
            content = made.read_bytes()
        outputs = self._interface.outputs
        sizes = [_bytes_of(feature) for feature in outputs]
        if sum(sizes) != len(content):
            raise garbage(self._folder.transport.address, f"{len(content):,} bytes of outputs, not {sum(sizes):,}")
        ends = np.cumsum(sizes)
        cut = [content[end - size : end] for end, size in zip(ends, sizes, strict=True)]
        return {
            f.name: np.frombuffer(part, dtype=_dtype(f)).reshape(_fixed(f)).copy()
            for f, part in zip(outputs, cut, strict=True)
        }

    def time(self, plan: Plan, limit_s: float) -> Timed:
        """The statistics of its last phase; it writes no single runs."""
        flags = [f"--num_runs={plan.runs}", "--min_secs=0", f"--max_secs={plan.seconds:g}"]
        flags += [f"--warmup_runs={plan.warm_up}", "--warmup_min_secs=0.5"]
        begin = time.monotonic()
        said = self._benchmark(flags, limit_s)
        found = statistics(said)
        if found is None:
            raise garbage(self._folder.transport.address, said)
        return check_times(self._folder.transport.address, found, time.monotonic() - begin)

    def _give(self, inputs: Mapping[str, Array]) -> None:
        """Each input as a file of its bytes, named by its position."""
        features = self._interface.inputs
        arrays = [np.asarray(inputs[f.name], dtype=_dtype(f), order="C") for f in features]
        names = [f"in{i}" for i in range(len(arrays))]
        with tempfile.TemporaryDirectory(prefix="edgec-device-") as scratch:
            for name, array in zip(names, arrays, strict=True):
                path = Path(scratch) / name
                path.write_bytes(array.tobytes())
                self._folder.push(path, name)
        shapes = ":".join(",".join(str(d) for d in array.shape) for array in arrays)
        files = ",".join(f"{name}:{name}" for name in names)
        self._given = [
            f"--input_layer={','.join(names)}",
            f"--input_layer_shape={shapes}",
            f"--input_layer_value_files={files}",
        ]

    def _benchmark(self, flags: Sequence[str], limit_s: float) -> str:
        words = [self._tool, f"--graph={MODEL}", f"--num_threads={self.threads}", *self._given, *self._flags, *flags]
        done = run_logged(self._folder, " ".join(shlex.quote(word) for word in words), limit_s)
        address = self._folder.transport.address
        if done.status != 0:
            raise error(
                "E0706",
                f"`benchmark_model` fails on `{address}`",
                notes=last_lines(done.output),
                help=["run it by hand on the device with the same model"],
            )
        if self._delegated and not applied(done.output):
            raise error(
                "E0706",
                f"the delegate did not run on `{address}`: the CPU would have been measured",
                notes=last_lines(done.output),
                help=["measure with `--unit cpu`"],
            )
        return done.output

    def _placed(self, tool: str) -> str:
        """The tool's path on the device. Raises `EdgecError` E0502 where it is neither there nor here."""
        address, here = self._folder.transport.address, Path(tool)
        if self._folder.run(f"[ -f {shlex.quote(tool)} ]").status == 0:
            if self._folder.run(f"[ -x {shlex.quote(tool)} ]").status != 0:
                raise error("E0502", f"`{tool}` on `{address}` is not executable", help=[f"chmod +x {tool}"])
            return tool
        if not here.is_file():
            raise error(
                "E0502",
                f"there is no `{tool}` on `{address}`, nor on this machine",
                help=["LiteRT's `benchmark_model` for the device's processor is meant: `--benchmark-model PATH`"],
            )
        self._folder.push(here, "benchmark_model")
        self._folder.run("chmod 700 benchmark_model")
        return "./benchmark_model"

    def _digest(self) -> str:
        """What identifies the tool, which does not tell its version."""
        words = self._folder.run(f"sha256sum {shlex.quote(self._tool)} 2>/dev/null").output.split()
        return words[0][:16] if words else "unknown"


def unit_flags(unit: str, delegate: str) -> tuple[str, ...]:
    """The flags that make the tool use a unit. Raises `EdgecError` E0106 for an npu without a delegate."""
    if unit == "cpu":
        return ("--use_xnnpack=true",)
    if delegate:
        return (f"--external_delegate_path={delegate}",)
    if unit == "gpu":
        return ("--use_gpu=true",)
    raise error(
        "E0106",
        "the device's profile does not say which delegate runs its npu",
        help=['add `npu = "/path/on/the/device/lib….so"` to `[reach.delegates]`'],
    )


_STATISTIC = re.compile(r"\b(count|first|curr|min|max|avg|std|p5|median|p95)=(\S+)")


def statistics(said: str) -> Timed | None:
    """The last phase of a run of the tool; None where its lines are not there, or are broken."""
    lines = [dict(_STATISTIC.findall(line)) for line in said.splitlines() if re.search(r"\bcount=\d", line)]
    if len(lines) < 2 or not {"count", "min", "max", "avg"} <= lines[-1].keys():
        return None
    last, timings = lines[-1], re.search(r"Init: ([\d.e+]+), First inference: ([\d.e+]+)", said)
    try:
        mean, least, largest = (float(last[key]) / 1e3 for key in ("avg", "min", "max"))
        median = float(last["median"]) / 1e3 if "median" in last else None
        init, first = (float(timings[1]) / 1e3, float(timings[2]) / 1e3) if timings else (None, None)
        return Timed(int(last["count"]), mean, least, largest, median, init, first, np.empty(0))
    except ValueError:
        return None


def applied(said: str) -> bool:
    """Whether the tool says that the delegate took the graph, or a part of it."""
    return (
        re.search(r"Explicitly applied .+ delegate, and the model graph will be (completely|partially)", said)
        is not None
    )


def _dtype(feature: Feature) -> np.dtype[np.generic]:
    named: np.dtype[np.generic] = np.dtype(ml_dtypes.bfloat16 if feature.dtype == "bfloat16" else feature.dtype)
    return named


def _fixed(feature: Feature) -> tuple[int, ...]:
    """The shape, which must be known. Raises `EdgecError` E0603."""
    if any(not isinstance(d, int) or d < 0 for d in feature.shape):
        raise error(
            "E0603",
            f"output `{feature.name}` has an open size, which `benchmark_model` does not tell",
            help=["use a device with Python and LiteRT, or build with fixed sizes"],
        )
    return tuple(int(d) for d in feature.shape)


def _bytes_of(feature: Feature) -> int:
    return int(np.prod(_fixed(feature), dtype=np.int64)) * _dtype(feature).itemsize
