"""Operators that no edge runtime supports, each with the label and reason of its refusal."""

from __future__ import annotations

from edgec.dialect.reject import Reject

_RANDOM = Reject("random-numbers", "its result is random, so that no artifact could be verified")
_SIZE = Reject("data-dependent-shape", "the size of its result depends on the data")
_BOXES = Reject(
    "data-dependent-shape",
    "the size of its result depends on the data",
    "end the model at the boxes and scores; the app selects among them",
)
_TEXT = Reject("text", "device runtimes do not support strings")
_TRAINING = Reject("training", "it belongs to training")
_CLASSIC = Reject("classical-learning", "it cannot be expressed in tensor operators: it reads text, or iterates")
_SEQUENCE = Reject(
    "sequence-not-static", "a sequence remains whose length or positions are not known before the model runs"
)
_OPTIONAL = Reject("optional-not-static", "whether the optional value is present is not known before the model runs")

REFUSALS: dict[str, Reject] = {
    **dict.fromkeys(("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"), _RANDOM),
    **dict.fromkeys(("Bernoulli", "Multinomial", "Dropout"), _RANDOM),
    **dict.fromkeys(("Unique", "Compress", "NonZero"), _SIZE),
    "NonMaxSuppression": _BOXES,
    "Loop": Reject("loop-not-static", "its number of iterations is not known before the model runs"),
    **dict.fromkeys(("StringConcat", "StringNormalizer", "StringSplit", "RegexFullMatch", "TfIdfVectorizer"), _TEXT),
    **dict.fromkeys(("SequenceAt", "SequenceConstruct", "SequenceEmpty", "SequenceErase"), _SEQUENCE),
    **dict.fromkeys(("SequenceInsert", "SequenceLength", "SequenceMap"), _SEQUENCE),
    **dict.fromkeys(("SplitToSequence", "ConcatFromSequence"), _SEQUENCE),
    **dict.fromkeys(("Optional", "OptionalGetElement", "OptionalHasElement"), _OPTIONAL),
    "BitCast": Reject("bit-cast", "device runtimes cannot reinterpret bits"),
    "ImageDecoder": Reject("image-file", "it reads image files: the app decodes them before the model"),
    "Scan": Reject("scan-not-static", "its number of iterations is not known before the model runs"),
}

DOMAINS: dict[str, Reject] = {"ai.onnx.ml": _CLASSIC, "ai.onnx.preview.training": _TRAINING}
"""Refusals of all operators of a domain."""


def refusal(domain: str, op_type: str) -> Reject | None:
    """The refusal of the operator, or None."""
    return DOMAINS.get(domain) if domain else REFUSALS.get(op_type)
