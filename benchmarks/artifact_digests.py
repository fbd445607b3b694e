"""Digests of artifacts, to compare two checkouts: a refactoring must change none.

    python -m benchmarks.artifact_digests record --models tests/models.py --only unet,bert --out before.json
    python -m benchmarks.artifact_digests compare before.json after.json

The models' file has each name as an attribute that is a source for `edgec build`. For a target that fails to build, the
diagnostic codes are recorded. `compare` prints the differences and exits with 1 if there are any.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from edgec.compiler.build import build
from edgec.compiler.options import BuildOptions
from edgec.diag import EdgecError
from edgec.frontend.request import SourceRequest

_TARGETS = ["android", "iphone", "rtx"]


def record(models: Path, names: list[str], targets: list[str]) -> dict[str, str]:
    """The SHA-256 of each artifact by `MODEL/TARGET`, or the codes of its refusal."""
    found: dict[str, str] = {}
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            for target, digest in _built(f"{models.resolve()}:{name}", targets, Path(folder)).items():
                found[f"{name}/{target}"] = digest
        print(name, *(found[f"{name}/{t}"][:12] for t in targets), flush=True)
    return found


def _built(ref: str, targets: list[str], folder: Path) -> dict[str, str]:
    try:
        report = build(SourceRequest(ref), targets, BuildOptions(out=folder), lambda step: None)
    except EdgecError as refused:
        return dict.fromkeys(targets, _codes(refused))
    digests = {b.manifest.target: b.manifest.artifact.sha256 for b in report.built}
    codes = " ".join(sorted({d.code for d in report.errors}))
    return {target: digests.get(target, codes) for target in targets}


def _codes(refused: EdgecError) -> str:
    return " ".join(sorted({d.code for d in refused.diagnostics}))


def compare(before: dict[str, str], after: dict[str, str]) -> int:
    """Print each artifact that differs; returns how many do."""
    differing = [key for key in {**before, **after} if before.get(key) != after.get(key)]
    for key in differing:
        print(f"{key}: {before.get(key, 'absent')} -> {after.get(key, 'absent')}")
    print(f"{len(differing)} of {len({**before, **after})} artifacts differ")
    return len(differing)


def main() -> int:
    parser = argparse.ArgumentParser()
    verbs = parser.add_subparsers(dest="verb", required=True)
    recording = verbs.add_parser("record")
    recording.add_argument("--models", required=True, type=Path)
    recording.add_argument("--only", required=True)
    recording.add_argument("--target", action="append")
    recording.add_argument("--out", required=True, type=Path)
    comparing = verbs.add_parser("compare")
    comparing.add_argument("before", type=Path)
    comparing.add_argument("after", type=Path)
    options = parser.parse_args()
    if options.verb == "compare":
        documents = [json.loads(path.read_text(encoding="utf-8")) for path in (options.before, options.after)]
        return int(compare(*documents) > 0)
    found = record(options.models, options.only.split(","), options.target or _TARGETS)
    options.out.write_text(json.dumps(found, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
