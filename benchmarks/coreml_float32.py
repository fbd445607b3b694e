"""Counts the operators that a Core ML package computes in float32 where the target asks for float16, with the evidence.

    python -m benchmarks.coreml_float32 --models MODELS.py [--only bert,gemma2] [--target iphone] [--before CHECKOUT]

The file has each name as an attribute that is a source for `edgec build`; without `--only`, every name of its
dictionary `ZOO` is used. Each model is built in one process, and in another with the edgec of `--before`; the manifests
are counted. A package that is entirely float32 because float16 missed the accuracy counts with all its operators.
Prints a line for each model, the totals, and the evidence.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

_BUILD = "from edgec.cli.app import main; main()"
_HERE = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Count:
    """Operators in float32 and in total, the verdict on the artifact, and the number of operators by evidence."""

    kept: int
    operators: int
    judged: str
    evidence: Counter[str]


def count(source: str, target: str, checkout: Path) -> Count | str:
    """The count for a build with the edgec in `checkout`, or its first error."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", _BUILD, "build", source, "--target", target, "--out", folder]
        path = os.pathsep.join([str(checkout), os.environ.get("PYTHONPATH", "")])
        run = subprocess.run(
            command, env={**os.environ, "PYTHONPATH": path}, cwd=folder, capture_output=True, text=True
        )
        manifest = next(Path(folder).rglob("manifest.json"), None)
        if manifest is None:
            return next(
                (line for line in run.stderr.splitlines() if line.startswith("error")), f"exit {run.returncode}"
            )
        return _counted(json.loads(manifest.read_text()), whole="keeps everything in float32" in run.stderr)


def _counted(manifest: dict[str, object], *, whole: bool) -> Count:
    graph, accuracy, kept = manifest["graph"], manifest["accuracy"], manifest["float32"]
    assert isinstance(graph, dict)
    assert isinstance(accuracy, dict)
    assert isinstance(kept, list)
    operators = sum(n for op, n in graph["ops"].items() if op != "cast")
    judged = f"{accuracy['status']}, {accuracy['psnr_db'] or 0.0:.0f} dB"
    if whole:
        return Count(operators, operators, judged, Counter({"float16 missed the accuracy": operators}))
    return Count(len(kept), operators, judged, Counter(f"{entry['op']}: {entry['evidence']}" for entry in kept))


def names_of(models: Path) -> list[str]:
    """The keys of the file's `ZOO`."""
    sys.path.insert(0, str(models.parent))
    spec = importlib.util.spec_from_file_location("models_under_test", models)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return list(module.ZOO)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", required=True, type=Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--target", default="iphone")
    parser.add_argument("--before", type=Path, help="a checkout of an earlier edgec, to compare with")
    options = parser.parse_args()
    models = options.models.resolve()
    checkouts = [_HERE, *([options.before.resolve()] if options.before else [])]
    sums = [Counter[str]() for _ in checkouts]
    for name in options.only.split(",") if options.only else names_of(models):
        found = [count(f"{models}:{name}", options.target, checkout) for checkout in checkouts]
        print(f"{name:24}", *(_line(one) for one in found), sep="  ", flush=True)
        for total, one in zip(sums, found, strict=True):
            if isinstance(one, Count):
                total.update({"kept": one.kept, "operators": one.operators, "models": 1})
        if isinstance(found[0], Count):
            for evidence, times in found[0].evidence.most_common():
                print(f"{times:8} {evidence[:140]}", flush=True)
    for checkout, total in zip(checkouts, sums, strict=True):
        print(f"{total['kept']} of {total['operators']} operators in float32, {total['models']} models, by {checkout}")
    return 0


def _line(one: Count | str) -> str:
    return one if isinstance(one, str) else f"{one.kept:5} of {one.operators:5} ({one.judged})"


if __name__ == "__main__":
    raise SystemExit(main())
