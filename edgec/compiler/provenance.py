"""The provenance in a manifest: the build's command, and the files that it read."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from edgec.artifact.provenance import FileInfo, Provenance
from edgec.frontend.request import SourceRequest
from edgec.spec.device import load_device
from edgec.spec.project import ModelRequest, with_paths
from edgec.spec.reads import Read, Reads, recorded, told
from edgec.spec.request_options import SourceOptions, said
from edgec.spec.target import load_target

OF_TARGETS = ("target", "device", "labels")
"""Kinds of files that belong to one target of a build."""

_KEPT = ("input", "dynamic", "state", "range")
"""Options of a source that a later comparison needs to draw the same inputs."""


@dataclass(frozen=True)
class Origin:
    """A build's source as requested (`asked`: in terms of the command line), and the files read so far."""

    source: SourceRequest
    reads: Reads
    asked: ModelRequest | None
    settings: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """The folder of the request: the project's, else the working folder, else that of a file outside of it."""
        if self.source.project is not None:
            return self.source.project.parent
        file = _file_of(self.source.ref)
        return file.resolve().parent if file.is_file() and not file.resolve().is_relative_to(Path.cwd()) else Path()

    def told(self, ref: str) -> str:
        """A source as it is written in manifests."""
        code, colon, attribute = ref.rpartition(":")
        if not _file_of(ref).is_file():
            return ref
        return f"{told(Path(code), self.folder)}:{attribute}" if colon else told(Path(ref), self.folder)

    def provenance(self, target: str, device: str | None, folder: Path) -> Provenance:
        """The provenance of the target's artifact, whose final location is `folder`."""
        root, asked = self.folder, self.asked
        here, there = folder.resolve(), root.resolve()
        with recorded() as own:
            load_target(target, self.settings)
            if device is not None:
                load_device(device)
        files = sorted((r.kind, told(r.path, root), r.sha256) for r in _of_target(self.reads, own))
        words: tuple[str, ...] = ()
        if asked is not None and self.source.held is None:
            words = command(with_paths(asked, lambda text: told(Path(text), root)), target)
        return Provenance(
            words,
            {} if asked is None else _kept(asked.options),
            Path(os.path.relpath(there, here)).as_posix() if here.is_relative_to(there) else None,
            tuple(FileInfo(*file) for file in files),
        )


def _file_of(ref: str) -> Path:
    code, colon, _ = ref.rpartition(":")
    return Path(code if colon else ref)


def _of_target(reads: Reads, own: Reads) -> list[Read]:
    """Those files read by a build on which one target's artifact depends; `own` are the target's."""
    shared = [read for read in reads.found.values() if read.kind not in OF_TARGETS]
    return [*shared, *own.of(OF_TARGETS)]


def command(model: ModelRequest, target: str) -> tuple[str, ...]:
    """The command line that builds a model for one target, with options in a fixed order and without `--out`."""
    words = ["edgec", "build", model.source, "--target", target]
    own = {key: value for key in ("name", "device", "emit") if (value := getattr(model, key))}
    for key, value in {**own, **said(model.options), **said(model.settings)}.items():
        for text in value if isinstance(value, tuple) else (value,):
            words += [f"--{key.replace('_', '-')}", text]
    return tuple(words)


def _kept(options: SourceOptions) -> dict[str, tuple[str, ...]]:
    found: dict[str, Any] = {key: tuple(t for t in getattr(options, key) if "@" not in t) for key in _KEPT}
    return {key: texts for key, texts in found.items() if texts}


def as_asked(given: SourceOptions, known: Provenance) -> SourceOptions:
    """The options of a comparison: those given, else those of the build."""
    kept = {f.name: known.options[f.name] for f in fields(SourceOptions) if f.name in known.options}
    missing = {name: texts for name, texts in kept.items() if not getattr(given, name)}
    return replace(given, **missing)  # type: ignore[arg-type]
