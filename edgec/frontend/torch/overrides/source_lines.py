"""Records the lines of functions that a forward calls: torch records only those of methods called `forward`."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from edgec.frontend.torch.frames import is_of_model
from edgec.frontend.torch.patches import patched


@contextmanager
def lines_of_helpers() -> Iterator[None]:
    """While active, a traced operator records every line of the model that led to it, the innermost last."""
    with patched() as patches:
        patches.replace("torch.fx.proxy.TracerBase._filter_traceback_frames", _lines_of_model)
        yield


def _lines_of_model(tracer: Any, stack: traceback.StackSummary) -> traceback.StackSummary:
    """The stack from the first `forward` on: its callers are not part of the model."""
    names = [frame.name for frame in stack]
    inside = list(stack)[names.index("forward") :] if "forward" in names else []
    kept = [frame for frame in inside if frame.name == "forward" or is_of_model(frame.filename)]
    return traceback.StackSummary.from_list(kept)
