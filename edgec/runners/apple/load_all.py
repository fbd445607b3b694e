"""Compile and load every Core ML package in a folder on this Mac, and write Core ML's answers as JSON.

    python3 load_all.py FOLDER loaded.json

Copy this file to a Mac with Xcode: it needs only Python's standard library. `edgec check ARTIFACT --result loaded.json`
reads the result, on any machine; packages are identified by their content. Exits with 1 if one is refused.
"""

from __future__ import annotations

import hashlib
import json
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

SCHEMA = 1
_LOADER = """
import CoreML
import Foundation
do {
    let compiled = URL(fileURLWithPath: CommandLine.arguments[1])
    _ = try MLModel(contentsOf: compiled, configuration: MLModelConfiguration())
} catch {
    print(error.localizedDescription)
    exit(1)
}
"""
"""Swift program that loads a compiled model with `MLModel` for the compute units that it chooses."""
_LINES = 4


def main(folder: Path, answer: Path) -> int:
    """Try every package; returns 0 if all load."""
    packages = sorted(p for p in folder.rglob("*.mlpackage") if p.is_dir())
    with tempfile.TemporaryDirectory(prefix="edgec-load-") as scratch:
        loader = _built_loader(Path(scratch))
        tried = [tried_package(p, folder, loader, Path(scratch)) for p in packages]
    document = {"schema": SCHEMA, "system": system(), "when": time.strftime("%Y-%m-%d"), "artifacts": tried}
    answer.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    refused = [entry for entry in tried if not entry["loaded"]]
    for entry in refused:
        print(f"refused: {entry['path']}: {entry['said']}", file=sys.stderr)
    print(f"{len(tried) - len(refused)} of {len(tried)} packages load on {document['system']}")
    return 1 if refused else 0


def tried_package(package: Path, folder: Path, loader: Path, scratch: Path) -> dict[str, Any]:
    """Core ML's answer for one package."""
    own = Path(tempfile.mkdtemp(dir=scratch))
    said = _said(["xcrun", "coremlcompiler", "compile", str(package), str(own)])
    compiled = next(iter(own.glob("*.mlmodelc")), None) if said is None else None
    if said is None:
        said = "the compiler wrote nothing" if compiled is None else _said([str(loader), str(compiled)])
    path = package.relative_to(folder).as_posix()
    loaded = said is None
    return {"path": path, "sha256": content_hash(package), "compiled": compiled is not None, "loaded": loaded,
            "said": said or ""}  # fmt: skip


def content_hash(package: Path) -> str:
    """SHA-256 over each relative path and content in sorted order, as in edgec's manifests."""
    digest = hashlib.sha256()
    for path in sorted((p for p in package.rglob("*") if p.is_file()), key=lambda p: p.relative_to(package).as_posix()):
        digest.update(path.relative_to(package).as_posix().encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def system() -> str:
    """This Mac's operating system."""
    return f"macOS {platform.mac_ver()[0]} on {platform.machine()}"


def _built_loader(scratch: Path) -> Path:
    source, loader = scratch / "load.swift", scratch / "load"
    source.write_text(_LOADER, encoding="utf-8")
    said = _said(["xcrun", "swiftc", "-O", "-o", str(loader), str(source)])
    if said is not None:
        sys.exit(f"the loader cannot be built, is Xcode installed? {said}")
    return loader


def _said(command: list[str]) -> str | None:
    """The output of a command that fails; None if it succeeds."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return f"`{command[0]}` is missing: this needs a Mac with Xcode"
    if done.returncode == 0:
        return None
    lines = (done.stdout + done.stderr).strip().splitlines()[-_LINES:]
    return " ".join(line.strip() for line in lines) or f"exit code {done.returncode}"


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
