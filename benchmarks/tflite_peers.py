"""Latency of edgec's TFLite files compared to litert-torch's and onnx2tf's, for the same models and weights.

    python -m benchmarks.tflite_peers models.py NAME… --work FOLDER [--litert-torch PYTHON] [--onnx2tf PYTHON]

`models.py` has a function for each NAME that returns (module, example_inputs) with the same weights each time.
Each PYTHON is the interpreter of a separate environment, since the peers pin other versions:

    python3.11 -m venv /tmp/lt && /tmp/lt/bin/pip install litert-torch==0.10.0
    python3.12 -m venv /tmp/o2t && /tmp/o2t/bin/pip install onnx2tf==2.6.9

Files that are already in FOLDER (NAME.edgec.tflite, NAME.litert-torch.tflite, NAME.onnx2tf.tflite) are reused. All
files of a model run in LiteRT on one thread, alternating after each invocation, so that a busy machine slows all of
them alike; the minimum of the thread's own time counts. `--page FILE` writes the table as Markdown, as in
`docs/benchmarks/tflite-peers.md`. Exits with 1 if the geometric mean against the better peer is above 0.95 or one
model's ratio is above 1.10.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgec.compiler.build import build
from edgec.compiler.options import BuildOptions
from edgec.frontend.request import SourceRequest

SECONDS, LEAST, MOST = 3.0, 5, 300
"""Seconds for which the files of one model run together, and the least and most rounds."""

TOOLS = ("edgec", "litert-torch", "onnx2tf")


@dataclass(frozen=True)
class Row:
    """One model: milliseconds by tool, for tools whose file runs."""

    name: str
    times: dict[str, float]

    @property
    def ratio(self) -> float | None:
        """edgec's time over the better peer's; None if either is missing."""
        peers = [ms for tool, ms in self.times.items() if tool != "edgec"]
        return self.times["edgec"] / min(peers) if peers and "edgec" in self.times else None

    @property
    def verdict(self) -> str:
        """The ratio as text."""
        return "" if self.ratio is None else f"{self.ratio:.2f}"

    def shown(self, tool: str) -> str:
        """A tool's time as text."""
        return f"{self.times[tool]:.3g}" if tool in self.times else "–"


EXPORT = """
import importlib.util, sys, torch
path, name, onnx_path, tflite_path = sys.argv[1:]
spec = importlib.util.spec_from_file_location("models", path)
models = importlib.util.module_from_spec(spec)
spec.loader.exec_module(models)
module, inputs = getattr(models, name)()
if onnx_path:
    torch.onnx.export(module, tuple(inputs), onnx_path, dynamo=True, opset_version=18, external_data=False)
if tflite_path:
    import litert_torch
    litert_torch.convert(module, tuple(inputs)).export(tflite_path)
"""


def make_edgec(models: Path, name: str, path: Path) -> None:
    """Build for `raspberry-pi`: float32, without a delegate's restrictions."""
    with tempfile.TemporaryDirectory() as folder:
        request = SourceRequest(f"{models}:{name}")
        report = build(request, ["raspberry-pi"], BuildOptions(out=Path(folder)), lambda line: None)
        for built in report.built:
            shutil.copy(built.folder / built.manifest.artifact.path, path)


def make_litert_torch(python: str, models: Path, name: str, path: Path) -> None:
    """Convert with litert-torch in its own environment."""
    _run([python, "-c", EXPORT, str(models), name, "", str(path)])


def make_onnx2tf(python: str, models: Path, name: str, path: Path, exporter: str) -> None:
    """Export to ONNX with `exporter`'s torch and convert with onnx2tf in its own environment."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / f"{name}.onnx"
        _run([exporter, "-c", EXPORT, str(models), name, str(source), ""])
        _run([str(Path(python).parent / "onnx2tf"), "-i", str(source), "-o", folder])
        with contextlib.suppress(FileNotFoundError):
            shutil.copy(Path(folder) / f"{name}_float32.tflite", path)


def _run(command: Sequence[str]) -> None:
    subprocess.run(command, capture_output=True, check=False, timeout=900)


def least_times(interpreters: Sequence[Any]) -> list[float]:
    """Milliseconds of each file's fastest invocation, with all files run in turn."""
    best = [math.inf] * len(interpreters)
    start, rounds = time.perf_counter(), 0
    while rounds < LEAST or (time.perf_counter() - start < SECONDS and rounds < MOST):
        for i, interpreter in enumerate(interpreters):
            begin = time.thread_time()
            interpreter.invoke()
            best[i] = min(best[i], (time.thread_time() - begin) * 1e3)
        rounds += 1
    return best


def ready(path: Path) -> Any:
    """A warmed-up interpreter with seeded inputs (integers 0 or 1, valid for any table); None if the file fails."""
    from ai_edge_litert.interpreter import Interpreter

    try:
        return _invoked(Interpreter(str(path), num_threads=1))
    except (RuntimeError, ValueError) as failure:
        print(f"{path.name} does not run: {str(failure).splitlines()[0]}")
        return None


def _invoked(interpreter: Any) -> Any:
    interpreter.allocate_tensors()
    rng = np.random.default_rng(0)
    for detail in interpreter.get_input_details():
        draw = rng.standard_normal if detail["dtype"] == np.float32 else lambda shape: rng.integers(0, 2, shape)
        interpreter.set_tensor(detail["index"], np.asarray(draw(detail["shape"])).astype(detail["dtype"]))
    interpreter.invoke()
    return interpreter


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", type=Path)
    parser.add_argument("names", nargs="+")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--litert-torch", dest="litert_torch")
    parser.add_argument("--onnx2tf")
    parser.add_argument("--page", type=Path)
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    rows = []
    print(f"{'model':28} " + " ".join(f"{tool:>12}" for tool in TOOLS) + "  ratio (ms, one thread)")
    for name in options.names:
        files = {tool: options.work / f"{name}.{tool}.tflite" for tool in TOOLS}
        _make_missing(options, name, files)
        running = {tool: found for tool, path in files.items() if path.exists() and (found := ready(path))}
        row = Row(name, dict(zip(running, least_times(list(running.values())), strict=True)))
        rows.append(row)
        print(f"{name:28} " + " ".join(f"{row.shown(tool):>12}" for tool in TOOLS) + f"  {row.verdict}", flush=True)
    ratios = [row.ratio for row in rows if row.ratio is not None]
    if not ratios:
        return 1
    mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
    summary = f"geometric mean against the better peer {mean:.3f} over {len(ratios)} models, largest {max(ratios):.2f}"
    print(summary)
    if options.page is not None:
        options.page.write_text(page(rows, summary), encoding="utf-8")
    return 0 if mean <= 0.95 and max(ratios) <= 1.10 else 1


def page(rows: Sequence[Row], summary: str) -> str:
    """The table as Markdown."""
    lines = [
        "# TFLite files beside those of other converters",
        "",
        "Milliseconds of one invocation by LiteRT on one thread of an x86-64 machine, the files of one model in turn.",
        "The ratio is to the faster of litert-torch 0.10.0 and onnx2tf 2.6.9; a dash is a model that a converter does",
        "not take or whose file does not run. Made by `python -m benchmarks.tflite_peers`.",
        "",
        f"{summary[0].upper()}{summary[1:]}.",
        "",
        "| model | " + " | ".join(TOOLS) + " | ratio |",
        "|---|" + "---:|" * (len(TOOLS) + 1),
        *(f"| {row.name} | " + " | ".join(map(row.shown, TOOLS)) + f" | {row.verdict} |" for row in rows),
    ]
    return "\n".join(lines) + "\n"


def _make_missing(options: argparse.Namespace, name: str, files: dict[str, Path]) -> None:
    if not files["edgec"].exists():
        make_edgec(options.models, name, files["edgec"])
    if options.litert_torch and not files["litert-torch"].exists():
        make_litert_torch(options.litert_torch, options.models, name, files["litert-torch"])
    if options.onnx2tf and options.litert_torch and not files["onnx2tf"].exists():
        make_onnx2tf(options.onnx2tf, options.models, name, files["onnx2tf"], options.litert_torch)


if __name__ == "__main__":
    raise SystemExit(main())
