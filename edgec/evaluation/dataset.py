"""Labelled data, read one example at a time: `.npz` files, folders of images by class, and the user's own iterables."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgec.diag import error
from edgec.frontend.samples.files import IMAGES, Pixels, arrays_in, image_in, is_image
from edgec.frontend.user_code import user_code
from edgec.frontend.user_objects import user_object

Array = NDArray[np.generic]

TARGETS = ("label", "labels", "target", "targets", "y")
"""The accepted names of the target array in an `.npz` file."""


@dataclass(frozen=True, eq=False)
class Example:
    """Inputs by name (`""` for a single input) and the target; images are not converted to arrays yet."""

    inputs: Mapping[str, Array | Pixels]
    target: Any


@dataclass
class Dataset:
    """Examples in one pass, with `count` and `sha256` of those read so far."""

    examples: Iterable[Example]
    count: int = 0
    _hash: Any = field(default_factory=hashlib.sha256)

    def __iter__(self) -> Iterator[Example]:
        for example in self.examples:
            self.count += 1
            for name in sorted(example.inputs):
                held = example.inputs[name]
                content = held.image.tobytes() if isinstance(held, Pixels) else np.ascontiguousarray(held).tobytes()
                self._hash.update(f"{name} {len(content)} ".encode() + content)
            self._hash.update(json.dumps(_plain(example.target), sort_keys=True).encode())
            yield example

    @property
    def sha256(self) -> str:
        """The hash of inputs and targets, in order."""
        return str(self._hash.hexdigest())


def open_dataset(text: str | Iterable[Any], labels: Sequence[str] = ()) -> Dataset:
    """The data in `FILE.npz`, in a folder with one folder of images per class, or in `file.py:attr`: an iterable of
    (inputs, target), or a function that returns one.

    Raises `EdgecError` E0102 if it does not exist, E0107 for invalid content, E0201 if the user's code fails.
    """
    if not isinstance(text, str):
        return Dataset(_of_rows(text, "the data"))
    if ".py:" in text:
        return Dataset(_of_user(text))
    path = Path(text)
    if path.is_dir():
        return Dataset(_of_folder(path, labels))
    if not path.exists():
        raise error("E0102", f"`{text}` was not found", help=[_KINDS])
    if path.suffix.lower() != ".npz":
        raise error("E0107", f"`{path.name}` is not labelled data", help=[_KINDS])
    return Dataset(_of_arrays(path))


_KINDS = "data are FILE.npz, a folder with one folder of images a class, or file.py:fn"


def _of_arrays(path: Path) -> Iterator[Example]:
    """The rows of arrays, which must have equal numbers of rows."""
    arrays = dict(arrays_in(path))
    named = [name for name in TARGETS if name in arrays]
    if len(named) != 1:
        held = ", ".join(arrays)
        message = f"`{path.name}` has {'no array' if not named else 'several arrays'} of targets"
        raise error("E0107", message, notes=[f"it holds {held}"], help=[f"name one of them {' or '.join(TARGETS)}"])
    targets = arrays.pop(named[0])
    counts = {name: len(a) if a.ndim else 0 for name, a in {**arrays, named[0]: targets}.items()}
    if len(set(counts.values())) != 1 or not len(targets):
        told = ", ".join(f"{name} {count}" for name, count in counts.items())
        raise error("E0107", f"the arrays of `{path.name}` differ in rows, or have none", notes=[told])
    for row, target in enumerate(targets):
        yield Example({name: array[row] for name, array in arrays.items()}, target)


def _of_folder(path: Path, labels: Sequence[str]) -> Iterator[Example]:
    """The images in each class's folder, sorted by name; classes are numbered as in `labels`, else by name."""
    folders = sorted(p for p in path.iterdir() if p.is_dir() and not p.name.startswith("."))
    if not folders:
        raise error("E0107", f"`{path}` holds no folders of classes", help=["write `DATA/CLASS/image.png`"])
    if labels and (unknown := [f.name for f in folders if f.name not in labels]):
        raise error("E0107", f"`{unknown[0]}` is a folder of `{path}` and no label")
    numbers = {f.name: labels.index(f.name) if labels else i for i, f in enumerate(folders)}
    files = [(f, p) for f in folders for p in sorted(f.iterdir()) if is_image(p)]
    if not files:
        raise error("E0107", f"the folders of `{path}` hold no images", help=[f"images are {', '.join(IMAGES)} files"])
    for folder, file in files:
        yield Example({"": image_in(file)}, numbers[folder.name])


def _of_user(text: str) -> Iterator[Example]:
    """The items of the user's iterable."""
    found = user_object(text)
    with user_code(f"reading `{text}`"):
        rows = found() if callable(found) else found
    yield from _of_rows(rows, f"`{text}`")


def _of_rows(data: Iterable[Any], what: str) -> Iterator[Example]:
    with user_code(f"reading {what}"):
        rows = iter(data)
    for number in itertools.count():
        with user_code(f"reading {what}"):
            row = next(rows, None)
        if row is None:
            return
        yield _example(row, f"example {number} of {what}")


def _example(row: Any, what: str) -> Example:
    if not isinstance(row, tuple | list) or len(row) != 2:
        raise error("E0107", f"{what} is not (inputs, target)", help=["yield a tuple of two: inputs, target"])
    inputs, target = row
    named = inputs if isinstance(inputs, Mapping) else {"": inputs}
    return Example({str(name): _array(value, what) for name, value in named.items()}, target)


def _array(value: Any, what: str) -> Array:
    """Convert to an array; torch's tensors are accepted."""
    array = np.asarray(value.detach().cpu() if hasattr(value, "detach") else value)
    if array.dtype.kind not in "biuf":
        raise error("E0107", f"{what} holds {array.dtype} values", help=["give arrays of floats, integers or booleans"])
    return array


def _plain(target: Any) -> Any:
    """A target as a JSON value."""
    if isinstance(target, Mapping):
        return {str(k): _plain(v) for k, v in target.items()}
    if isinstance(target, str | int | float | bool) or target is None:
        return target
    if isinstance(target, list | tuple):
        return [_plain(v) for v in target]
    return np.asarray(target.detach().cpu() if hasattr(target, "detach") else target).tolist()
