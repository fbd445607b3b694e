"""Files and folders that appear complete or not at all, and hashes of either."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgec.diag import error


@contextmanager
def atomic_folder(destination: Path) -> Iterator[Path]:
    """A scratch folder beside `destination` that takes its place when the block succeeds.

    On any failure (Ctrl-C included) the scratch folder is removed and an earlier `destination` is left untouched.
    Raises `EdgecError` E0108 when the place cannot be written.
    """
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{destination.name}.", dir=destination.parent))
        scratch.chmod(0o777 & ~_umask())
    except OSError as failure:
        raise error(
            "E0108",
            f"`{destination.parent}` cannot be written: {failure.strerror}",
            help=["choose a folder with `--out`"],
        ) from failure
    try:
        yield scratch
        _swap(scratch, destination)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def check_writable(folder: Path) -> None:
    """Raise `EdgecError` E0108 when nothing can be created in the folder: told before minutes of work, not after."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as failure:
        raise error(
            "E0108", f"`{folder}` cannot be written: {failure.strerror}", help=["choose a folder with `--out`"]
        ) from failure


def _swap(scratch: Path, destination: Path) -> None:
    """Rename; no folder is renamed over a full one, so the old one steps aside first and comes back on failure."""
    aside = scratch.with_name(scratch.name + ".old")
    try:
        if destination.exists():
            os.rename(destination, aside)
        try:
            os.rename(scratch, destination)
        except OSError:
            if aside.exists():
                os.rename(aside, destination)
            raise
    except OSError as failure:
        raise error("E0108", f"`{destination}` cannot be replaced: {failure.strerror}") from failure
    finally:
        if destination.exists():
            shutil.rmtree(aside, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def content_files(path: Path) -> list[Path]:
    """The file itself, or every file below a folder, sorted by relative path."""
    if path.is_file():
        return [path]
    return sorted((p for p in path.rglob("*") if p.is_file()), key=lambda p: p.relative_to(path).as_posix())


def sha256_of(path: Path) -> str:
    """SHA-256 of a file; of a folder, over each relative path and content in sorted order."""
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    digest = hashlib.sha256()
    for file_path in content_files(path):
        digest.update(file_path.relative_to(path).as_posix().encode() + b"\0")
        digest.update(bytes.fromhex(sha256_of(file_path)))
    return digest.hexdigest()


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files below a folder."""
    return sum(p.stat().st_size for p in content_files(path))
