"""An installable package that edgec makes use of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Piece:
    """A package, the file inside it that must be there, and what it is for."""

    package: str
    module: str
    enables: str
    extra: str
    native: str = ""
