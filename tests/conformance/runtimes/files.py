"""Files to run on the runtimes: built for that, or found in a folder of builds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgec.artifact.manifest import Manifest, read_manifest
from edgec.compiler.build import build
from edgec.compiler.options import BuildOptions
from edgec.frontend.request import SourceRequest
from edgec.measure.arrays import draw_arrays
from edgec.measure.inspection import inspect
from edgec.runners.litert import LiteRTRunner


@dataclass(frozen=True)
class File:
    """A file, the release that it supports, its inputs in order, and the location of the newest runtime's outputs."""

    model: str
    target: str
    path: Path
    promises: str
    inputs: Path
    expected: Path


def made(name: str, source: str, target: str, settings: list[str], folder: Path) -> File:
    """Build a source and run it here."""
    report = build(SourceRequest(source), [target], BuildOptions(out=folder / name, settings=tuple(settings)), print)
    if not report.built:
        raise SystemExit(f"{name} on {target}: {'; '.join(d.message for d in report.errors)}")
    (found,) = report.built
    return _run_here(name, target, found.folder / found.manifest.artifact.path, folder)


def found(builds: Path, folder: Path) -> list[File]:
    """All TFLite files in a folder of builds, run here; failed builds are left out."""
    files = artifacts(builds, "tflite")
    return [_run_here(path.parent.parent.name, manifest.target, path, folder) for path, manifest in files]


def artifacts(builds: Path, format_name: str) -> list[tuple[Path, Manifest]]:
    """The artifacts of one format in a folder of builds, each with its manifest; failed builds are left out."""
    paths = [path for path in sorted(builds.rglob("manifest.json")) if not path.parent.name.endswith(".failed")]
    read = [(path.parent, read_manifest(path)) for path in paths]
    return [(folder / m.artifact.path, m) for folder, m in read if m.format == format_name]


def _run_here(model: str, target: str, path: Path, folder: Path) -> File:
    summary = inspect(path)
    arrays = draw_arrays(summary.inputs)
    with LiteRTRunner(path) as runner:
        details = runner._interpreter.get_input_details()
        named = {d["index"]: name for name, d in runner._inputs.items()}
        outputs = list(runner.run(arrays).values())
    inputs, expected = (folder / f"{model}-{target}-{what}.npz" for what in ("given", "expected"))
    np.savez(inputs, *(arrays[named[d["index"]]] for d in details))
    np.savez(expected, *outputs)
    return File(model, target, path, summary.metadata["min_runtime_version"].rstrip("\0"), inputs, expected)
