"""Input arrays for running an artifact by hand: loaded from files, or drawn to fit its interface."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgec.diag import EdgecError, error
from edgec.diag.foreign import said
from edgec.diag.suggest import suggest
from edgec.measure.inspection import Feature

Array = NDArray[np.generic]


def load_arrays(texts: Sequence[str], features: Sequence[Feature]) -> dict[str, Array]:
    """The arrays of `FILE.npy`, `NAME=FILE.npy` or `FILE.npz`; `check_arrays` compares them with the interface.

    Raises `EdgecError` E0102 for a missing file, E0107 for a file without an array or an array that fits no input.
    """
    found: dict[str, Array] = {}
    for text in texts:
        name, equals, file = text.rpartition("=")
        loaded = _load(Path(file if equals else text))
        if isinstance(loaded, dict):
            found.update(loaded)
        elif equals:
            found[name] = loaded
        elif len(features) == 1:
            found[features[0].name] = loaded
        else:
            raise _unnamed(text, features)
    return found


def draw_arrays(features: Sequence[Feature], seed: int = 0) -> dict[str, Array]:
    """Seeded arrays that fit: standard normal floats, integers of 0 or 1; open dimensions have size 1."""
    rng = np.random.default_rng(seed)
    drawn: dict[str, Array] = {}
    for feature in features:
        shape = [d if isinstance(d, int) and d >= 0 else 1 for d in feature.shape]
        floating = feature.dtype.startswith("float")
        values = rng.standard_normal(shape) if floating else rng.integers(0, 2, shape)
        drawn[feature.name] = np.asarray(values).astype(feature.dtype)
    return drawn


def _load(path: Path) -> Array | dict[str, Array]:
    """The array or arrays of a file, without unpickling: arrays of objects are refused."""
    if not path.is_file():
        raise error("E0102", f"`{path}` was not found")
    try:
        loaded = np.load(path, allow_pickle=False)
        return dict(loaded) if isinstance(loaded, np.lib.npyio.NpzFile) else np.asarray(loaded)
    except (ValueError, OSError, EOFError) as failure:
        raise error(
            "E0107",
            f"`{path}` contains no array",
            notes=[said("numpy", failure)],
            help=["`numpy.save` writes one"],
        ) from failure


def check_arrays(found: dict[str, Array], features: Sequence[Feature]) -> dict[str, Array]:
    """The arrays, one for each input. Raises `EdgecError` E0107 for an unknown input and for a missing one."""
    wanted = {f.name: f for f in features}
    for name in found:
        if name not in wanted:
            near = suggest(name, list(wanted))
            raise error(
                "E0107",
                f"the artifact has no input `{name}`",
                notes=[f"its inputs are {_shown(features)}"],
                help=[f"did you mean `{near}`?"] if near else [],
            )
    missing = [f for f in features if f.name not in found]
    if missing:
        raise error(
            "E0107", f"input `{missing[0].name}` is missing", notes=[f"the artifact's inputs are {_shown(features)}"]
        )
    return found


def _unnamed(text: str, features: Sequence[Feature]) -> EdgecError:
    return error(
        "E0107",
        f"`--input {text}` does not name its input",
        notes=[f"the artifact takes {_shown(features)}"],
        help=[f"write `--input {features[0].name}={text}`"] if features else [],
    )


def _shown(features: Sequence[Feature]) -> str:
    return ", ".join(f"`{f.name}` {f.dtype}{list(f.shape)}" for f in features)
