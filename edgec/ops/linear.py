"""Views of matrix products and attention."""

from __future__ import annotations

from dataclasses import dataclass

from edgec.ops.base import Op, Reader, Value


@dataclass(frozen=True, eq=False)
class MatMul(Op):
    """numpy.matmul: (…, M, K) x (…, K, N) -> (…, M, N), batch dimensions broadcast; rank 1 as in numpy."""

    a: Value
    b: Value

    @staticmethod
    def decode(r: Reader) -> MatMul:
        return MatMul(r.node, r.input(0), r.input(1))


@dataclass(frozen=True, eq=False)
class Gemm(Op):
    """`y = alpha * A' B' + beta * C` on matrices; C broadcasts to (M, N)."""

    a: Value
    b: Value
    c: Value | None
    alpha: float
    beta: float
    trans_a: bool
    trans_b: bool

    @staticmethod
    def decode(r: Reader) -> Gemm:
        return Gemm(
            r.node,
            r.input(0),
            r.input(1),
            r.optional(2),
            r.number("alpha", 1.0),
            r.number("beta", 1.0),
            bool(r.integer("transA", 0)),
            bool(r.integer("transB", 0)),
        )


@dataclass(frozen=True, eq=False)
class Attention(Op):
    """Scaled dot-product attention (ONNX Attention, opset 23).

    4-D: q (B, Hq, S, E), k (B, Hkv, T, E), v (B, Hkv, T, Ev) -> y (B, Hq, S, Ev). 3-D inputs are
    (B, S, H*E) with `q_heads` and `kv_heads` given. Hq is a multiple of Hkv (grouped queries).
    `scale` None means 1/sqrt(E). `mask` is added to the scores, or keeps where it is true.
    """

    q: Value
    k: Value
    v: Value
    mask: Value | None
    past_key: Value | None
    past_value: Value | None
    causal: bool
    scale: float | None
    softcap: float
    q_heads: int
    kv_heads: int

    @staticmethod
    def decode(r: Reader) -> Attention:
        scale = r.number("scale", 0.0) if r.has("scale") else None
        return Attention(
            r.node,
            r.input(0),
            r.input(1),
            r.input(2),
            r.optional(3),
            r.optional(4),
            r.optional(5),
            bool(r.integer("is_causal", 0)),
            scale,
            r.number("softcap", 0.0),
            r.integer("q_num_heads", 0),
            r.integer("kv_num_heads", 0),
        )


@dataclass(frozen=True, eq=False)
class Einsum(Op):
    """Einstein summation; does not occur in canonical graphs."""

    equation: str
    xs: tuple[Value, ...]

    @staticmethod
    def decode(r: Reader) -> Einsum:
        return Einsum(r.node, r.string("equation", ""), r.variadic())
