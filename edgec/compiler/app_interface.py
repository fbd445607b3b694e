"""An artifact's interface for the app: read from the written file, with the target's settings for images and labels."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from edgec.artifact.app import App, AppState, AppTensor, Described
from edgec.artifact.format import format_of
from edgec.artifact.manifest import StateInfo, TensorInfo
from edgec.artifact.shown import Shown
from edgec.measure.inspection import Feature


class AppView:
    """Translates the file's interface into the app's terms, using what is known about the source's interface."""

    def __init__(
        self,
        names: Mapping[str, str],
        tensors: Sequence[TensorInfo],
        dimensions: Mapping[str, tuple[int, int]],
        described: Sequence[Described],
        shown: Shown,
    ) -> None:
        self._names, self._own = names, {source: name for name, source in names.items()}
        self._tensors = {tensor.name: tensor for tensor in tensors}
        self._dimensions = dimensions
        self._described = {d.name: d for d in described}
        self._shown = shown

    def of(self, path: Path, function: str | None, states: Sequence[StateInfo]) -> App:
        """The interface of the file, or of one function of it."""
        found, last = format_of(path).read(path, function), format_of(path).channels_last(path)
        inputs, outputs = (tuple(self._tensor(f, last) for f in fs) for fs in (found.inputs, found.outputs))
        pairs = tuple(AppState(self._name(s.input), self._name(s.output), s.kept) for s in states)
        return App(inputs, outputs, pairs)

    def _name(self, name: str) -> str:
        """The artifact's name, for that name or the source's."""
        return name if name in self._names else self._own.get(name, name)

    def _tensor(self, feature: Feature, last: Collection[str]) -> AppTensor:
        name = self._name(feature.name)
        source = self._names.get(name, feature.name)
        for scores in self._shown.scores:
            if feature.name in (scores.label, scores.scores):
                kind = "label" if feature.name == scores.label else "probabilities"
                labels = self._described[scores.name].labels if scores.name in self._described else ()
                return AppTensor(name, scores.name, (), feature.dtype, kind=kind, labels=labels)
        known = self._described.get(source, Described(source))
        nhwc = bool({name, source, feature.name} & set(last))
        shape = self._shape(feature, self._tensors.get(source), nhwc=nhwc)
        image = known.image
        return AppTensor(
            name,
            source,
            shape,
            "uint8" if image is not None and image.by == "artifact" else feature.dtype,
            "NHWC" if nhwc else "source",
            "tensor" if image is None else "image",
            image,
            known.labels,
            self._open(shape),
        )

    def _shape(self, feature: Feature, tensor: TensorInfo | None, *, nhwc: bool) -> tuple[int | str, ...]:
        """The file's shape, with the names of open dimensions."""
        if tensor is None or len(tensor.shape) != len(feature.shape):
            return tuple(feature.shape)
        said = tensor.shape
        if nhwc:
            said = (said[0], *said[2:], said[1])
        return tuple(s if isinstance(s, str) else f for f, s in zip(feature.shape, said, strict=True))

    def _open(self, shape: Sequence[int | str]) -> dict[str, tuple[int, int]]:
        text = " ".join(str(size) for size in shape)
        return {n: r for n, r in self._dimensions.items() if re.search(rf"(?<!\w){re.escape(n)}(?!\w)", text)}
