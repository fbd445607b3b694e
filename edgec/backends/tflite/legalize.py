"""From the core dialect to what TFLite can hold: expansions, then layout."""

from __future__ import annotations

from edgec.backends.control_flow import settle_branches
from edgec.backends.expand import expand_to
from edgec.backends.rank import ReduceRank
from edgec.backends.tflite.dialect import TFLITE_DIALECT
from edgec.backends.tflite.expand.arithmetic import (
    BitwiseFromKernels,
    BroadcastSlope,
    EluFromUnit,
    ExtremesOfNaN,
    IntegerFunctions,
    IntegerMatMul,
    TruncatedMod,
)
from edgec.backends.tflite.expand.conv import DilatedTransposedConv, SplitGroups
from edgec.backends.tflite.expand.division import WideDivision
from edgec.backends.tflite.expand.functions import (
    BatchNormToSteps,
    ClampedMish,
    EmptyReduction,
    InverseSines,
    LrnToPool,
)
from edgec.backends.tflite.expand.gathering import KnownGatherND
from edgec.backends.tflite.expand.indexing import (
    BatchedGatherND,
    GatherElementsToGather,
    IndicesFromStart,
    ScatterElementsToScatterND,
)
from edgec.backends.tflite.expand.joining import JoinConstants
from edgec.backends.tflite.expand.linear import GemmToMatMul, MatMulOfFewerBatches, MatMulVectors
from edgec.backends.tflite.expand.narrow import NarrowIntegers
from edgec.backends.tflite.expand.padding import PadByIndices, TriluToWhere
from edgec.backends.tflite.expand.pool import PoolByAxes, PoolToSlices
from edgec.backends.tflite.expand.recurrent import RecurrentToBlocks
from edgec.backends.tflite.expand.resize import ResizeThreeDimensions, ResizeWithoutKernel
from edgec.backends.tflite.expand.scatter import LastWriteWins, ScatterByMatch
from edgec.backends.tflite.expand.sorting import LastArgument, SmallestByLargest, WideArgument
from edgec.backends.tflite.expand.spatial import OneDimensional
from edgec.backends.tflite.expand.types import ComputeWider
from edgec.backends.tflite.halves import halves_to_single
from edgec.backends.tflite.interface import channels_last_names, check, interface_of
from edgec.backends.tflite.layout import assign_layouts, count_transposes
from edgec.backends.tflite.tune.depthwise import SplitDepthwiseWindow
from edgec.backends.tflite.tune.linear import AddConstants, AffineIntoLinear, DivideOnce, PowToMul, ScalarIntoLinear
from edgec.backends.tflite.tune.masks import SoftmaxWithoutNaN, WhereOfNot
from edgec.backends.tflite.tune.movement import (
    ReshapeAfterLinear,
    SelectBeforeTranspose,
    SelectToSlice,
    ShuffleChannelsLast,
    TransposesAroundReshape,
    TransposeToReshape,
)
from edgec.backends.tflite.tune.patches import PatchesToMatMul
from edgec.backends.tflite.tune.resize import PointwiseBeforeResize, PointwiseOfResizes
from edgec.backends.tflite.tune.steps import StepToReshape
from edgec.backends.tflite.tune.volume import VolumeToPlanes
from edgec.backends.tflite.types import portable_rank
from edgec.diag import EdgecError
from edgec.ir.model import Model
from edgec.passes.constants import FoldConstants
from edgec.passes.deadcode import CommonSubexpressions, DeadCode
from edgec.passes.log import LayoutMoves, RewriteLog
from edgec.passes.rewrite import RewritePass
from edgec.rules.base import Rule
from edgec.rules.cleanup.identity import RemoveIdentity, RemoveNoOpMovement
from edgec.rules.cleanup.movement import MergeReshapes, MergeTransposes
from edgec.rules.decompose.copied_sizes import CopiedSizes
from edgec.rules.decompose.counted_mean import CountedMean
from edgec.rules.decompose.detection import CenteredBoxesToCorners, SuppressionByClass
from edgec.rules.decompose.functions import ElementwiseFromBuiltins, WideClip
from edgec.rules.decompose.quantize import DequantizeToMul, QuantizeToClip
from edgec.rules.table import EXPAND
from edgec.spec.target import Target

INSTEAD: tuple[Rule, ...] = (ClampedMish(), RecurrentToBlocks())
"""Preferred to the expansions that all backends share."""

RULES: tuple[Rule, ...] = (
    ElementwiseFromBuiltins(),
    GatherElementsToGather(),
    ScatterElementsToScatterND(),
    QuantizeToClip(),
    DequantizeToMul(),
    TriluToWhere(),
    InverseSines(),
    LrnToPool(),
    BatchNormToSteps(),
)
"""For operators that the dialect lacks."""

ALWAYS: tuple[Rule, ...] = (
    EmptyReduction(),
    CenteredBoxesToCorners(),
    SuppressionByClass(),
    WideClip(),
    TruncatedMod(),
    EluFromUnit(),
    ExtremesOfNaN(),
    NarrowIntegers(),
    IntegerFunctions(),
    IntegerMatMul(),
    WideDivision(),
    BitwiseFromKernels(),
    BroadcastSlope(),
    LastArgument(),
    WideArgument(),
    SmallestByLargest(),
    LastWriteWins(),
    CopiedSizes(),
    IndicesFromStart(),
    BatchedGatherND(),
    KnownGatherND(),
    JoinConstants(),
    ScatterByMatch(),
    PadByIndices(),
    GemmToMatMul(),
    MatMulVectors(),
    MatMulOfFewerBatches(),
    CountedMean(lambda op: op.ceil_mode or op.window.has_padding),
    PoolToSlices(),
    PoolByAxes(),
    DilatedTransposedConv(),
    SplitGroups(),
    OneDimensional(),
    ResizeThreeDimensions(),
    ResizeWithoutKernel(),
    ComputeWider(),
    ReduceRank(portable_rank),
)
"""For operators that the dialect has, in some forms. The order is that of preference at one node."""


TUNE: tuple[Rule, ...] = (
    AddConstants(),
    AffineIntoLinear(),
    ScalarIntoLinear(),
    DivideOnce(),
    PowToMul(),
    PointwiseOfResizes(),
    PointwiseBeforeResize(),
    SplitDepthwiseWindow(),
    WhereOfNot(),
    SoftmaxWithoutNaN(),
    StepToReshape(),
    SelectBeforeTranspose(),
    SelectToSlice(),
    ReshapeAfterLinear(),
    MergeTransposes(),
    MergeReshapes(),
    TransposesAroundReshape(),
    TransposeToReshape(),
    RemoveNoOpMovement(),
    RemoveIdentity(),
)
"""The same function for less work."""

PLACE: tuple[Rule, ...] = (ShuffleChannelsLast(), VolumeToPlanes(), StepToReshape())
"""Forms whose own transposes meet those of the layout pass and cancel there."""

MOVEMENT: tuple[Rule, ...] = (
    MergeTransposes(),
    MergeReshapes(),
    TransposesAroundReshape(),
    TransposeToReshape(),
    RemoveNoOpMovement(),
    RemoveIdentity(),
)
"""What the layout pass leaves to be tidied up."""


def legalize(model: Model, target: Target, log: RewriteLog) -> Model:
    """A copy in TFLite's dialect.

    Raises `EdgecError` E0412 with every operator that has no way there, E0106 where the target's options do not fit.
    """
    legal, interface = model.clone(), interface_of(model)
    check(interface, target)
    halves_to_single(legal, log)
    expand_to(TFLITE_DIALECT, legal, target, log, (*INSTEAD, *EXPAND, *RULES))
    RewritePass("forms", [r for r in ALWAYS if r.name not in target.rewrites.disable]).run(legal, log)
    FoldConstants().run(legal, log)
    CommonSubexpressions().run(legal, log)
    last = channels_last_names(interface, target)
    tune = (PatchesToMatMul(last), *TUNE)
    RewritePass("tune", [r for r in tune if r.name not in target.rewrites.disable]).run(legal, log)
    settle_branches(legal, target, log)
    RewritePass("place", [r for r in PLACE if r.name not in target.rewrites.disable]).run(legal, log)
    report = assign_layouts(legal, last)
    RewritePass("cleanup", [r for r in MOVEMENT if r.name not in target.rewrites.disable]).run(legal, log)
    DeadCode().run(legal, log)
    log.layout = LayoutMoves(*count_transposes(legal), report.bound_bytes)
    if outside := TFLITE_DIALECT.check(legal, "E0412"):
        raise EdgecError(outside)
    return legal
