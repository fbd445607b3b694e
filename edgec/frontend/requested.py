"""Parses the options of a source into requests for it and for its further functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgec.diag import error
from edgec.diag.suggest import suggest
from edgec.frontend.dynamic import parse_dynamics
from edgec.frontend.extensions import Extension, extension_of
from edgec.frontend.request import SourceRequest, Taken
from edgec.frontend.samples.inputs import InputSpec, with_samples
from edgec.frontend.state_pairs import parse_state
from edgec.spec.project import ModelRequest
from edgec.spec.ranges import parse_ranges
from edgec.spec.request_options import SourceOptions

_EXTRA = ("refuse", "ignore")


@dataclass(frozen=True)
class Sources:
    """A source, and the sources of further functions by function name."""

    main: SourceRequest
    functions: tuple[tuple[str, SourceRequest], ...] = ()

    @property
    def all(self) -> tuple[SourceRequest, ...]:
        """The source and those of its further functions."""
        return (self.main, *(request for _, request in self.functions))


def sources_of(model: ModelRequest) -> Sources:
    """The sources requested by a model's options. Raises `EdgecError` E0101 for an invalid option, E0102, E0103."""
    own = extension_of(model.options.extension)  # before any source: it may define operators that sources use
    refs = dict(_named(text) for text in model.options.function)
    functions = tuple((name, _request(model, name, ref, refs, own)) for name, ref in refs.items())
    return Sources(_request(model, None, model.source, refs, own), functions)


def _request(
    model: ModelRequest, function: str | None, ref: str, refs: Mapping[str, str], own: Extension
) -> SourceRequest:
    """The request for one source: `FUNCTION/x=…` applies to that function, everything else to SOURCE."""
    options = model.options
    said = (options.input, options.dynamic, options.state, options.range)
    inputs, dims, states, ranges = (_of(texts, function, refs) for texts in said)
    weights, part = _weights(options)
    return SourceRequest(
        ref,
        with_samples([InputSpec.parse(i) for i in inputs], options.samples if function is None else None),
        model.name if function is None else function,
        weights,
        parse_dynamics(dims),
        tuple(parse_state(s) for s in states),
        parse_ranges(tuple(ranges)),
        own,
        Taken(part, _extra(options) == "ignore"),
        project=model.project,
        calibrate=options.calibrate if function is None else None,
    )


def _weights(options: SourceOptions) -> tuple[Path | None, str | None]:
    """The weight file, and the part of it named after a colon."""
    text = options.weights
    if text is None:
        return None, None
    file, colon, part = text.rpartition(":")
    if not colon or not file or Path(text).exists():
        return Path(text), None
    return Path(file), part


def _extra(options: SourceOptions) -> str:
    text = options.extra_weights or _EXTRA[0]
    if text not in _EXTRA:
        near = suggest(text, _EXTRA)
        advice = f"did you mean `{near}`?" if near else f"one of {', '.join(_EXTRA)}"
        raise error("E0101", f"`--extra-weights {text}` is unknown", help=[advice])
    return text


def _named(text: str) -> tuple[str, str]:
    """Parse `NAME=SOURCE` of `--function`."""
    name, equals, ref = text.partition("=")
    if not equals or not name.isidentifier() or not ref:
        raise error("E0101", f"`--function {text}` is not NAME=SOURCE", help=["write `--function decode=file.py:attr`"])
    return name, ref


def _of(texts: Sequence[str], function: str | None, refs: Mapping[str, str]) -> list[str]:
    """The options for one function (None: SOURCE), with the function's name removed."""
    found = []
    for text in texts:
        head, slash, rest = text.partition("/")
        belongs = head if slash and head in refs else None
        if belongs == function:
            found.append(rest if belongs else text)
    return found
