"""All rules, in the order in which they are tried. Their names are used on the command line and in manifests."""

from __future__ import annotations

from edgec.rules.base import Rule
from edgec.rules.cleanup.casts import MergeCasts, TakeConstantSide
from edgec.rules.cleanup.commute import CancelReshapes, CancelTransposes
from edgec.rules.cleanup.identity import RemoveIdentity, RemoveNeutralOperand, RemoveNoOpMovement, RemoveSameCast
from edgec.rules.cleanup.movement import (
    CanonicalReshape,
    MergeReshapes,
    MergeTransposes,
    ReshapeThroughUnits,
    TransposeInBatches,
)
from edgec.rules.cleanup.reductions import CanonicalReduction, KeepReducedAxes, SumToMean
from edgec.rules.decompose.activations import (
    CeluToElu,
    GeluToErf,
    HardSwishToHardSigmoidMul,
    MishToSoftplusTanh,
    SeluToElu,
    ShrinkToWhere,
    SwishToSigmoidMul,
    ThresholdedReluToWhere,
)
from edgec.rules.decompose.affine_grid import AffineGridToMatMul
from edgec.rules.decompose.attention import AttentionToMatMul
from edgec.rules.decompose.einsum import EinsumToMatMul
from edgec.rules.decompose.grid_sample import GridSampleToGather
from edgec.rules.decompose.integer import IntegerProductToFloat, QLinearConvToFloat, QLinearMatMulToFloat
from edgec.rules.decompose.learning import LEARNING
from edgec.rules.decompose.microsoft.attention import (
    MicrosoftAttentionToAttention,
    MicrosoftRotaryToOnnx,
    MultiHeadAttentionToAttention,
)
from edgec.rules.decompose.microsoft.dynamic import IntegerProductInFloat, QuantizedToFloatLayer
from edgec.rules.decompose.microsoft.elementwise import (
    FusedActivation,
    FusedMatMulToMatMul,
    MicrosoftGelu,
    MicrosoftToOnnx,
)
from edgec.rules.decompose.microsoft.normalization import (
    EmbedLayerNormToGather,
    SimplifiedLayerNormToRmsNorm,
    SkipNormToNorm,
)
from edgec.rules.decompose.microsoft.quantized import (
    MatMulNBitsToMatMul,
    QGemmToFloat,
    QLinearConcatToFloat,
    QLinearToFloat,
    QLinearWhereToFloat,
)
from edgec.rules.decompose.narrow_integers import NarrowInInt32, NarrowPowToMul
from edgec.rules.decompose.normalizations import GroupNormToReduce, LayerNormToReduce, RMSNormToReduce
from edgec.rules.decompose.recurrent import RecurrentToSequenceFirst, UnrollRecurrent
from edgec.rules.decompose.reductions import (
    ComposedReduction,
    GlobalPoolToReduce,
    LpNormalizationToReduce,
    LpPoolToAveragePool,
    VariadicToBinary,
)
from edgec.rules.decompose.same_padding import SamePadding
from edgec.rules.decompose.scatter import (
    CompressToGather,
    CumProdToMul,
    DetToProducts,
    DropoutToIdentity,
    TensorScatterToScatterElements,
)
from edgec.rules.decompose.signal import DftToMatMul, StftToConv
from edgec.rules.decompose.spatial import (
    Col2ImToConvTranspose,
    DeformConvToMatMul,
    MaxUnpoolToScatter,
    RoiAlignToMatMul,
)
from edgec.rules.decompose.tensors import (
    CastLikeToCast,
    EyeLikeToConstant,
    FlattenToReshape,
    HardmaxToOneHot,
    MeanVarianceToReduce,
)
from edgec.rules.decompose.unique import UniqueToNonZero
from edgec.rules.decompose.window import WindowWriteToWhere
from edgec.rules.fuse.attention import RecognizeAttention
from edgec.rules.fuse.batch_norm import BatchNormToMulAdd, FoldAddIntoLinear, FoldBatchNorm, FoldMulIntoLinear
from edgec.rules.fuse.composite_functions import MatMulAddToGemm, RecognizeGelu, RecognizeHardSwish, RecognizeMish
from edgec.rules.fuse.constants import (
    ColumnsBeforeReshape,
    FoldMulIntoMatMul,
    MergeConstantOperands,
    RemoveBroadcastExpand,
)
from edgec.rules.fuse.grouped_attention import RecognizeGroupedAttention
from edgec.rules.fuse.normalization import RecognizeLayerNorm, RecognizeRMSNorm, RecognizeTanhGelu
from edgec.rules.fuse.padding import FoldPad

QOPERATOR: tuple[Rule, ...] = (
    QLinearMatMulToFloat(),
    QLinearConvToFloat(),
    QLinearToFloat(),
    QLinearConcatToFloat(),
    QLinearWhereToFloat(),
    QGemmToFloat(),
)
"""Operators on quantized values -> float operators between DequantizeLinear and QuantizeLinear."""

DECOMPOSE: tuple[Rule, ...] = (
    SamePadding(),
    CastLikeToCast(),
    NarrowInInt32(),
    NarrowPowToMul(),
    EinsumToMatMul(),
    AffineGridToMatMul(),
    FlattenToReshape(),
    HardmaxToOneHot(),
    EyeLikeToConstant(),
    MeanVarianceToReduce(),
    SwishToSigmoidMul(),
    CeluToElu(),
    SeluToElu(),
    ThresholdedReluToWhere(),
    ShrinkToWhere(),
    GlobalPoolToReduce(),
    ComposedReduction(),
    VariadicToBinary(),
    LpNormalizationToReduce(),
    LpPoolToAveragePool(),
    RecurrentToSequenceFirst(),
    DropoutToIdentity(),
    *QOPERATOR,
    IntegerProductToFloat(),
    IntegerProductInFloat(),
    QuantizedToFloatLayer(),
    DftToMatMul(),
    StftToConv(),
    Col2ImToConvTranspose(),
    MaxUnpoolToScatter(),
    RoiAlignToMatMul(),
    DeformConvToMatMul(),
    CompressToGather(),
    UniqueToNonZero(),
    TensorScatterToScatterElements(),
    WindowWriteToWhere(),
    CumProdToMul(),
    DetToProducts(),
    *LEARNING,
    MicrosoftGelu(),
    MicrosoftToOnnx(),
    FusedMatMulToMatMul(),
    FusedActivation(),
    SimplifiedLayerNormToRmsNorm(),
    SkipNormToNorm(),
    EmbedLayerNormToGather(),
    MultiHeadAttentionToAttention(),
    MicrosoftAttentionToAttention(),
    MicrosoftRotaryToOnnx(),
    MatMulNBitsToMatMul(),
)
"""Decompositions into the core dialect."""

CLEANUP: tuple[Rule, ...] = (
    RemoveIdentity(),
    RemoveSameCast(),
    RemoveNoOpMovement(),
    RemoveNeutralOperand(),
    MergeTransposes(),
    MergeReshapes(),
    ReshapeThroughUnits(),
    TransposeInBatches(),
    CanonicalReshape(),
    MergeCasts(),
    TakeConstantSide(),
    CancelTransposes(),
    CancelReshapes(),
    CanonicalReduction(),
    KeepReducedAxes(),
    SumToMean(),
)
"""Simplifications, for every target."""

FUSE: tuple[Rule, ...] = (
    FoldPad(),
    ColumnsBeforeReshape(),
    FoldMulIntoMatMul(),
    MergeConstantOperands(),
    RemoveBroadcastExpand(),
    RecognizeLayerNorm(),
    RecognizeRMSNorm(),
    RecognizeTanhGelu(),
    FoldBatchNorm(),
    BatchNormToMulAdd(),
    FoldMulIntoLinear(),
    FoldAddIntoLinear(),
    RecognizeGelu(),
    RecognizeHardSwish(),
    RecognizeMish(),
    RecognizeAttention(),
    RecognizeGroupedAttention(),
    MatMulAddToGemm(),
)
"""Fusions into fewer, larger operators, for every target."""

EXPAND: tuple[Rule, ...] = (
    HardSwishToHardSigmoidMul(),
    MishToSoftplusTanh(),
    GeluToErf(),
    AttentionToMatMul(),
    RMSNormToReduce(),
    LayerNormToReduce(),
    GroupNormToReduce(),
    GridSampleToGather(),
    UnrollRecurrent(),
)
"""Expansions for targets that lack the operator: by a backend's legalization, or `--enable`."""

RULES: dict[str, Rule] = {rule.name: rule for rule in (*DECOMPOSE, *CLEANUP, *FUSE, *EXPAND)}
