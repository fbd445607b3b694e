"""The one document that `--json` puts on stdout: whatever else is printed meanwhile goes to stderr."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

_streams: list[TextIO] = []


@contextmanager
def document_alone() -> Iterator[None]:
    """While active, stdout is stderr, also for libraries that write to the descriptor: a model's code may print."""
    before, kept = sys.stdout, None
    before.flush()
    if _descriptor(before) == 1:
        kept = os.dup(1)
        os.dup2(2, 1)
        _streams.append(os.fdopen(kept, "w", encoding="utf-8", closefd=False))
    else:
        _streams.append(before)
    sys.stdout = sys.stderr
    try:
        yield
    finally:
        sys.stdout = before
        _streams.pop().flush()
        if kept is not None:
            os.dup2(kept, 1)
            os.close(kept)


def print_json(document: dict[str, Any]) -> None:
    """Print the document."""
    print(json.dumps(document, indent=1), file=_streams[-1] if _streams else sys.stdout, flush=True)


def _descriptor(stream: TextIO) -> int | None:
    try:
        return stream.fileno()
    except (OSError, ValueError, AttributeError):  # a stream of a test or of a notebook
        return None
