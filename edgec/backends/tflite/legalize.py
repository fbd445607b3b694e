"""The pipeline from the core dialect to TFLite's: expansions, then layout."""

from __future__ import annotations

from edgec.backends.control_flow import branches
from edgec.backends.expand import expansion
from edgec.backends.legalization import CANONICAL, OnlyLegal
from edgec.backends.rank import ReduceRank
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
from edgec.backends.tflite.expand.writes import KnownAdditions, KnownWrites
from edgec.backends.tflite.half_precision import HalvesToSingle
from edgec.backends.tflite.interface import Interface, channels_last_names, check
from edgec.backends.tflite.layout import AssignLayouts, CountMoves
from edgec.backends.tflite.legality.image import without_kernel
from edgec.backends.tflite.legality.kernels import portable_rank
from edgec.backends.tflite.legality.table import dialect
from edgec.backends.tflite.optimize.depthwise import SplitDepthwiseWindow
from edgec.backends.tflite.optimize.linear import AddConstants, AffineIntoLinear, DivideOnce, PowToMul, ScalarIntoLinear
from edgec.backends.tflite.optimize.masks import SoftmaxWithoutNaN, WhereOfNot
from edgec.backends.tflite.optimize.movement import (
    ReshapeAfterLinear,
    SelectBeforeTranspose,
    SelectToSlice,
    ShuffleChannelsLast,
    TransposesAroundReshape,
    TransposeToReshape,
)
from edgec.backends.tflite.optimize.patches import PatchesToMatMul
from edgec.backends.tflite.optimize.resize import PointwiseBeforeResize, PointwiseOfResizes
from edgec.backends.tflite.optimize.steps import StepToReshape
from edgec.backends.tflite.optimize.volume import VolumeToPlanes
from edgec.passes.base import OptionalPass, Pipeline
from edgec.passes.constants import FoldConstants
from edgec.passes.deadcode import CommonSubexpressions, DeadCode
from edgec.passes.native_branches import SelectionsToIf
from edgec.passes.rewrite import RewritePass
from edgec.rules.base import Rule
from edgec.rules.cleanup.identity import RemoveIdentity, RemoveNoOpMovement
from edgec.rules.cleanup.movement import MergeReshapes, MergeTransposes
from edgec.rules.decompose.computed_pad import ComputedPad
from edgec.rules.decompose.copied_sizes import CopiedSizes
from edgec.rules.decompose.counted_mean import CountedMean
from edgec.rules.decompose.detection import CenteredBoxesToCorners, SuppressionByClass
from edgec.rules.decompose.functions import ElementwiseFromBuiltins, WideClip
from edgec.rules.decompose.open_recurrent import OpenRecurrentToLoop
from edgec.rules.decompose.open_resize import OpenResizeToMatMul
from edgec.rules.decompose.open_triangle import OpenTriangle
from edgec.rules.decompose.quantize import DequantizeToMul, QuantizeToClip
from edgec.rules.decompose.scatter import OpenSumsToComparison
from edgec.rules.table import EXPAND
from edgec.rules.where_illegal import WhereIllegal
from edgec.spec.target import Target

INSTEAD: tuple[Rule, ...] = (ClampedMish(), OpenRecurrentToLoop(), RecurrentToBlocks())
"""Rules that take precedence over the expansions that all backends share."""

RULES: tuple[Rule, ...] = (
    ElementwiseFromBuiltins(),
    GatherElementsToGather(),
    ScatterElementsToScatterND(),
    OpenSumsToComparison(),
    QuantizeToClip(),
    DequantizeToMul(),
    TriluToWhere(),
    OpenTriangle(),
    InverseSines(),
    LrnToPool(),
    BatchNormToSteps(),
)
"""Rules for operators that the dialect lacks."""

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
    KnownAdditions(),
    KnownWrites(),
    LastWriteWins(),
    CopiedSizes(),
    ComputedPad(),
    IndicesFromStart(),
    BatchedGatherND(),
    KnownGatherND(),
    JoinConstants(),
    ScatterByMatch(),
    PadByIndices(),
    GemmToMatMul(),
    MatMulVectors(),
    MatMulOfFewerBatches(),
    CountedMean(),
    PoolToSlices(),
    PoolByAxes(),
    DilatedTransposedConv(),
    SplitGroups(),
    OneDimensional(),
    ResizeThreeDimensions(),
    WhereIllegal(OpenResizeToMatMul(), without_kernel),
    ResizeWithoutKernel(),
    ComputeWider(),
    ReduceRank(portable_rank),
)
"""Rules for operators that are legal in some forms only, in the order of preference at a node."""


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
"""Rules that reduce the work."""

PLACE: tuple[Rule, ...] = (ShuffleChannelsLast(), VolumeToPlanes(), StepToReshape())
"""Rules whose transposes cancel with those of the layout pass."""

MOVEMENT: tuple[Rule, ...] = (
    MergeTransposes(),
    MergeReshapes(),
    TransposesAroundReshape(),
    TransposeToReshape(),
    RemoveNoOpMovement(),
    RemoveIdentity(),
)
"""Cleanup after the layout pass."""

PORTABLE: tuple[Rule, ...] = (ReduceRank(portable_rank), MergeReshapes(), RemoveNoOpMovement())
"""Rules that reduce the rank of earlier results, for runtimes that support fewer dimensions."""


OWN: tuple[Rule, ...] = (*INSTEAD, *RULES, *ALWAYS, PatchesToMatMul(), *TUNE, *PLACE)
"""All rules of TFLite beyond those that all backends share."""


OPTIONAL: tuple[type[OptionalPass], ...] = (SelectionsToIf,)
"""Passes that can be disabled."""


def pipeline(target: Target, interface: Interface) -> Pipeline:
    """The passes from the canonical form to TFLite's dialect.

    Raises `EdgecError` E0106 if the target's options do not fit the model's interface.
    """
    check(interface, target)
    last, allowed = channels_last_names(interface, target), dialect(target)
    return Pipeline(
        "tflite",
        [
            HalvesToSingle(),
            *expansion(allowed, target, (*INSTEAD, *EXPAND, *RULES)),
            RewritePass("forms", ALWAYS),
            FoldConstants(),
            CommonSubexpressions(),
            RewritePass("tune", (PatchesToMatMul(last), *TUNE)),
            *branches(target),
            RewritePass("place", PLACE),
            AssignLayouts(last),
            RewritePass("cleanup", MOVEMENT),
            RewritePass("portable", PORTABLE),
            DeadCode(),
            CountMoves(),
            OnlyLegal(allowed, target),
        ],
        target.rewrites.disable,
        CANONICAL,
    )
