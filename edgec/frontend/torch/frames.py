"""Classifies stack frames by the code they run: the model's, torch's, edgec's or Python's own library's."""

from __future__ import annotations

import os
from pathlib import Path
from types import FrameType

import torch

import edgec
from edgec.diag import Place

TORCH = str(Path(torch.__file__).parent)
EDGEC = str(Path(edgec.__file__).parent)
LIBRARY = str(Path(os.__file__).parent)

_SYMBOLS = f"{os.sep}site-packages{os.sep}sympy{os.sep}"
"""sympy, which torch uses to reason about sizes."""


def is_of_model(file: str) -> bool:
    """Whether the file is part of a model: the user's own code, or a package of models such as transformers."""
    return not (file.startswith(("<", TORCH, EDGEC)) or _SYMBOLS in file or is_of_library(file))


def is_of_library(file: str) -> bool:
    """Whether the file belongs to Python itself."""
    return file.startswith(LIBRARY) and "site-packages" not in file


def line_of_model(frame: FrameType | None) -> Place | None:
    """The line of the innermost frame, from this one outwards, that runs a model's code."""
    while frame is not None:
        if is_of_model(frame.f_code.co_filename):
            return Place(frame.f_code.co_filename, frame.f_lineno)
        frame = frame.f_back
    return None
