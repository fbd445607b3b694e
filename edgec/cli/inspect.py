"""`edgec inspect`: what an artifact, a model file or a source holds."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgec.cli.columns import filled
from edgec.cli.completion import complete_source, complete_target
from edgec.cli.document import print_json
from edgec.cli.progress import Progress
from edgec.cli.request_options import Json, one_model, takes
from edgec.cli.rewrites import lines_of
from edgec.cli.run import guarded
from edgec.cli.terminal import columns_of
from edgec.spec.request_options import SourceOptions, TargetOptions, said

if TYPE_CHECKING:
    from edgec.measure.inspection import Feature, HeldState, Summary, Weight


@takes(SourceOptions, TargetOptions)
def inspect_command(
    options: SourceOptions,
    settings: TargetOptions,
    file: Annotated[
        str | None,
        typer.Argument(
            help="An artifact, a build's folder, a model file, a source, or a model of edgec.toml.",
            show_default=False,
            autocompletion=complete_source,
        ),
    ] = None,
    rules: Annotated[
        bool, typer.Option("--rules", help="List the rewrites that fire for a source, and those that nearly fire.")
    ] = False,
    target: Annotated[
        str | None, typer.Option(help="With --rules: also this target's rewrites.", autocompletion=complete_target)
    ] = None,
    json: Json = False,
) -> None:
    """Show what a file or source holds: interface, states, operators, parameters, sizes, the oldest system.

    The options of a source are for sources, those of its targets for `--rules`.
    """

    def body() -> int:
        from edgec.diag import error

        if rules:
            return _rewrites(file, options, settings, target, as_document=json)
        if file is None:
            raise error("E0101", "no file was given", help=["name an artifact, or a source"])
        if names := [*said(settings), *(["target"] if target else [])]:
            name = names[0].replace("_", "-")
            raise error("E0101", f"`--{name}` is for a target's rewrites", help=["add `--rules`, or remove it"])
        return _source(file, options, as_document=json) if _is_source(file) else _file(file, options, as_document=json)

    raise typer.Exit(guarded(body, as_document=json))


def _is_source(text: str) -> bool:
    """Whether it is not read as a file: Python code, or a model file that a frontend reads alone."""
    from edgec.artifact.format import FORMATS
    from edgec.frontend.request import SOURCE_FILES
    from edgec.spec.project import could_be_name

    suffix = Path(text).suffix.lower()
    if suffix[1:] in FORMATS or Path(text).is_dir():
        return False
    return suffix in SOURCE_FILES or ":" in text or (could_be_name(text) and not Path(text).exists())


def _file(file: str, options: SourceOptions, *, as_document: bool) -> int:
    from edgec.artifact.locate import locate
    from edgec.diag import error
    from edgec.measure.inspection import inspect

    if names := said(options):
        name = next(iter(names)).replace("_", "-")
        raise error("E0101", f"`--{name}` describes a source", help=["add `--rules`, or remove it"])
    found = locate(Path(file))
    summary = inspect(found.path)
    summary = summary.described(found.manifest) if found.manifest is not None else summary
    print_json(document(summary)) if as_document else _print(summary_lines(summary))
    return 0


def _source(file: str, options: SourceOptions, *, as_document: bool) -> int:
    from edgec.compiler.source_summary import summaries_of

    model = one_model(file, options, TargetOptions(), quiet=as_document)
    with Progress(quiet=as_document) as progress:
        (_, first), *others = summaries_of(model, progress).items()
    if as_document:
        print_json({**document(first), "functions": {name: document(summary) for name, summary in others}})
        return 0
    _print(summary_lines(first))
    for name, summary in others:
        print(f"\nfunction {name}:")
        _print(summary_lines(summary))
    return 0


def _rewrites(
    file: str | None, options: SourceOptions, settings: TargetOptions, target: str | None, *, as_document: bool
) -> int:
    from edgec.compiler.rewrites import rewrites_of

    model = one_model(file, options, settings, quiet=as_document, target=[target] if target else None)
    with Progress(quiet=as_document) as progress:
        first, *others = rewrites_of(model, progress).items()
    if as_document:
        print_json({**first[1].document(), "functions": {name: made.document() for name, made in others}})
    else:
        lines = lines_of(first[1])
        for name, made in others:
            lines += ["", f"function {name}:", *lines_of(made)]
        print("\n".join(lines))
    return 0


def document(summary: Summary) -> dict[str, object]:
    """As `--json` shows it."""
    from dataclasses import asdict

    return {**asdict(summary), "parameters": summary.parameters, "modules": summary.modules}


_WEIGHTS, _MODULES, _LABELS = 12, 16, 3
"""How many constants, modules and labels are listed; `--json` has all."""


def summary_lines(summary: Summary) -> list[tuple[str, str]]:
    """Heads and texts."""
    return [
        ("format", summary.format),
        *([("system", f"{summary.system} or later")] if summary.system else []),
        *([("sha256", summary.sha256)] if summary.sha256 else []),
        ("bytes", f"{summary.bytes:,}"),
        ("parameters", f"{summary.parameters:,}"),
        *([("macs", f"{summary.macs:,}")] if summary.macs is not None else []),
        *(("input", _feature(f)) for f in summary.inputs),
        *(("output", _feature(f)) for f in summary.outputs),
        *(("state", _state(s)) for s in summary.states),
        *((key, value) for key, value in summary.metadata.items() if value),
        ("operators", ", ".join(f"{name} {count}" for name, count in summary.ops.items())),
        *(("module", f"{size:>12,} bytes  {name}") for name, size in folded(summary.modules).items()),
        *_weights(summary.weights),
    ]


def folded(modules: Mapping[str, int]) -> dict[str, int]:
    """Bytes by module, as deep as few enough lines allow; nothing where there are no modules."""
    if not any(modules):
        return {}
    deepest = max(name.count(".") for name in modules) + 1
    for depth in range(deepest, 0, -1):
        found: Counter[str] = Counter()
        for name, size in modules.items():
            found[".".join(name.split(".")[:depth]) or "(no module)"] += size
        if len(found) <= _MODULES or depth == 1:
            return dict(found.most_common(_MODULES))
    return {}


def _feature(f: Feature) -> str:
    text = f"{f.name} {f.dtype}{_shape(f.shape)}"
    text += f", {_COLORS.get(f.image, f.image)} image" if f.image else ""
    more = ", …" if len(f.labels) > _LABELS else ""
    return text + (f", {len(f.labels)} labels: {', '.join(f.labels[:_LABELS])}{more}" if f.labels else "")


_COLORS = {"rgb": "an RGB", "bgr": "a BGR", "grayscale": "a grayscale", "unknown": "an"}


def _shape(shape: Sequence[int | str]) -> str:
    return f"[{', '.join(map(str, shape))}]"


_KEPT = {"artifact": "the artifact keeps it", "app": "the app passes it on", "target": "kept as the target allows"}


def _state(s: HeldState) -> str:
    passed = f" from `{s.output}`" if s.output and s.output != s.input else ""
    return f"{s.input} {s.dtype}{_shape(s.shape)}{passed}, {_KEPT[s.kept]}"


def _weights(weights: Sequence[Weight]) -> list[tuple[str, str]]:
    found = [("weight", f"{w.bytes:>12,} bytes  {w.dtype}{_shape(w.shape)}  {w.name}") for w in weights[:_WEIGHTS]]
    more = len(weights) - _WEIGHTS
    return [*found, ("", f"and {more} smaller ones")] if more > 0 else found


_HEAD = 12
"""Columns of the heads."""


def _print(lines: Sequence[tuple[str, str]]) -> None:
    """Heads in a column, texts beside them in lines of the terminal's width; rows of columns stay as they are."""
    width = columns_of(sys.stdout)
    for head, text in lines:
        room = None if width is None or "  " in text else max(width - _HEAD, 20)
        for i, part in enumerate(filled(text, room) if text else ()):
            print(f"{head if i == 0 else '':{_HEAD - 1}} {part}")
