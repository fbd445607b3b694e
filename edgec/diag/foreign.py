"""Messages of other libraries, as notes: attributed, in one line, truncated."""

from __future__ import annotations

import re

_LONGEST = 200
"""The number of characters shown of another library's message."""

_NOISE = re.compile(
    r"^\[ONNXRuntimeError\] : \d+ : \w+ : |^Traceback \(most recent call last\):|^Error executing task: "
)
"""Prefixes that are removed: ONNX Runtime's error kinds, the header of a traceback."""


def said(by: str, words: BaseException | str) -> str:
    """`by` and the first line of its message, without white space and tool prefixes, at most 200 characters.

    For an exception without a message, the name of its class.
    """
    lines = [" ".join(_NOISE.sub("", line.strip()).split()) for line in str(words).splitlines()]
    first = next((line for line in lines if line), "" if isinstance(words, str) else type(words).__name__)
    return f"{by} says: {first if len(first) <= _LONGEST else first[:_LONGEST].rstrip() + ' …'}"
