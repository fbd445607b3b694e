"""What a build, a prediction or a check is asked for, and the targets that this makes of the named ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgec.artifact.manifest import Settings
from edgec.backends.base import QuantizingBackend
from edgec.backends.table import backend
from edgec.compiler.catalogue import check_rules
from edgec.compiler.provenance import Origin
from edgec.diag import error
from edgec.frontend.request import SourceRequest
from edgec.frontend.requested import Sources
from edgec.spec.backend import backend_spec, backend_specs
from edgec.spec.project import ModelRequest
from edgec.spec.target import Target, load_target, with_rewrites

Progress = Callable[[str], None]
"""Told what begins, in words."""

EMITTED = ("onnx", "program")
"""What `--emit` writes beside an artifact."""


@dataclass(frozen=True)
class BuildOptions:
    """What a build is asked for beside its source and targets.

    `io_layout` is for formats that leave it open: `nhwc` or `source` for the whole interface, `NAME=nhwc` for one input
    or output.
    `via` names another emitter: `onnx2tf`.
    `functions` are further sources, by the name of the function that each becomes in the same artifact.
    `asked` is the request in the words of the command line (None for a model in memory), and `origin` that with the
    files that were read so far: manifests tell of both.
    """

    out: Path = Path("build")
    device: str | None = None
    settings: tuple[str, ...] = ()
    enable: tuple[str, ...] = ()
    disable: tuple[str, ...] = ()
    emit: tuple[str, ...] = ()
    check_passes: bool = False
    io_layout: tuple[str, ...] = ()
    via: str | None = None
    functions: tuple[tuple[str, SourceRequest], ...] = ()
    asked: ModelRequest | None = None
    origin: Origin | None = None

    def recorded(self) -> Settings:
        """What of it changes the artifact of a target."""
        return Settings(self.settings, self.io_layout, self.enable, self.disable, self.via)


def options_of(model: ModelRequest, sources: Sources, *, check_passes: bool = False) -> BuildOptions:
    """What a model's request says beside its source and targets."""
    asked = model.settings
    return BuildOptions(
        Path(model.out or "build"),
        model.device,
        asked.set,
        asked.enable,
        asked.disable,
        model.emit,
        check_passes,
        asked.io_layout,
        asked.via,
        sources.functions,
        model,
    )


def as_built(settings: Settings) -> BuildOptions:
    """The options of an artifact that was built with those settings."""
    return BuildOptions(
        settings=settings.set,
        io_layout=settings.io_layout,
        enable=settings.enable,
        disable=settings.disable,
        via=settings.via,
    )


def targets_of(names: Sequence[str], options: BuildOptions) -> list[Target]:
    """The targets with what the options set, enable and disable. Raises `EdgecError` E01… for what does not fit."""
    loaded = [with_rewrites(_load(name, options), options.enable, options.disable) for name in names]
    if options.io_layout and not any(backend_spec(target.backend).takes_layouts for target in loaded):
        takers = " and ".join(spec.title for spec in backend_specs() if spec.takes_layouts)
        raise error(
            "E0101", f"`--io-layout` applies to {takers} targets only", notes=[f"the targets are {', '.join(names)}"]
        )
    for target in loaded:
        chosen = backend(target.backend, options.via)
        if target.numerics.quantizes and not isinstance(chosen, QuantizingBackend):
            raise error("E0101", f"`--via {options.via}` does not quantize, as target `{target.name}` asks")
    named = (name for target in loaded for name in (*target.rewrites.enable, *target.rewrites.disable))
    check_rules(named, [target.backend for target in loaded])
    if unknown := [form for form in options.emit if form not in EMITTED]:
        raise error("E0101", f"`--emit {unknown[0]}` is unknown", help=[f"one of {', '.join(EMITTED)}"])
    return loaded


def _load(name: str, options: BuildOptions) -> Target:
    """The target with `--set` and, where it takes one, `--io-layout`."""
    target = load_target(name, options.settings)
    if not options.io_layout or not backend_spec(target.backend).takes_layouts:
        return target
    layouts = [text.rpartition("=") for text in options.io_layout]
    settings = [f"options.layouts.{n}={layout}" if n else f"options.io_layout={layout}" for n, _, layout in layouts]
    return load_target(name, (*options.settings, *settings))
