"""Valid names in an ML Program.

Sources: apple/coremltools, mlmodel/format/MIL.proto, "Identifiers, generally used for names and keys, must match the
regular expression [A-Za-z_][A-Za-z0-9_@]*"; coremltools 9, passes/defs/preprocess.py, `NameSanitizer.reserved_names`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

RESERVED = frozenset(
    """
    any bool program func tensor list dict tuple true false string bf16 fp16 fp32 fp64 int8 int16 int32 int64 uint8
    uint16 uint32 uint64 state
    """.split()
)
"""Keywords of MIL's text syntax, which Core ML's parser treats as such (coremltools#1634)."""

IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_@]*")
"""The pattern that a whole name has to match."""
_ILLEGAL = re.compile(r"[^A-Za-z0-9_]")


def is_identifier(name: str) -> bool:
    """Whether a name is valid in a program as it is."""
    return IDENTIFIER.fullmatch(name) is not None and name not in RESERVED


def identifier_like(name: str) -> str:
    """A name as an identifier: `conv/weight:0` becomes `conv_weight_0`, `0` becomes `_0`, `tensor` becomes `tensor_`.

    Different names may become the same identifier.
    """
    if is_identifier(name):
        return name
    found = _ILLEGAL.sub("_", name)
    if not found or found[0].isdigit():
        found = f"_{found}"
    return f"{found}_" if found in RESERVED else found


class Scope:
    """The identifiers of one function, each used once."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)
        self._counts: dict[str, int] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._taken

    def keep(self, name: str) -> bool:
        """Reserve the name if it is an identifier and free; returns whether it was."""
        free = is_identifier(name) and name not in self._taken
        if free:
            self._taken.add(name)
        return free

    def new(self, name: str) -> str:
        """Reserve the name as an identifier, with the first free number appended if it is taken."""
        like = identifier_like(name)
        found, count = like, self._counts.get(like, 0)
        while found in self._taken:
            count += 1
            found = f"{like}_{count}"
        self._counts[like] = count
        self._taken.add(found)
        return found
