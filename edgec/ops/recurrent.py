"""Views of LSTM, GRU and RNN."""

from __future__ import annotations

from dataclasses import dataclass

from edgec.ops.base import Op, Reader, Value


@dataclass(frozen=True, eq=False)
class Recurrent(Op):
    """LSTM, GRU or RNN. D is 2 when bidirectional, G gates are 4 (iofc), 3 (zrh) or 1.

    x (T, B, I) or (B, T, I) when `batch_first`; w (D, G*H, I), r (D, G*H, H), b (D, 2*G*H);
    h0 and c0 (D, B, H). Outputs: all states (T, D, B, H), last h, last c (D, B, H).
    """

    kind: str
    x: Value
    w: Value
    r: Value
    b: Value | None
    lengths: Value | None
    h0: Value | None
    c0: Value | None
    peephole: Value | None
    direction: str
    hidden: int
    activations: tuple[str, ...]
    activation_alpha: tuple[float, ...]
    activation_beta: tuple[float, ...]
    clip: float
    linear_before_reset: bool
    input_forget: bool
    batch_first: bool

    @property
    def directions(self) -> int:
        """2 when bidirectional, else 1."""
        return 2 if self.direction == "bidirectional" else 1

    @staticmethod
    def decode(r: Reader) -> Recurrent:
        kind = r.node.op_type
        direction = r.string("direction", "forward")
        count = 2 if direction == "bidirectional" else 1
        hidden = r.integer("hidden_size", 0)
        if not hidden:
            last = (r.input(2).shape or [0])[-1]
            hidden = last if isinstance(last, int) else 0
        return Recurrent(
            r.node,
            kind,
            r.input(0),
            r.input(1),
            r.input(2),
            r.optional(3),
            r.optional(4),
            r.optional(5),
            r.optional(6) if kind == "LSTM" else None,
            r.optional(7) if kind == "LSTM" else None,
            direction,
            hidden,
            r.strings("activations", _ACTIVATIONS[kind] * count),
            r.floats("activation_alpha", ()),
            r.floats("activation_beta", ()),
            r.number("clip", 0.0),
            bool(r.integer("linear_before_reset", 0)),
            bool(r.integer("input_forget", 0)),
            bool(r.integer("layout", 0)),
        )


_ACTIVATIONS = {"LSTM": ("Sigmoid", "Tanh", "Tanh"), "GRU": ("Sigmoid", "Tanh"), "RNN": ("Tanh",)}
