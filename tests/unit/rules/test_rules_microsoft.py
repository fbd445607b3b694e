"""`com.microsoft` operators, canonicalized, compared with ONNX Runtime's own kernels."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from edgec.compiler.options import BuildOptions
from edgec.compiler.stages import prepare
from edgec.diag import EdgecError
from edgec.dialect.core import CORE
from edgec.frontend.onnx.opset import to_working_opset
from edgec.frontend.request import SourceRequest
from edgec.passes.canonicalize import canonicalize
from edgec.runners.onnxruntime import OnnxRuntimeRunner

RNG = np.random.default_rng(6)
DOMAIN = "com.microsoft"


def draw(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def byte(*shape: int) -> np.ndarray:
    return RNG.integers(0, 256, shape).astype(np.uint8)


@dataclass
class Call:
    """One node: its inputs in order (None is absent), which of them are constants, and its attributes.

    It has `outputs`, followed by `unused` ones.
    """

    op: str
    inputs: list[np.ndarray | None]
    constants: tuple[int, ...] = ()
    outputs: int = 1
    attributes: dict[str, Any] = field(default_factory=dict)
    unused: int = 0

    def model(self) -> onnx.ModelProto:
        names = ["" if v is None else f"x{i}" for i, v in enumerate(self.inputs)]
        outputs = [f"y{i}" for i in range(self.outputs)]
        left = [f"unused{i}" for i in range(self.unused)]
        node = onnx.helper.make_node(self.op, names, outputs + left, domain=DOMAIN, **self.attributes)
        kinds = [None if v is None else onnx.helper.np_dtype_to_tensor_dtype(v.dtype) for v in self.inputs]
        quantized = self.op.startswith("QLinear") or (self.op == "QGemm" and len(self.inputs) > 7)
        element = kinds[1 if self.op == "QLinearWhere" else 0] if quantized else onnx.TensorProto.FLOAT
        graph = onnx.helper.make_graph(
            [node],
            "g",
            [
                onnx.helper.make_tensor_value_info(n, k, v.shape)
                for i, (n, k, v) in enumerate(zip(names, kinds, self.inputs, strict=True))
                if v is not None and k is not None and i not in self.constants
            ],
            [onnx.helper.make_tensor_value_info(o, element, None) for o in outputs],
            [onnx.numpy_helper.from_array(self.inputs[i], names[i]) for i in self.constants],
        )
        imports = [onnx.helper.make_opsetid("", 17), onnx.helper.make_opsetid(DOMAIN, 1)]
        return onnx.helper.make_model(graph, opset_imports=imports, ir_version=8)

    def feeds(self) -> dict[str, np.ndarray]:
        given = {f"x{i}": v for i, v in enumerate(self.inputs) if v is not None}
        return {n: v for n, v in given.items() if int(n[1:]) not in self.constants}


ONE = np.asarray([1], np.int64)
SCALES = [np.asarray(s, np.float32) for s in (0.043, 0.029, 0.017)]
ZERO = np.asarray(120, np.uint8)
PACKED = [byte(6, 2, 8), np.abs(draw(6, 2)), byte(6, 1)]
CALLS = {
    "bias-gelu": Call("BiasGelu", [draw(2, 3), draw(3)]),
    "fast-gelu": Call("FastGelu", [draw(2, 3), draw(3)]),
    "quick-gelu": Call("QuickGelu", [draw(2, 3)], attributes={"alpha": 1.5}),
    "fused-matmul": Call("FusedMatMul", [draw(2, 4, 3), draw(2, 4, 5)], attributes={"transA": 1, "alpha": 0.3}),
    "fused-matmul-batches": Call("FusedMatMul", [draw(3, 2, 4), draw(2, 4, 5)], attributes={"transBatchA": 1}),
    "fused-matmul-all": Call(
        "FusedMatMul", [draw(4, 2, 3), draw(4, 2, 5)], attributes={"transBatchA": 1, "transA": 1, "transBatchB": 1}
    ),
    "fused-conv": Call(
        "FusedConv",
        [draw(1, 2, 5, 5), draw(3, 2, 3, 3), draw(3)],
        attributes={"activation": "LeakyRelu", "activation_params": [0.2], "pads": [1, 1, 1, 1]},
    ),
    "fused-conv-sum": Call(
        "FusedConv", [draw(1, 2, 5, 5), draw(3, 2, 3, 3), draw(3), draw(1, 3, 3, 3)], attributes={"activation": "Relu"}
    ),
    "skip-layer-norm": Call("SkipLayerNormalization", [draw(1, 3, 4), draw(1, 3, 4), draw(4), draw(4), draw(4)]),
    "skip-rms-norm": Call("SkipSimplifiedLayerNormalization", [draw(1, 3, 4), draw(1, 3, 4), draw(4)]),
    "attention": Call(
        "Attention", [draw(2, 5, 8), draw(8, 24), draw(24)], attributes={"num_heads": 2, "unidirectional": 1}
    ),
    "attention-mask": Call(
        "Attention",
        [draw(2, 5, 8), draw(8, 24), draw(24), np.asarray([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]], np.int32)],
        attributes={"num_heads": 2},
    ),
    "attention-lengths": Call(
        "Attention",
        [draw(2, 5, 8), draw(8, 24), draw(24), np.asarray([3, 5], np.int32)],
        attributes={"num_heads": 2},
    ),
    "attention-mask-by-query": Call(
        "Attention",
        [draw(2, 5, 8), draw(8, 24), draw(24), np.tril(np.ones((2, 5, 5), np.int32))],
        attributes={"num_heads": 2},
    ),
    "mha-mask-and-bias": Call(
        "MultiHeadAttention",
        [
            *(draw(1, 3, 8), draw(1, 4, 8), draw(1, 4, 8), None),
            np.asarray([[1, 1, 0, 1]], np.int32),
            draw(1, 4, 3, 4),
        ],
        attributes={"num_heads": 4},
    ),
    "mha": Call("MultiHeadAttention", [draw(2, 3, 8), draw(2, 5, 8), draw(2, 5, 8)], attributes={"num_heads": 2}),
    "mha-bias": Call(
        "MultiHeadAttention",
        [draw(2, 5, 8), draw(2, 5, 8), draw(2, 5, 8), draw(24), None, draw(2, 2, 5, 5)],
        attributes={"num_heads": 2, "scale": 0.3},
    ),
    "mha-mask": Call(
        "MultiHeadAttention",
        [draw(1, 3, 8), draw(1, 4, 8), draw(1, 4, 8), None, np.asarray([[1, 1, 0, 1]], np.int32)],
        attributes={"num_heads": 4},
    ),
    "mha-past": Call(
        "MultiHeadAttention",
        [draw(2, 3, 8), draw(2, 3, 8), draw(2, 3, 8), None, None, None, draw(2, 2, 4, 4), draw(2, 2, 4, 4)],
        outputs=3,
        attributes={"num_heads": 2},
    ),
    "mha-past-causal": Call(
        "MultiHeadAttention",
        [draw(2, 3, 8), draw(2, 3, 8), draw(2, 3, 8), None, None, None, draw(2, 2, 4, 4), draw(2, 2, 4, 4)],
        outputs=3,
        attributes={"num_heads": 2, "unidirectional": 1},
    ),
    "mha-step": Call(
        "MultiHeadAttention",
        [
            *(draw(2, 1, 8), draw(2, 1, 8), draw(2, 1, 8), draw(24)),
            np.asarray([[1, 1, 0, 1, 1], [1, 0, 1, 1, 1]], np.int32),
            *(draw(2, 2, 1, 5), draw(2, 2, 4, 4), draw(2, 2, 4, 4)),
        ],
        outputs=3,
        attributes={"num_heads": 2},
    ),
    "attention-past": Call(
        "Attention",
        [draw(2, 3, 8), draw(8, 24), draw(24), None, draw(2, 2, 2, 4, 4)],
        outputs=2,
        attributes={"num_heads": 2, "unidirectional": 1},
    ),
    "attention-present": Call(
        "Attention", [draw(2, 3, 8), draw(8, 24), draw(24)], outputs=2, attributes={"num_heads": 2}
    ),
    "rotary": Call("RotaryEmbedding", [draw(2, 4, 12), ONE, draw(8, 3), draw(8, 3)]),
    "rotary-interleaved": Call(
        "RotaryEmbedding",
        [draw(2, 2, 4, 6), RNG.integers(0, 8, (2, 4)), draw(8, 3), draw(8, 3)],
        attributes={"interleaved": 1},
    ),
    "qlinear-mul": Call("QLinearMul", [byte(2, 3), SCALES[0], ZERO, byte(2, 3), SCALES[1], ZERO, SCALES[2], ZERO]),
    "qlinear-sigmoid": Call("QLinearSigmoid", [byte(2, 3), SCALES[0], ZERO, SCALES[2], ZERO], (1, 2, 3, 4)),
    "qlinear-pool": Call("QLinearGlobalAveragePool", [byte(1, 3, 4, 4), SCALES[0], ZERO, SCALES[1], ZERO]),
    "qlinear-where": Call(
        "QLinearWhere",
        [byte(2, 3) > 99, byte(2, 3), SCALES[0], ZERO, byte(2, 3), SCALES[1], ZERO, SCALES[2], ZERO],
        (2, 3, 5, 6, 7, 8),
    ),
    "integers-to-float": Call(
        "MatMulIntegerToFloat",
        [byte(2, 5), byte(5, 3), SCALES[0], np.abs(draw(3)), ZERO, byte(3), draw(3)],
        (1, 2, 3, 4, 5, 6),
    ),
    "integers-to-float-plain": Call("MatMulIntegerToFloat", [byte(2, 5), byte(5, 3), SCALES[0], SCALES[1]], (1, 2, 3)),
    "dynamic-product": Call("DynamicQuantizeMatMul", [draw(2, 5), byte(5, 3), SCALES[1], ZERO, draw(3)], (1, 2, 3, 4)),
    "dynamic-product-by-column": Call(
        "DynamicQuantizeMatMul", [draw(2, 5), byte(5, 3), np.abs(draw(3)), byte(3)], (1, 2, 3)
    ),
    "qattention": Call(
        "QAttention",
        [
            byte(1, 4, 6),
            byte(6, 18).astype(np.int8),
            draw(18),
            SCALES[0],
            SCALES[2],
            None,
            ZERO,
            np.asarray(0, np.int8),
        ],
        (1, 2, 3, 4, 6, 7),
        attributes={"num_heads": 2},
    ),
    "qembed": Call(
        "QEmbedLayerNormalization",
        [
            RNG.integers(0, 5, (1, 4)).astype(np.int32),
            None,
            *(byte(5, 6), byte(4, 6), None, byte(6), byte(6)),
            None,
            *(SCALES[0], SCALES[1], None, SCALES[2], SCALES[0]),
            *(ZERO, ZERO, None, ZERO, ZERO),
        ],
        (2, 3, 5, 6, 8, 9, 11, 12, 13, 14, 16, 17),
        unused=1,
    ),
    "qgemm": Call(
        "QGemm",
        [byte(2, 5), SCALES[0], ZERO, byte(3, 5), SCALES[1], ZERO, RNG.integers(-900, 900, 3).astype(np.int32)],
        (1, 2, 4, 5, 6),
        attributes={"transB": 1, "alpha": 0.5},
    ),
    "qgemm-by-column": Call(
        "QGemm",
        [byte(2, 5), SCALES[0], ZERO, byte(5, 3), np.abs(draw(3)), byte(3), None, SCALES[2], ZERO],
        (1, 2, 3, 4, 5, 7, 8),
    ),
    "nbits": Call(
        "MatMulNBits", [draw(3, 30), *PACKED], (1, 2, 3), attributes={"K": 30, "N": 6, "bits": 4, "block_size": 16}
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_numbers(name: str) -> None:
    call = CALLS[name]
    given = ir.serde.deserialize_model(call.model())
    with OnnxRuntimeRunner(given, optimize=False) as runner:
        expected = runner.run(call.feeds())
    core = canonicalize(to_working_opset(call.model(), Path(name))).model
    assert CORE.check(core) == []
    with OnnxRuntimeRunner(core, optimize=False) as runner:
        found = runner.run(call.feeds())
    for output, array in expected.items():
        slack = 1 if array.dtype.kind == "u" else 0  # the kernels round products of scales, not quotients
        np.testing.assert_allclose(found[output].astype(float), array.astype(float), rtol=1e-4, atol=1e-5 + slack)


@pytest.mark.parametrize("op", ["LayerNormalization", "SimplifiedLayerNormalization"])
def test_what_onnx_runtime_keeps_in_the_default_domain_is_read(op: str, tmp_path: Path) -> None:
    """Its optimizers write these into files of any opset, which are invalid for onnx's checker."""
    inputs = ["x", "s"] + ["b"] * (op == "LayerNormalization")
    weights = [onnx.numpy_helper.from_array(draw(4), name) for name in ("s", "b")[: len(inputs) - 1]]
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node(op, inputs, ["y"], axis=-1, epsilon=1e-5)],
        "g",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, (2, 3, 4))],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, (2, 3, 4))],
        weights,
    )
    path = tmp_path / "optimized.onnx"
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8), path)
    found = prepare(SourceRequest(str(path)), BuildOptions(), lambda step: None)
    assert CORE.check(found.model) == []


def test_types_behind_a_foreign_operator_are_known_in_one_sweep() -> None:
    """Twelve layers, each of which needs the shapes computed by the one before."""
    nodes, x = [], "x"
    for i in range(12):
        nodes.append(onnx.helper.make_node("MultiHeadAttention", [x] * 3, [f"a{i}"], domain=DOMAIN, num_heads=2))
        nodes.append(
            onnx.helper.make_node("SkipSimplifiedLayerNormalization", [x, f"a{i}", "s"], [f"n{i}"], domain=DOMAIN)
        )
        x = f"n{i}"
    graph = onnx.helper.make_graph(
        nodes,
        "g",
        [onnx.helper.make_tensor_value_info("x", 1, [1, 3, 4])],
        [onnx.helper.make_tensor_value_info(x, 1, None)],
        [onnx.numpy_helper.from_array(np.ones(4, np.float32), "s")],
    )
    imports = [onnx.helper.make_opsetid("", 17), onnx.helper.make_opsetid(DOMAIN, 1)]
    proto = onnx.helper.make_model(graph, opset_imports=imports, ir_version=8)
    core = canonicalize(to_working_opset(proto, Path("chain"))).model
    assert [node.op_type for node in core.graph].count("Attention") == 12


def compared(text: str, feeds: dict[str, np.ndarray]) -> None:
    """Asserts that the canonical graph has ONNX Runtime's results for the source."""
    source = onnx.parser.parse_model(text)
    with OnnxRuntimeRunner(ir.serde.deserialize_model(source), optimize=False) as runner:
        expected = runner.run(feeds)["y"]
    model = canonicalize(to_working_opset(source, Path("m.onnx"))).model
    with OnnxRuntimeRunner(model) as runner:
        np.testing.assert_allclose(runner.run(feeds)["y"], expected, rtol=1e-5, atol=1e-6)


def test_embedding_hands_its_mask_on() -> None:
    text = """<ir_version: 8, opset_import: ["" : 17, "com.microsoft" : 1]>
        g (int32[2,4] ids, int32[2,4] mask, float[9,6] w, float[4,6] p, float[6] s, float[6,18] v, float[18] c)
        => (float[2,4,6] y) {
            e, m = com.microsoft.EmbedLayerNormalization (ids, , w, p, , s, s, mask)
            y = com.microsoft.Attention <num_heads: int = 2> (e, v, c, m)
        }"""
    floats = {n: draw(*s) for n, s in {"w": (9, 6), "p": (4, 6), "s": (6,), "v": (6, 18), "c": (18,)}.items()}
    ids = RNG.integers(0, 9, (2, 4)).astype(np.int32)
    compared(text, {"ids": ids, "mask": np.asarray([[1, 1, 0, 0], [1, 1, 1, 1]], np.int32), **floats})


def test_types_reach_what_lies_behind_several_contributed_operators() -> None:
    text = """<ir_version: 8, opset_import: ["" : 17, "com.microsoft" : 1]>
        g (float[1,4,6] x, float[6] b, uint8[6,18] w, float[18] c, uint8[6,6] v) => (float[1,4,6] y)
        <float s = {0.1}, uint8 p = {120}> {
            a = com.microsoft.BiasGelu (x, b)
            q, t, z = DynamicQuantizeLinear (a)
            d = com.microsoft.QAttention <num_heads: int = 2> (q, w, c, t, s, , z, p)
            e = com.microsoft.BiasGelu (d, b)
            y = com.microsoft.DynamicQuantizeMatMul (e, v, s, p)
        }"""
    compared(text, {"x": draw(1, 4, 6), "b": draw(6), "w": byte(6, 18), "c": draw(18), "v": byte(6, 6)})


def test_a_mask_that_does_not_hide_is_refused() -> None:
    mask = np.asarray([[1, 1, 0, 1]], np.int32)
    call = Call(
        "MultiHeadAttention",
        [draw(1, 3, 8), draw(1, 4, 8), draw(1, 4, 8), None, mask],
        attributes={"num_heads": 2, "mask_filter_value": -5.0},
    )
    with pytest.raises(EdgecError, match="MultiHeadAttention"):
        canonicalize(to_working_opset(call.model(), Path("m.onnx")))
