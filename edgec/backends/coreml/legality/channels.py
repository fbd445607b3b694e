"""Channels-first tokens: normalization of the channels and products over them."""

from __future__ import annotations

from edgec.backends.coreml.ops import MIL, ChannelNormalization, ChannelProduct
from edgec.backends.legality import Family

FAMILIES = (
    Family(ChannelNormalization, f"{MIL}::LayerNormalization"),
    Family(ChannelProduct, f"{MIL}::Einsum"),
)
