"""The pipeline from the core dialect to Core ML's: expansions, ranks, precision."""

from __future__ import annotations

from edgec.backends.control_flow import branches
from edgec.backends.coreml.expand.attention import GroupedAttentionRepeated
from edgec.backends.coreml.expand.casts import CastOfNumbers
from edgec.backends.coreml.expand.conv import ComputedDilatedConvToConv, ComputedTransposedConvToConv
from edgec.backends.coreml.expand.empty import DropEmptyOperands
from edgec.backends.coreml.expand.gather import GatherFromStart
from edgec.backends.coreml.expand.half import HALF_RULES
from edgec.backends.coreml.expand.norm import (
    GroupNormToInstanceNorm,
    RMSNormToLayerNorm,
    UnitNormToLayerNorm,
    WrittenNormToLayerNorm,
)
from edgec.backends.coreml.expand.pad import PadForms
from edgec.backends.coreml.expand.pool import DilatedPoolToSlices
from edgec.backends.coreml.expand.resize import NearestToGather
from edgec.backends.coreml.expand.roots import ROOT_RULES
from edgec.backends.coreml.expand.tokens import AttentionOnHeads, AttentionOnTokens
from edgec.backends.coreml.expand.window import WindowToSliceUpdate
from edgec.backends.coreml.legality.table import dialect, on_the_way, takes_channels
from edgec.backends.coreml.newer_operations import NativeRule
from edgec.backends.coreml.passes import CheckInputs, CheckStates, KeepWide, ToHalf, TurnTokens
from edgec.backends.coreml.precision.activation_scaling.scale import ScaleActivations
from edgec.backends.coreml.precision.normalization_scaling import ScaleNormalizations
from edgec.backends.coreml.precision.value_ranges import ObserveRanges
from edgec.backends.expand import expansion
from edgec.backends.legalization import CANONICAL, OnlyLegal
from edgec.backends.rank import ReduceRank
from edgec.calibration.calibration import Calibration
from edgec.passes.base import OptionalPass, Pass, Pipeline
from edgec.passes.constants import FoldConstants
from edgec.passes.deadcode import DeadCode
from edgec.passes.native_branches import SelectionsToIf
from edgec.passes.rewrite import RewritePass
from edgec.rules.base import Rule
from edgec.rules.decompose.attention import AttentionToMatMul
from edgec.rules.decompose.bits import BitShiftToArithmetic, BitwiseToArithmetic
from edgec.rules.decompose.computed_pad import ComputedPad
from edgec.rules.decompose.copied_sizes import CopiedSizes
from edgec.rules.decompose.counted_mean import CountedMean
from edgec.rules.decompose.detection import CenteredBoxesToCorners, SuppressionByClass
from edgec.rules.decompose.functions import ElementwiseFromBuiltins, WideClip
from edgec.rules.decompose.grid_sample import GridSampleToGather
from edgec.rules.decompose.normalizations import LayerNormToReduce
from edgec.rules.decompose.open_rank import OpenTransposeOfFewer
from edgec.rules.decompose.open_recurrent import OpenRecurrentToLoop
from edgec.rules.decompose.open_resize import OpenResizeToMatMul
from edgec.rules.decompose.open_triangle import OpenTriangle
from edgec.rules.decompose.quantize import DequantizeToMul, QuantizeToClip
from edgec.rules.decompose.recurrent import UnrollRecurrent
from edgec.rules.decompose.resize import ResizeToMatMul
from edgec.rules.table import CLEANUP, EXPAND
from edgec.rules.where_illegal import WhereIllegal
from edgec.spec.target import Target

RULES: tuple[Rule, ...] = (
    ElementwiseFromBuiltins(("Asinh", "Acosh", "IsNaN", "IsInf")),
    QuantizeToClip(),
    DequantizeToMul(),
    BitwiseToArithmetic(widest=32),
    BitShiftToArithmetic(),
)
"""Rules for operators that the dialect lacks."""

HALF: tuple[Rule, ...] = (
    GroupNormToInstanceNorm(),
    RMSNormToLayerNorm(),
    UnitNormToLayerNorm(),
    WrittenNormToLayerNorm(),
)
"""For float16: normalizations as single operations, inside which squares and sums do not overflow."""

CASTS: tuple[Rule, ...] = (CastOfNumbers(),)
"""Applied before integers are checked: casts whose result then fits 32 bits."""

ALWAYS: tuple[Rule, ...] = (
    WideClip(),
    CenteredBoxesToCorners(),
    SuppressionByClass(),
    CopiedSizes(),
    ComputedPad(),
    OpenTriangle(),
    GatherFromStart(),
    NearestToGather(),
    DilatedPoolToSlices(),
    ComputedTransposedConvToConv(),
    ComputedDilatedConvToConv(),
    PadForms(),
    DropEmptyOperands(),
)
"""Rules for operators that are legal in some forms only."""

ILLEGAL: tuple[Rule, ...] = (
    OpenResizeToMatMul(),
    ResizeToMatMul(),
    GridSampleToGather(),
    LayerNormToReduce(),
    CountedMean(),
    OpenRecurrentToLoop(),
    UnrollRecurrent(),
)
"""Rules for operators in any form that the target's system does not support."""


def _ranks(highest: int) -> tuple[Rule, ...]:
    """Rules that reduce the rank to `highest`."""
    return OpenTransposeOfFewer(highest), ReduceRank(lambda _: highest)


NATIVE: tuple[NativeRule, ...] = (WindowToSliceUpdate(),)
"""Rules that produce MIL operations without an ONNX counterpart, if the dialect has them."""


ATTENTION: tuple[Rule, ...] = (
    GroupedAttentionRepeated(),
    AttentionOnTokens(),
    AttentionOnHeads(),
    AttentionToMatMul(),
)
"""Forms of attention, selected by the target's system and token layout."""

OWN: tuple[Rule, ...] = (
    *CASTS,
    *HALF,
    *RULES,
    *ATTENTION,
    *ALWAYS,
    *ILLEGAL,
    *_ranks(5),
    *NATIVE,
    *ROOT_RULES,
    *HALF_RULES,
)
"""All rules of Core ML beyond those that all backends share."""

OPTIONAL: tuple[type[OptionalPass], ...] = (ScaleActivations, ScaleNormalizations, SelectionsToIf)
"""Passes that can be disabled."""


def pipeline(target: Target, calibration: Calibration) -> Pipeline:
    """The passes from the canonical form to Core ML's dialect, in the target's precision.

    The samples are run if integers may exceed 32 bits, and for float16: operators that overflow or lose digits on
    them stay in float32.
    """
    allowed, passing = dialect(target), on_the_way(target)
    half = HALF if target.numerics.compute == "float16" else ()
    lacking = [WhereIllegal(rule, allowed.illegal) for rule in ILLEGAL]
    forms = [*half, *_attention_rules(target), *ALWAYS, *lacking, *_ranks(target.limits.max_rank), *CLEANUP]
    native = [rule for rule in NATIVE if all(op in allowed.ops for op in rule.makes)]
    return Pipeline(
        "coreml",
        [
            RewritePass("casts", CASTS),
            CheckInputs(target, calibration),
            CheckStates(target),
            *expansion(passing, target, (*half, *EXPAND, *RULES)),
            RewritePass("forms", forms),
            FoldConstants(),
            DeadCode(),
            OnlyLegal(passing, target),
            *(_by_range(target, calibration) if half else ()),
            *(_channels_first(target) if takes_channels(target) else ()),
            RewritePass("native", [*native, *CLEANUP]),
            *((KeepWide(target), RewritePass("half", HALF_RULES), ToHalf(target)) if half else ()),
            *branches(target),
            OnlyLegal(allowed, target),
        ],
        target.rewrites.disable,
        CANONICAL,
    )


def _by_range(target: Target, calibration: Calibration) -> tuple[Pass, ...]:
    """Passes that choose forms accurate in float16 by the ranges observed on the samples."""
    return (
        RewritePass("roots", ROOT_RULES),
        ObserveRanges(calibration),
        ScaleActivations(target),
        ScaleNormalizations(),
    )


def _attention_rules(target: Target) -> tuple[Rule, ...]:
    """Rules that produce attention in the target's form: on tokens, the fused operation, or matrix products."""
    form = AttentionOnTokens() if takes_channels(target) else AttentionOnHeads()
    return (GroupedAttentionRepeated(), form, _unfused(target))


def _unfused(target: Target) -> Rule:
    return WhereIllegal(AttentionToMatMul(), dialect(target).illegal)


def _channels_first(target: Target) -> tuple[Pass, ...]:
    """The channels-first layout; attention that does not get it is expanded as usual."""
    return TurnTokens(), RewritePass("heads", [AttentionOnHeads(), _unfused(target), *CLEANUP])
