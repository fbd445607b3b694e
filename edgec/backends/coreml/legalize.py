"""From the core dialect to what MIL can hold: expansions, ranks, precision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgec.backends.base import Array
from edgec.backends.control_flow import settle_branches
from edgec.backends.coreml.beyond import undeclared
from edgec.backends.coreml.channels.layout import turn_tokens
from edgec.backends.coreml.channels.maker import NAME
from edgec.backends.coreml.dialect import dialect, has_fused_attention, takes_channels
from edgec.backends.coreml.expand.attention import GroupedAttentionRepeated, UnsupportedAttentionToMatMul
from edgec.backends.coreml.expand.casts import CastOfNumbers
from edgec.backends.coreml.expand.conv import ComputedDilatedConvToConv, ComputedTransposedConvToConv
from edgec.backends.coreml.expand.empty import DropEmptyOperands
from edgec.backends.coreml.expand.gather import GatherFromStart
from edgec.backends.coreml.expand.grid_sample import UnsupportedGridSampleToGather
from edgec.backends.coreml.expand.norm import (
    GroupNormToInstanceNorm,
    LayerNormWithStatistics,
    RMSNormToLayerNorm,
    UnitNormToLayerNorm,
    WrittenNormToLayerNorm,
)
from edgec.backends.coreml.expand.pad import PadForms
from edgec.backends.coreml.expand.pool import DilatedPoolToSlices
from edgec.backends.coreml.expand.recurrent import UnsupportedRecurrentUnrolled, resets_after
from edgec.backends.coreml.expand.resize import NearestToGather, UnsupportedResizeToMatMul
from edgec.backends.coreml.expand.tokens import AttentionOnHeads, AttentionOnTokens
from edgec.backends.coreml.expand.window import WindowToSliceUpdate
from edgec.backends.coreml.integers import check_integers
from edgec.backends.coreml.islands import choose
from edgec.backends.coreml.native import NativeRule
from edgec.backends.coreml.precision import to_half
from edgec.backends.coreml.ranges import Ranges, observe
from edgec.backends.coreml.recurrence import mark_sums
from edgec.backends.coreml.scaled import scale_normalizations
from edgec.backends.coreml.states import kept_states
from edgec.backends.expand import expand_to
from edgec.backends.rank import ReduceRank
from edgec.diag import EdgecError
from edgec.ir.model import Model
from edgec.passes.constants import FoldConstants
from edgec.passes.deadcode import DeadCode
from edgec.passes.log import RewriteLog
from edgec.passes.rewrite import RewritePass
from edgec.rules.base import Rule
from edgec.rules.decompose.attention import AttentionToMatMul
from edgec.rules.decompose.bits import BitShiftToArithmetic, BitwiseToArithmetic
from edgec.rules.decompose.copied_sizes import CopiedSizes
from edgec.rules.decompose.counted_mean import CountedMean
from edgec.rules.decompose.detection import CenteredBoxesToCorners, SuppressionByClass
from edgec.rules.decompose.functions import ElementwiseFromBuiltins, WideClip
from edgec.rules.decompose.quantize import DequantizeToMul, QuantizeToClip
from edgec.rules.table import CLEANUP, EXPAND
from edgec.spec.target import Target

RULES: tuple[Rule, ...] = (
    ElementwiseFromBuiltins(("Asinh", "Acosh", "IsNaN", "IsInf")),
    QuantizeToClip(),
    DequantizeToMul(),
    BitwiseToArithmetic(widest=32),
    BitShiftToArithmetic(),
)
"""For operators that the dialect lacks."""

HALF: tuple[Rule, ...] = (
    GroupNormToInstanceNorm(),
    RMSNormToLayerNorm(),
    UnitNormToLayerNorm(),
    WrittenNormToLayerNorm(),
)
"""For float16: normalizations as one operation, inside which squares and sums do not overflow."""

CASTS: tuple[Rule, ...] = (CastOfNumbers(),)
"""Before integers are looked at: what 32 bits hold as well as 64 do."""

_HIGHEST_RANK = 5
"""Core ML's tensors end at five dimensions."""

ALWAYS: tuple[Rule, ...] = (
    WideClip(),
    CenteredBoxesToCorners(),
    SuppressionByClass(),
    CopiedSizes(),
    GatherFromStart(),
    NearestToGather(),
    UnsupportedResizeToMatMul(),
    UnsupportedGridSampleToGather(),
    LayerNormWithStatistics(),
    CountedMean(lambda op: op.ceil_mode),
    DilatedPoolToSlices(),
    ComputedTransposedConvToConv(),
    ComputedDilatedConvToConv(),
    PadForms(),
    DropEmptyOperands(),
    ReduceRank(lambda _: _HIGHEST_RANK),
)
"""For operators that the dialect has, in some forms."""


NATIVE: tuple[NativeRule, ...] = (WindowToSliceUpdate(),)
"""Towards MIL operations that ONNX has no operator for, where the dialect has them."""


def legalize(model: Model, target: Target, log: RewriteLog, samples: Sequence[Mapping[str, Array]] = ()) -> Model:
    """A copy in Core ML's dialect. Raises `EdgecError` E0412 with every operator that has no way there, E0401.

    The samples are run where integers may leave 32 bits, and for float16: what overflows or loses its digits on them
    stays in float32.
    """
    legal, allowed, is_half = model.clone(), dialect(target), target.numerics.compute == "float16"
    RewritePass("casts", [r for r in CASTS if r.name not in target.rewrites.disable]).run(legal, log)
    check_integers(legal, samples, target.ranges)
    log.told.extend(undeclared(model, target, samples))
    if is_half:
        mark_sums(legal)
    kept, half = kept_states(legal, target), HALF if is_half else ()
    expand_to(allowed, legal, target, log, (*half, *EXPAND, *RULES))
    always = (*half, *_attention_rules(target), *ALWAYS, UnsupportedRecurrentUnrolled(resets_after(target)))
    RewritePass("forms", [*(r for r in always if r.name not in target.rewrites.disable), *CLEANUP]).run(legal, log)
    FoldConstants().run(legal, log)
    DeadCode().run(legal, log)
    if outside := allowed.check(legal, "E0412"):
        raise EdgecError(outside)
    ranges = observe(legal, samples) if is_half else Ranges()  # ONNX Runtime knows ONNX's operators alone
    if is_half:
        ranges = scale_normalizations(legal, ranges, log)
    if takes_channels(target):
        ranges = _turn(legal, target, ranges, log)
    native = [r for r in NATIVE if all(op in allowed.ops for op in r.makes) and r.name not in target.rewrites.disable]
    RewritePass("native", [*native, *CLEANUP]).run(legal, log)
    if is_half:
        islands = choose(legal, target, ranges)
        log.kept_wide.extend(islands.report())
        log.fired("float32-islands", len(islands.chosen))
        to_half(legal, islands.chosen.keys(), {name for s in kept for name in (s.input, s.output)})
    settle_branches(legal, target, log)
    return legal


def _attention_rules(target: Target) -> tuple[Rule, ...]:
    """Towards attention that the target has: on tokens, the fused operation, or matrix products."""
    form = AttentionOnTokens() if takes_channels(target) else AttentionOnHeads()
    return (GroupedAttentionRepeated(), form, _unfused(target))


def _unfused(target: Target) -> Rule:
    return UnsupportedAttentionToMatMul() if has_fused_attention(target) else AttentionToMatMul()


def _turn(model: Model, target: Target, ranges: Ranges, log: RewriteLog) -> Ranges:
    """Channels-first tokens, for the neural engine; attention that did not get there goes the usual way."""
    turning = turn_tokens(model)
    log.fired(NAME, turning.operators)
    RewritePass("heads", [AttentionOnHeads(), _unfused(target), *CLEANUP]).run(model, log)
    return ranges.renamed(turning.names)
