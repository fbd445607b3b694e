"""Importing coremltools, without its chatter on machines that are no Mac."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from functools import cache
from typing import Any

from edgec.diag import error


@cache
def coremltools() -> Any:
    """The coremltools package. Raises `EdgecError` E0502 when it is missing or cannot write weights."""
    logging.getLogger("coremltools").setLevel(logging.ERROR)
    noise = io.StringIO()
    try:
        with warnings.catch_warnings(), contextlib.redirect_stderr(noise), contextlib.redirect_stdout(noise):
            warnings.simplefilter("ignore")
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
            help=["install a coremltools wheel built for this Python and platform; `edgec doctor` says what is there"],
        )
    return ct
