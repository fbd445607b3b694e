"""The work of MIL instructions, for latency predictors."""

from __future__ import annotations

import math

from edgec.backends.base import Instr
from edgec.backends.coreml.cost import macs
from edgec.backends.traffic import counted
from edgec.backends.work import Kind, Window, Work, kind_of

_KINDS = {
    Kind.CONV: "conv",
    Kind.TRANSPOSED: "conv_transpose",
    Kind.LINEAR: "linear",
    Kind.MATMUL: "matmul einsum scaled_dot_product_attention",
    Kind.BINARY: "add sub mul maximum minimum select prelu",
    Kind.UNARY: "relu relu6 leaky_relu abs square clip threshold cast floor ceil round sign sigmoid_hard clamped_relu "
    "thresholded_relu linear_activation scaled_tanh quantize dequantize",
    Kind.MATH: "sigmoid gelu tanh exp exp2 log sqrt rsqrt real_div silu softplus softsign erf sin cos tan pow elu "
    "inverse floor_div mod atan atanh acos asin cosh sinh softplus_parametric",
    Kind.SOFTMAX: "softmax",
    Kind.NORM: "layer_norm batch_norm instance_norm l2_norm local_response_norm",
    Kind.REDUCE: "reduce_mean reduce_sum reduce_max reduce_min reduce_prod reduce_l2_norm reduce_l1_norm "
    "reduce_sum_square reduce_log_sum_exp reduce_log_sum reduce_argmax reduce_argmin cumsum",
    Kind.POOL: "max_pool avg_pool l2_pool",
    Kind.TRANSPOSE: "transpose depth_to_space space_to_depth pixel_shuffle pixel_unshuffle reverse batch_to_space "
    "space_to_batch",
    Kind.COPY: "concat split slice_by_index slice_by_size pad stack tile slice_update crop sliding_windows band_part",
    Kind.VIEW: "reshape squeeze expand_dims flatten2d identity reshape_like",
    Kind.GATHER: "gather gather_along_axis gather_nd scatter scatter_nd scatter_along_axis topk argsort one_hot "
    "non_zero non_maximum_suppression resample",
    Kind.RESIZE: "upsample_bilinear upsample_nearest_neighbor resize_bilinear resize_nearest_neighbor resize "
    "crop_resize affine",
    Kind.RECURRENT: "lstm gru rnn while_loop cond",
    Kind.INTEGER: "less less_equal greater greater_equal equal not_equal logical_and logical_or logical_not "
    "logical_xor shape range_1d fill fill_like",
}


def work_of(instr: Instr) -> Work:
    """The kind, the counts and the window of an instruction."""
    kind = kind_of(_KINDS, instr.op)
    if instr.op == "sigmoid_hard" or instr.op.startswith("constexpr"):
        kind = Kind.UNARY if instr.op == "sigmoid_hard" else Kind.VIEW
    return counted(instr, kind, macs(instr), _window(instr))


def _window(instr: Instr) -> Window | None:
    types = {name: v.type.sizes for name, v in instr.inputs if v is not None and not isinstance(v, tuple)}
    match instr.op:
        case "conv":
            out, depth, *kernel = types["weight"]
            groups = types["x"][1] // max(depth, 1)
            return Window(max(out // groups, 1), depth, math.prod(kernel), groups, len(kernel))
        case "conv_transpose":
            depth, out, *kernel = types["weight"]
            return Window(out, depth, math.prod(kernel), 1, len(kernel))
        case "linear":
            out, depth = types["weight"]
            return Window(out, depth, space=0)
        case "matmul":
            transposed = dict(instr.attrs).get("transpose_x")
            return Window(instr.outputs[0].type.sizes[-1], types["x"][-2 if transposed else -1], space=0)
        case _:
            return None
