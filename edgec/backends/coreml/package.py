"""Writing the files of an `.mlpackage`, deterministically."""

from __future__ import annotations

import json
import shutil
import uuid
from pathlib import Path
from typing import Any

from edgec.artifact.files import sha256_of

_NAMESPACE = uuid.UUID("6f1d3c52-6f0e-5e0b-9d3e-2b8a5c0e7a11")
"""The namespace of content-derived identifiers; any fixed value will do."""

_AUTHOR = "com.apple.CoreML"


def write_package(path: Path, spec: Any, weights: Path | None) -> None:
    """Write the package's files, with identifiers derived from their content instead of time or random numbers."""
    data = path / "Data" / _AUTHOR
    data.mkdir(parents=True)
    (data / "model.mlmodel").write_bytes(spec.SerializeToString(deterministic=True))
    entries = {_identifier(data / "model.mlmodel"): _entry("model.mlmodel", "CoreML Model Specification")}
    root = next(iter(entries))
    if weights is not None:
        (data / "weights").mkdir()
        shutil.move(weights, data / "weights" / "weight.bin")
        (data / "weights" / "weight.bin").chmod(0o644)
        entries[_identifier(data / "weights")] = _entry("weights", "CoreML Model Weights")
    manifest = {"fileFormatVersion": "1.0.0", "itemInfoEntries": entries, "rootModelIdentifier": root}
    text = json.dumps(manifest, indent=4, sort_keys=True)
    (path / "Manifest.json").write_text(text + "\n", encoding="utf-8")


def _identifier(path: Path) -> str:
    return str(uuid.uuid5(_NAMESPACE, f"{path.name}:{sha256_of(path)}")).upper()


def _entry(name: str, description: str) -> dict[str, str]:
    return {"author": _AUTHOR, "description": description, "name": name, "path": f"{_AUTHOR}/{name}"}
