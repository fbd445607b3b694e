"""A build's output folder: complete or absent, and never replacing a file that edgec did not write.

The files of a build are those that the manifest in its folder lists; all others are the user's.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgec.artifact.files import exchange, scratch_beside
from edgec.artifact.manifest import read_manifest
from edgec.artifact.system import folder_lock
from edgec.diag import EdgecError, error

MANIFEST = "manifest.json"

_BY_SYSTEM = (".DS_Store", "Thumbs.db")
"""Files that file managers create in folders that are viewed; they belong to nobody."""

_SHOWN = 5
"""The largest number of files listed in a diagnostic."""


def failed_folder(folder: Path) -> Path:
    """The folder for an artifact that failed verification: beside the good one, which stays."""
    return folder.with_name(f"{folder.name}.failed")


def files_below(folder: Path) -> tuple[str, ...]:
    """All files in a folder except its manifest, as sorted relative paths; a symbolic link counts as a file."""
    found = (p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_symlink() or not p.is_dir())
    return tuple(sorted(name for name in found if name != MANIFEST))


def foreign_files(folder: Path) -> list[str]:
    """Files, links and empty folders in `folder` that no edgec manifest there lists, sorted.

    Empty if the folder does not exist. A file in place of the folder is foreign itself.
    """
    if not folder.exists():
        return [folder.name] if folder.is_symlink() else []
    if not folder.is_dir():
        return [folder.name]
    owned = _owned(folder)
    implied = {parent.as_posix() for name in owned for parent in Path(name).parents}
    found = []
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.is_dir() and not path.is_symlink():
            if name not in implied and not any(path.iterdir()):
                found.append(f"{name}/")
        elif path.is_symlink() or not (name in owned or path.name in _BY_SYSTEM):
            found.append(name)
    return sorted(found)


def check_owned(folder: Path) -> None:
    """Raise `EdgecError` E0111 if a build into `folder`, or a failed one beside it, would replace foreign files."""
    for place in (folder, failed_folder(folder)):
        if found := foreign_files(place):
            raise _holds_foreign(place, found)


@contextmanager
def build_folder(folder: Path) -> Iterator[Path]:
    """A scratch folder on the disk of `folder`, for `publish`. It is removed when the block ends, in any case.

    Raises `EdgecError` E0108 if the location is not writable.
    """
    with scratch_beside(folder) as scratch:
        yield scratch


def publish(scratch: Path, folder: Path) -> None:
    """Put a finished build in its place in one step, and remove the files of the earlier build that it replaces.

    Raises `EdgecError` E0111, with everything left as it was, if foreign files have appeared there; E0108 if the
    location is not writable.
    """
    place = folder.resolve()  # a link to a folder stays a link
    place.parent.mkdir(parents=True, exist_ok=True)
    with folder_lock(place.parent):
        check_owned(place)
        if exchange(scratch, place) and (found := foreign_files(scratch)):  # scratch is now the earlier content
            exchange(scratch, place)
            raise _holds_foreign(folder, found)


def remove_build(folder: Path) -> None:
    """Remove the files of an earlier build; a folder that contains anything else is left as it is."""
    if not folder.is_dir() or folder.is_symlink() or foreign_files(folder):
        return
    with scratch_beside(folder) as scratch:
        exchange(scratch, folder)
        folder.rmdir()  # the empty scratch folder in its place


def _owned(folder: Path) -> set[str]:
    """The manifest in the folder and the files that it lists; empty if it is not a manifest of edgec."""
    try:
        manifest = read_manifest(folder / MANIFEST)
    except EdgecError:
        return set()
    return {MANIFEST, *(manifest.files or _of_artifact(folder / manifest.artifact.path))}


def _of_artifact(path: Path) -> list[str]:
    """The files of the artifact, which early manifests do not list."""
    below = [p for p in path.rglob("*") if p.is_file()] if path.is_dir() else [path]
    return [p.relative_to(path.parent).as_posix() for p in below]


def _holds_foreign(folder: Path, found: list[str]) -> EdgecError:
    more = [f"and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
    return error(
        "E0111",
        f"`{folder}` contains files that edgec did not write, and a build would replace the folder",
        notes=[*(f"`{name}`" for name in found[:_SHOWN]), *more],
        help=["choose another folder with `--out` or another `--name`, or move the files away"],
    )
