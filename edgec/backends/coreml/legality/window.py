"""Writing a window of a tensor (iOS 18)."""

from __future__ import annotations

from edgec.backends.coreml.ops import MIL, SliceUpdate
from edgec.backends.legality import Family

FAMILIES = (Family(SliceUpdate, f"{MIL}::SliceUpdate"),)
