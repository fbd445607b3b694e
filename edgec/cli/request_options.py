"""The options of sources and targets as parameters of a command: the same for every verb that takes a source."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from edgec.cli.completion import complete_device, complete_rule, complete_source
from edgec.spec.request_options import SourceOptions, TargetOptions

if TYPE_CHECKING:
    from edgec.spec.project import ModelRequest, Project

Command = Callable[..., None]

_COMPLETED = {"enable": complete_rule, "disable": complete_rule}
"""How a shell completes the value of an option."""

Source = Annotated[
    str | None,
    typer.Argument(
        help="file.py:attr, package.module:attr, .onnx, .pt2, .skops, TorchScript, or a model of edgec.toml. Default: "
        "the model of edgec.toml.",
        show_default=False,
        autocompletion=complete_source,
    ),
]
Sources = Annotated[
    list[str] | None,
    typer.Argument(
        help="As SOURCE of `edgec build`; several with `--rank`.", show_default=False, autocompletion=complete_source
    ),
]
Device = Annotated[
    str | None,
    typer.Option(help="The device to predict for. Default: the target's first device.", autocompletion=complete_device),
]
Settings = Annotated[list[str] | None, typer.Option("--set", help="Override a target's setting: KEY=VALUE.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print no progress.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout and nothing else.")]


def takes(*groups: type) -> Callable[[Command], Command]:
    """Give a command the options of `SourceOptions`, `TargetOptions` or both.

    Its parameters of these types become one parameter for each of their fields; it is called with the objects.
    """

    def decorate(command: Command) -> Command:
        hints = get_type_hints(command, include_extras=True)
        held = {name: kind for name, kind in hints.items() if kind in groups}

        @functools.wraps(command)
        def called(**given: Any) -> None:
            objects = {name: _object(kind, given) for name, kind in held.items()}
            command(**{k: v for k, v in given.items() if not any(k in _names(kind) for kind in groups)}, **objects)

        parameters = []
        for parameter in inspect.signature(command).parameters.values():
            kind = held.get(parameter.name)
            own = [parameter.replace(annotation=hints[parameter.name])] if kind is None else _parameters(kind)
            parameters += own
        called.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        called.__annotations__ = {p.name: p.annotation for p in parameters}
        return called

    return decorate


def _parameters(kind: Any) -> list[inspect.Parameter]:
    found = []
    for f in fields(kind):
        text: Any = list[str] if f.default == () else str
        option = typer.Option(
            f"--{f.name.replace('_', '-')}", help=f.metadata["help"], autocompletion=_COMPLETED.get(f.name)
        )
        annotation = Annotated[text | None, option]
        found.append(
            inspect.Parameter(f.name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=None, annotation=annotation)
        )
    return found


def _names(kind: Any) -> list[str]:
    return [f.name for f in fields(kind)]


def _object(kind: Any, given: dict[str, Any]) -> Any:
    words = {name: given[name] for name in _names(kind) if given.get(name)}
    return kind(**{name: tuple(v) if isinstance(v, list) else v for name, v in words.items()})


def one_model(
    source: str | None, options: SourceOptions, settings: TargetOptions, *, quiet: bool = False, **more: Any
) -> ModelRequest:
    """The one model that a command means: its own options before those of the project file."""
    from edgec.spec.project import one_requested

    return one_requested(given(source, options, settings, **more), project_of(source, quiet=quiet))


def given(source: str | None, options: SourceOptions, settings: TargetOptions, **more: Any) -> ModelRequest:
    """What a command says itself."""
    from edgec.spec.project import ModelRequest

    words: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in more.items() if v}
    return ModelRequest(source or "", options=options, settings=settings, **words)


def project_of(source: str | None, *, quiet: bool = False) -> Project | None:
    """The nearest project file, where SOURCE may be one of its models; which one it is, is said on stderr."""
    from edgec.spec.project import could_be_name, find_project, load_project

    path = find_project(Path()) if not source or could_be_name(source) else None
    if path is None:
        return None
    if not quiet:
        print(f"reading {path}", file=sys.stderr)
    return load_project(path)
