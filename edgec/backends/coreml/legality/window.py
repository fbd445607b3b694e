"""Writing a window of a tensor, from iOS 18 on."""

from __future__ import annotations

from edgec.backends.coreml.ops import MIL, SliceUpdate
from edgec.backends.legality import Family

FAMILIES = (Family(SliceUpdate, f"{MIL}::SliceUpdate"),)
