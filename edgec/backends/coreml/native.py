"""Rules that lead to MIL operations which only newer systems have."""

from __future__ import annotations

from typing import ClassVar

from edgec.rules.base import Rule


class NativeRule(Rule):
    """A rule that applies where the dialect has every operator that it `makes` (`domain::Op`)."""

    makes: ClassVar[tuple[str, ...]]
