"""Atomic creation of files and folders, and their hashes."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgec.artifact.system import folder_lock, swapped_by_kernel
from edgec.diag import EdgecError, error


@contextmanager
def atomic_folder(destination: Path) -> Iterator[Path]:
    """A scratch folder that replaces `destination` when the block succeeds, for folders with only our own files.

    On any failure (Ctrl-C included), the scratch folder is removed and an earlier `destination` is left untouched.
    Raises `EdgecError` E0108 if the location is not writable.
    """
    with scratch_beside(destination) as scratch:
        yield scratch
        exchange(scratch, destination)


@contextmanager
def scratch_beside(destination: Path) -> Iterator[Path]:
    """An empty folder on the same disk as `destination`, removed at the end unless it was renamed.

    Scratch folders of builds that were killed are removed first: running builds hold a lock on theirs. Raises
    `EdgecError` E0108 if the location is not writable.
    """
    parent = destination.resolve().parent
    with contextlib.ExitStack() as held:
        try:
            parent.mkdir(parents=True, exist_ok=True)
            with folder_lock(parent):  # no sweep between creating a scratch folder and locking it
                _sweep(parent)
                scratch = Path(tempfile.mkdtemp(prefix=_SCRATCH, dir=parent))
                held.enter_context(folder_lock(scratch))
            scratch.chmod(0o777 & ~_umask())
        except OSError as failure:
            raise _unwritable(parent, failure) from failure
        try:
            yield scratch
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


_SCRATCH = ".edgec-scratch-"


def _sweep(parent: Path) -> None:
    """Remove scratch folders that no running process has locked."""
    for left in parent.glob(f"{_SCRATCH}*"):
        with contextlib.suppress(OSError), folder_lock(left, wait=False):
            shutil.rmtree(left, ignore_errors=True)


def check_writable(folder: Path) -> None:
    """Raise `EdgecError` E0108 if nothing can be created in the folder, so that a build fails at once, not at the end.

    The folder itself is not created, so that a request that fails leaves nothing behind.
    """
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as failure:
        raise _unwritable(folder, failure) from failure


def _unwritable(folder: Path, failure: OSError) -> EdgecError:
    return error(
        "E0108", f"`{folder}` cannot be written: {failure.strerror}", help=["choose another folder with `--out`"]
    )


def exchange(scratch: Path, destination: Path) -> bool:
    """Put `scratch` in the place of `destination` in one step; returns whether there was one, now in `scratch`.

    Raises `EdgecError` E0108 if that fails; nothing has moved then.
    """
    try:
        if not destination.exists():
            os.rename(scratch, destination)
            return False
        if not swapped_by_kernel(scratch, destination):
            _swap_by_renames(scratch, destination)
        return True
    except OSError as failure:
        raise error("E0108", f"`{destination}` cannot be replaced: {failure.strerror}") from failure


def _swap_by_renames(scratch: Path, destination: Path) -> None:
    """Without an exchange in the system: move the old folder aside first, since renaming does not replace folders."""
    aside = destination.with_name(f".{destination.name}.edgec-earlier")
    os.rename(destination, aside)
    try:
        os.rename(scratch, destination)
    except OSError:
        os.rename(aside, destination)
        raise
    os.rename(aside, scratch)


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
