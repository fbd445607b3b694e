"""Rules that produce MIL operations of newer systems."""

from __future__ import annotations

from typing import ClassVar

from edgec.rules.base import Rule


class NativeRule(Rule):
    """A rule that applies if the dialect has every operator that it `makes` (`domain::Op`)."""

    makes: ClassVar[tuple[str, ...]]
