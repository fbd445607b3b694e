"""What another library says, as a note of ours: labelled, in one line, cut."""

from __future__ import annotations

import re

_LONGEST = 200
"""Characters of another library's words that are told."""

_NOISE = re.compile(
    r"^\[ONNXRuntimeError\] : \d+ : \w+ : |^Traceback \(most recent call last\):|^Error executing task: "
)
"""What stands before the words themselves: ONNX Runtime's kinds of errors, the head of a traceback."""


def said(by: str, words: BaseException | str) -> str:
    """`by` and the first line that it says, white space and tool prefixes removed, at most 200 characters.

    An exception without a message is told by the name of its class.
    """
    lines = [" ".join(_NOISE.sub("", line.strip()).split()) for line in str(words).splitlines()]
    first = next((line for line in lines if line), "" if isinstance(words, str) else type(words).__name__)
    return f"{by} says: {first if len(first) <= _LONGEST else first[:_LONGEST].rstrip() + ' …'}"
