"""What a name may be in an ML Program.

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
"""Words of MIL's text syntax, which Core ML's parser takes for what they mean there (coremltools#1634)."""

IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_@]*")
"""What a name has to match as a whole."""
_ILLEGAL = re.compile(r"[^A-Za-z0-9_]")


def is_identifier(name: str) -> bool:
    """Whether a name may stand in a program as it is."""
    return IDENTIFIER.fullmatch(name) is not None and name not in RESERVED


def identifier_like(name: str) -> str:
    """The identifier that a name becomes: `conv/weight:0` is `conv_weight_0`, `0` is `_0`, `tensor` is `tensor_`.

    Two names may become one.
    """
    if is_identifier(name):
        return name
    found = _ILLEGAL.sub("_", name)
    if not found or found[0].isdigit():
        found = f"_{found}"
    return f"{found}_" if found in RESERVED else found


class Scope:
    """The identifiers of one function: each is given once."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)
        self._counts: dict[str, int] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._taken

    def keep(self, name: str) -> bool:
        """Take the name as it is, if it is an identifier and free."""
        free = is_identifier(name) and name not in self._taken
        if free:
            self._taken.add(name)
        return free

    def new(self, name: str) -> str:
        """The identifier that a name becomes, with the first free number behind it where it is taken."""
        like = identifier_like(name)
        found, count = like, self._counts.get(like, 0)
        while found in self._taken:
            count += 1
            found = f"{like}_{count}"
        self._counts[like] = count
        self._taken.add(found)
        return found
