"""Operators of the `ai.onnx.ml` domain, to which scikit-learn's pipelines are converted, as tensor operators."""

from __future__ import annotations

from edgec.rules.base import Rule
from edgec.rules.decompose.learning.linear import LinearClassifierToMatMul, LinearRegressorToMatMul
from edgec.rules.decompose.learning.preprocessing import (
    BinarizerToGreater,
    FeatureExtractorToGather,
    FeatureVectorizerToConcat,
    ImputerToWhere,
    LabelEncoderToGather,
    NormalizerToDiv,
    OneHotEncoderToEqual,
    ScalerToMul,
)
from edgec.rules.decompose.learning.trees import TreeClassifierToGather, TreeRegressorToGather
from edgec.rules.decompose.learning.vectors import SvmClassifierToKernel, SvmRegressorToKernel

LEARNING: tuple[Rule, ...] = (
    ScalerToMul(),
    NormalizerToDiv(),
    ImputerToWhere(),
    BinarizerToGreater(),
    FeatureExtractorToGather(),
    FeatureVectorizerToConcat(),
    LabelEncoderToGather(),
    OneHotEncoderToEqual(),
    LinearRegressorToMatMul(),
    LinearClassifierToMatMul(),
    TreeRegressorToGather(),
    TreeClassifierToGather(),
    SvmRegressorToKernel(),
    SvmClassifierToKernel(),
)
"""The rules of this domain, in the order in which they are applied."""
