"""Converts sources of the Python API, in memory or as text, to the compiler's requests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgec.api.keywords import Arguments, BuildKeywords, model_request
from edgec.artifact.locate import Located
from edgec.compiler.provenance import as_asked
from edgec.diag import error
from edgec.frontend.request import Held, SourceRequest, safe_name
from edgec.frontend.requested import Sources, sources_of
from edgec.spec.optional_package import TORCH, require
from edgec.spec.project import ModelRequest


@contextmanager
def requests(
    module: Any, example: Arguments | None, options: Mapping[str, Any], known: Located | None = None
) -> Iterator[tuple[ModelRequest, Sources]]:
    """The request in terms of the command line; its models are in evaluation mode during the block."""
    if unknown := [name for name in options if name not in BuildKeywords.__annotations__]:
        raise TypeError(f"unexpected keyword argument '{unknown[0]}'")
    models = {None: (module, example), **{name: _pair(f) for name, f in options.get("functions", {}).items()}}
    model = model_request(_ref(module), {name: _ref(m) for name, (m, _) in models.items() if name}, options)
    if known is not None and known.manifest is not None:
        model = replace(model, options=as_asked(model.options, known.manifest.provenance))
    with ExitStack() as stack:
        sources = sources_of(model if model.name or isinstance(module, str | Path) else _titled(model, module))
        held = {
            name: _held(request, *models[name], options, stack)
            for name, request in ((None, sources.main), *sources.functions)
        }
        main = held.pop(None)
        yield model, Sources(main, tuple((name, request) for name, request in held.items() if name is not None))


def _pair(function: Any) -> tuple[Any, Arguments | None]:
    """A function's source, with or without example inputs."""
    return function if isinstance(function, tuple) else (function, None)


def _held(
    request: SourceRequest, model: Any, example: Arguments | None, options: Mapping[str, Any], stack: ExitStack
) -> SourceRequest:
    """The request, with its model if that is in memory."""
    if isinstance(model, str | Path):
        if example is not None:
            raise error("E0101", f"`{model}` has example inputs of its own", help=['give `input=["x=@FILE.npy"]`'])
        return request
    require({"a module": TORCH})
    from edgec.frontend.unchanged import unchanged

    own = stack.enter_context(unchanged(model, replaces_weights=request.weights is not None))
    further = options.get("samples", ())
    return replace(request, held=Held(own, example, () if isinstance(further, str) else tuple(further)))


def _titled(model: ModelRequest, module: Any) -> ModelRequest:
    return replace(model, name=safe_name(type(_original(module)).__name__))


def _ref(module: Any) -> str:
    if isinstance(module, str | Path):
        return str(module)
    kind = type(_original(module))
    return f"{kind.__module__}:{kind.__qualname__}"


def _original(module: Any) -> Any:
    from edgec.frontend.torch.overrides.compiled_modules import uncompiled

    return uncompiled(module)
