"""The interface of a file for the app: the layout of inputs and outputs, and the check of the target's options."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from edgec.artifact.app import AppImage, Described
from edgec.backends.tflite.options import TensorNote, TFLiteOptions
from edgec.diag import Diagnostic, EdgecError
from edgec.ir.model import Model
from edgec.spec.target import Target

Shape = Sequence[object]


@dataclass(frozen=True)
class Interface:
    """Names and shapes of inputs and outputs in the source's layout."""

    inputs: Mapping[str, Shape]
    outputs: Mapping[str, Shape]


def interface_of(model: Model) -> Interface:
    """The interface of a model."""
    inputs = {v.name or "": tuple(v.shape or ()) for v in model.graph.inputs}
    return Interface(inputs, {v.name or "": tuple(v.shape or ()) for v in model.graph.outputs})


def options_of(target: Target) -> TFLiteOptions:
    """The target's options."""
    assert isinstance(target.options, TFLiteOptions)
    return target.options


def described(options: TFLiteOptions) -> tuple[Described, ...]:
    """Images, which the app normalizes (`(x - mean) / std`), and labels."""
    return tuple(_described(note) for note in (*options.metadata.inputs, *options.metadata.outputs))


def _described(note: TensorNote) -> Described:
    if not note.color and not note.std:
        return Described(note.name, labels=note.labels)
    count = max(len(note.mean), len(note.std), 1)
    mean, std = (tuple(n) * count if len(n) == 1 else tuple(n) for n in (note.mean or (0.0,), note.std or (1.0,)))
    scale = tuple(1 / s for s in std)
    bias = tuple(0.0 - m / s for m, s in zip(mean, std, strict=True))
    return Described(note.name, AppImage(note.color, scale, bias, "app"), note.labels)


def channels_last_names(interface: Interface, target: Target) -> frozenset[str]:
    """The inputs and outputs that are channels-last in the file: those listed, or all 4-D ones on request."""
    options, shapes = options_of(target), {**interface.inputs, **interface.outputs}
    named = dict(options.layouts)
    default = {name for name, shape in shapes.items() if len(shape) == 4 and options.io_layout == "nhwc"}
    chosen = {name for name in shapes if named.get(name, "nhwc" if name in default else "source") == "nhwc"}
    return frozenset(chosen)


def check(interface: Interface, target: Target) -> None:
    """Raise `EdgecError` E0106 if the target's options do not fit the model's inputs and outputs."""
    options, shapes = options_of(target), {**interface.inputs, **interface.outputs}
    found = []
    for name, layout in options.layouts:
        if name not in shapes:
            found.append(_wrong(f"`options.layouts` names `{name}`, which is not an input or output", shapes))
        elif layout == "nhwc" and len(shapes[name]) not in (4, 5):
            found.append(_wrong(f"`{name}` has {len(shapes[name])} dimensions; `nhwc` is for 4 and 5", ()))
    for note in options.metadata.inputs:
        found += _check_input(note, interface)
    for note in options.metadata.outputs:
        found += _check_output(note, interface)
    if found:
        raise EdgecError(found)


def _check_input(note: TensorNote, interface: Interface) -> list[Diagnostic]:
    shape = interface.inputs.get(note.name)
    if shape is None:
        return [_wrong(f"`options.metadata.inputs` describes `{note.name}`, not an input", interface.inputs)]
    channels = shape[1] if len(shape) > 1 else None
    wrong = [n for n in (len(note.mean), len(note.std)) if n > 1 and n != channels]
    return [_wrong(f"input `{note.name}` has {channels} channels, its normalization {n}", ()) for n in wrong[:1]]


def _check_output(note: TensorNote, interface: Interface) -> list[Diagnostic]:
    shape = interface.outputs.get(note.name)
    if shape is None:
        return [_wrong(f"`options.metadata.outputs` describes `{note.name}`, not an output", interface.outputs)]
    if note.labels and len(note.labels) not in shape[1:]:
        return [_wrong(f"output `{note.name}` has shape {list(shape)} for {len(note.labels)} labels", ())]
    return []


def _wrong(message: str, known: Iterable[str]) -> Diagnostic:
    names = ", ".join(f"`{name}`" for name in sorted(known))
    return Diagnostic("E0106", message, None, (f"there is {names}",) if names else ())
