"""Samples without targets, read one at a time and repeatedly: files, folders and the user's own iterables."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgec.diag import error
from edgec.frontend.samples.files import fitted, is_image, matching
from edgec.frontend.samples.inputs import InputSpec, Known
from edgec.frontend.user_code import user_code
from edgec.frontend.user_objects import user_object
from edgec.spec.ranges import InputRange

Array = NDArray[np.generic]


@dataclass(frozen=True)
class SampleStream:
    """Samples by input name; `origin` is the text that specifies them."""

    origin: str
    opened: Callable[[], Iterator[dict[str, Array]]]

    def __iter__(self) -> Iterator[dict[str, Array]]:
        return self.opened()


def open_stream(text: str, inputs: Mapping[str, Known], ranges: Sequence[InputRange] = ()) -> SampleStream:
    """The samples in a file, a folder or a pattern of `.npz`, `.npy` and image files, or in `file.py:attr`: an iterable
    of inputs, or a function that returns one.

    Pixels of images are scaled to the range of their input. Raises `EdgecError` E0102 if nothing is found, and, while
    reading, E0107 for samples that do not fit and E0201 if the user's code fails.
    """
    if ".py:" in text:
        found = user_object(text)
        return SampleStream(text, lambda: _of_user(text, found, inputs))
    files = matching(text)
    within = {r.name: r for r in ranges}
    return SampleStream(text, lambda: _of_files(files, inputs, within))


def _of_files(
    files: Sequence[Path], inputs: Mapping[str, Known], within: Mapping[str, InputRange]
) -> Iterator[dict[str, Array]]:
    for path in files:
        columns = {name: _column(path, name, known, within.get(name)) for name, known in inputs.items()}
        if len({len(column) for column in columns.values()}) > 1:
            told = ", ".join(f"{name} {len(column)}" for name, column in columns.items())
            raise error("E0107", f"`{path.name}` holds different numbers of samples for its inputs", notes=[told])
        for row in zip(*columns.values(), strict=True):
            yield dict(zip(columns, row, strict=True))


def _column(path: Path, name: str, known: Known, within: InputRange | None) -> list[Array]:
    if is_image(path) and within is None and known.dtype != "uint8":
        raise error(
            "E0107",
            f"it is not known on which range input `{name}` takes the pixels of `{path.name}`",
            help=[f"add `--range {name}=0..1`, or whatever the app gives"],
        )
    return InputSpec(name, files=str(path), within=within).samples(np.random.default_rng(0), known)


def _of_user(text: str, found: Any, inputs: Mapping[str, Known]) -> Iterator[dict[str, Array]]:
    """The items of the user's iterable: a dictionary by name, a tuple in the order of the inputs, or a single array."""
    with user_code(f"reading `{text}`"):
        rows = iter(found() if callable(found) else found)
    for number in itertools.count():
        with user_code(f"reading `{text}`"):
            row = next(rows, None)
        if row is None:
            return
        yield _named(row, inputs, f"sample {number} of `{text}`")


def _named(row: Any, inputs: Mapping[str, Known], what: str) -> dict[str, Array]:
    values = row if isinstance(row, tuple | list) else (row,)
    given = dict(row) if isinstance(row, Mapping) else dict(zip(inputs, values, strict=False))
    if set(given) != set(inputs) or (not isinstance(row, Mapping) and len(values) != len(inputs)):
        names = ", ".join(inputs)
        raise error("E0107", f"{what} is not one value for each input", notes=[f"the inputs are {names}"])
    found = {}
    for name, known in inputs.items():
        value = given[name]
        array = np.asarray(value.detach().cpu() if hasattr(value, "detach") else value)
        if array.dtype.kind not in "biuf":
            raise error("E0107", f"{what} holds {array.dtype} values for `{name}`", help=["give arrays of numbers"])
        array = fitted(array, known.dtype or str(array.dtype), f"{what} for input `{name}`")
        if not known.takes(array.shape):
            raise error("E0107", f"{what} is {list(array.shape)} for input `{name}`, which is {known}")
        found[name] = array
    return found
