"""Every field of the messages that describe an ML Program, and the requirements in its comments.

The messages are those of apple/coremltools, mlmodel/format: MIL.proto, FeatureTypes.proto, and the part of Model.proto
that ML Programs use. A test lists coremltools' own descriptors and fails for a field that is missing here.
"""

from __future__ import annotations

from collections.abc import Mapping

_DEMANDED = {
    "program-version": "Program.version",
    "name-identifier": """
        Program.functions Function.inputs Block.inputs Operation.outputs NamedValueType.name FeatureDescription.name
        FunctionDescription.name
    """,
    "name-unique": "Program.functions Operation.outputs",
    "name-defined": "Block.outputs Block.operations Argument.Binding.name",
    "attribute-identifier": """
        Program.attributes Function.attributes Function.block_specializations Block.attributes Operation.attributes
        TensorType.attributes
    """,
    "operation-name": "Operation.attributes",
    "opset-block": "Function.opset",
    "opset-known": "Function.opset",
    "specializations": "Function.block_specializations",
    "image-program": "Function.inputs FeatureType.imageType ImageFeatureType.colorSpace",
    "operation-known": "Operation.type",
    "parameter-known": "Operation.inputs",
    "parameter-required": "Operation.inputs",
    "parameter-constant": "Argument.Binding.value",
    "argument-number": "Argument.arguments",
    "operation-blocks": "Operation.blocks",
    "type-known": """
        NamedValueType.type ValueType.tensorType ValueType.listType ValueType.tupleType ValueType.dictionaryType
        TensorType.dataType TupleType.types ListType.type DictionaryType.keyType DictionaryType.valueType Value.type
        Value.ImmediateValue.tuple Value.ImmediateValue.list Value.ImmediateValue.dictionary TupleValue.values
        ListValue.values DictionaryValue.values DictionaryValue.KeyValuePair.key DictionaryValue.KeyValuePair.value
    """,
    "type-rank": "TensorType.rank TensorType.dimensions",
    "state-use": "ValueType.stateType",
    "state-type": "StateType.wrappedType",
    "value-shape": "Dimension.constant Dimension.unknown Dimension.UnknownDimension.variadic",
    "value-field": """
        Value.immediateValue Value.ImmediateValue.tensor TensorValue.floats TensorValue.ints TensorValue.bools
        TensorValue.strings TensorValue.longInts TensorValue.doubles TensorValue.bytes
    """,
    "value-elements": """
        Dimension.ConstantDimension.size TensorValue.RepeatedFloats.values TensorValue.RepeatedDoubles.values
        TensorValue.RepeatedInts.values TensorValue.RepeatedLongInts.values TensorValue.RepeatedBools.values
        TensorValue.RepeatedStrings.values TensorValue.RepeatedBytes.values
    """,
    "weight-file": "Value.blobFileValue Value.BlobFileValue.fileName",
    "weight-sentinel": "Value.BlobFileValue.offset",
    "flexible-order": "SizeRange.lowerBound",
    "flexible-end": "SizeRange.upperBound",
    "flexible-default": """
        ArrayFeatureType.shape ArrayFeatureType.shapeRange ImageFeatureType.imageSizeRange
        ImageFeatureType.ImageSizeRange.widthRange ImageFeatureType.ImageSizeRange.heightRange
    """,
    "flexible-rank": "ArrayFeatureType.ShapeRange.sizeRanges",
    "flexible-listed-default": """
        ArrayFeatureType.shape ArrayFeatureType.enumeratedShapes ImageFeatureType.enumeratedSizes
    """,
    "flexible-listed": """
        ArrayFeatureType.EnumeratedShapes.shapes ArrayFeatureType.Shape.shape
        ImageFeatureType.EnumeratedImageSizes.sizes ImageFeatureType.ImageSize.width ImageFeatureType.ImageSize.height
    """,
    "interface-dimensions": "ArrayFeatureType.shape",
    "interface-array-type": "ArrayFeatureType.dataType",
    "interface-optional": """
        ArrayFeatureType.intDefaultValue ArrayFeatureType.floatDefaultValue ArrayFeatureType.doubleDefaultValue
        FeatureType.isOptional
    """,
    "interface-kind": """
        FeatureType.int64Type FeatureType.doubleType FeatureType.stringType FeatureType.multiArrayType
        FeatureType.dictionaryType FeatureType.sequenceType FeatureType.stateType StateFeatureType.arrayType
        FeatureDescription.type ModelDescription.state FunctionDescription.state
    """,
    "interface-agrees": """
        ModelDescription.input ModelDescription.output FunctionDescription.input FunctionDescription.output
    """,
    "image-size": "ImageFeatureType.width ImageFeatureType.height",
    "image-version": "ImageFeatureType.colorSpace",
    "classifier-features": """
        ModelDescription.predictedFeatureName ModelDescription.predictedProbabilitiesName
        FunctionDescription.predictedFeatureName FunctionDescription.predictedProbabilitiesName
    """,
    "functions": "ModelDescription.functions ModelDescription.defaultFunctionName",
    "not-updatable": "ModelDescription.trainingInput Model.isUpdatable",
    "specification-version": "Model.specificationVersion",
}
"""Fields by the row that checks their requirements."""

_FREE = {
    "human-readable text of any content": """
        Program.docString Value.docString FeatureDescription.shortDescription Metadata.shortDescription
        Metadata.versionString Metadata.author Metadata.license Metadata.userDefined ModelDescription.metadata
    """,
    "a list's length may be open": "ListType.length",
    "an ML Program has no such feature (`interface-kind`)": """
        SequenceFeatureType.int64Type SequenceFeatureType.stringType SequenceFeatureType.sizeRange
    """,
    "labels are numbers or text, both are allowed": """
        DictionaryFeatureType.int64KeyType DictionaryFeatureType.stringKeyType
    """,
    "a message whose fields are listed themselves": "Model.description",
}
"""Fields without requirements, by reason."""

OTHER_KINDS = frozenset(
    """
    VisionFeaturePrint AudioFeaturePrint TextClassifier WordTagger Gazetteer WordEmbedding ArrayFeatureExtractor
    BayesianProbitRegressor CategoricalMapping CustomModel DictVectorizer FeatureVectorizer GLMRegressor GLMClassifier
    NearestNeighbors Identity Imputer NeuralNetwork Normalizer OneHotEncoder Scaler NonMaximumSuppression SVM
    TreeEnsemble Parameters ItemSimilarityRecommender SoundAnalysisPreprocessing LinkedModel ClassConfidenceThresholding
    """.split()
)
"""Files of mlmodel/format for other kinds of models: edgec writes none, and `edgec lint` rejects them (E0603)."""


def demanded() -> dict[str, tuple[str, ...]]:
    """The rows that check each field's requirements."""
    found: dict[str, tuple[str, ...]] = {}
    for label, fields in _DEMANDED.items():
        for field in fields.split():
            found[field] = (*found.get(field, ()), label)
    return found


def not_needed() -> Mapping[str, str]:
    """The reason why each other field has no requirements."""
    return {field: reason for reason, fields in _FREE.items() for field in fields.split()}
