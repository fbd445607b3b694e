"""Importing coremltools, without its warnings on machines other than a Mac."""

from __future__ import annotations

import contextlib
import io
import logging
import sys
import warnings
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from edgec.diag import error
from edgec.spec.process import is_own_process

_FRONTENDS = (
    "torch", "torchvision", "torchaudio", "torchao", "executorch", "transformers", "tensorflow", "sklearn", "scipy",
    "xgboost", "libsvm",
)  # fmt: skip
"""Packages that coremltools imports, if installed, to convert from them: two thirds of its import time."""


@contextlib.contextmanager
def _hidden(names: Sequence[str]) -> Iterator[None]:
    """A context in which these packages cannot be imported, as if they were not installed."""
    before = {name: sys.modules[name] for name in names if name in sys.modules}
    blocked: dict[str, Any] = dict.fromkeys(names)  # None makes Python's import fail
    sys.modules.update(blocked)
    try:
        yield
    finally:
        for name in names:
            sys.modules.pop(name, None)
        sys.modules.update(before)


@cache
def coremltools() -> Any:
    """The coremltools package. Raises `EdgecError` E0502 if it is missing or cannot write weights."""
    logging.getLogger("coremltools").setLevel(logging.ERROR)
    noise = io.StringIO()
    try:
        with warnings.catch_warnings(), contextlib.redirect_stderr(noise), contextlib.redirect_stdout(noise):
            warnings.simplefilter("ignore")
            with _hidden(_FRONTENDS if is_own_process() else ()):
                import coremltools as ct
    except ImportError as missing:
        raise error(
            "E0502", "coremltools is not installed", notes=[str(missing)], help=["pip install 'edgec[coreml]'"]
        ) from missing
    logging.getLogger("coremltools").setLevel(logging.ERROR)
    from coremltools.converters.mil.backend.mil import load

    if getattr(load, "BlobWriter", None) is None:
        raise error(
            "E0502",
            "coremltools cannot write weight files: its native library libmilstoragepython did not load",
            help=["install a coremltools wheel built for this Python and platform; `edgec doctor` lists what it found"],
        )
    return ct
