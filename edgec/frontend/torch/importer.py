"""Imports a model given by a Python attribute: loads the module and its example inputs, and exports it."""

from __future__ import annotations

import inspect
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from edgec.diag import Diagnostic, EdgecError, Severity, error
from edgec.diag.suggest import suggest
from edgec.frontend.import_code import import_code
from edgec.frontend.imported import ImportedModel, SourceId
from edgec.frontend.opened_files import noting_opened
from edgec.frontend.request import Held, SourceRequest, source_name
from edgec.frontend.samples.inputs import as_values
from edgec.frontend.torch.autograph.replacement import Rewritten
from edgec.frontend.torch.export import export_module, quiet
from edgec.frontend.torch.overrides.compiled_modules import uncompiled
from edgec.frontend.torch.request import ExportRequest
from edgec.frontend.user_code import user_code
from edgec.frontend.user_modules import note_modules
from edgec.spec.reads import file_sha256, note

SEED = 0
"""torch's random seed before the user's code runs, so that a model with random weights is the same in every build."""


def import_python(request: SourceRequest) -> ImportedModel:
    """Import `file.py:attr` or `package.module:attr`, and export the module found there."""
    where, _, attribute = request.ref.rpartition(":")
    if not where or not attribute:
        raise error(
            "E0103", f"`{request.ref}` does not name a model", help=["give `file.py:attr` or `package.module:attr`"]
        )
    with user_code(f"importing `{where}`"):
        torch.manual_seed(SEED)
        with noting_opened():
            module = import_code(where, request.project.parent if request.project else Path())
    file = Path(module.__file__) if module.__file__ else None
    if file is not None:
        note(file, "source")
    found = _attribute(module, where, attribute)
    with noting_opened():
        net, inputs = _model_and_inputs(found, request)
    note_modules(module, _classes(net))
    return capture_model(
        net, inputs, request, SourceId("python", request.ref, file_sha256(file) if file and file.is_file() else "")
    )


def import_held(request: SourceRequest, held: Held) -> ImportedModel:
    """Export a model in memory; inputs described in the request take precedence over the example."""
    from edgec.frontend.samples.calls import with_call_samples

    note_modules(None, _classes(held.model))
    example = None if request.inputs else held.example
    imported = capture_model(held.model, example, request, SourceId("module", request.ref, ""))
    return with_call_samples(imported, held.example, held.samples) if held.samples else imported


def _classes(net: Any) -> set[type]:
    return {type(part) for part in net.modules()} if isinstance(net, torch.nn.Module) else set()


def capture_model(net: Any, inputs: Any, request: SourceRequest, source: SourceId) -> ImportedModel:
    """Export a module, a scripted module or an exported program; `inputs` is None if the request describes them."""
    if isinstance(net, torch.export.ExportedProgram):
        return _program(net, request, source)
    told: tuple[Diagnostic, ...] = ()
    if request.weights is not None:
        from edgec.frontend.torch.weights import load_weights

        told = load_weights(net, request.weights, request.taken)
    if isinstance(net, torch.jit.ScriptModule):
        from edgec.frontend.torch.torchscript.importer import export_script, script_inputs

        imported = export_script(net, script_inputs(net, inputs, request), request, source)
    else:
        imported = _exported(net, inputs, request, source)
    return replace(imported, warnings=(*told, *imported.warnings))


def _exported(net: torch.nn.Module, inputs: Any, request: SourceRequest, source: SourceId) -> ImportedModel:
    """`--input sr=16000` is a size or a value: a value, with a note, if the module fails with it as a size."""
    asked = ExportRequest(
        source_name(request),
        source,
        net,
        inputs,
        request.inputs,
        dynamic=request.dynamic,
        extension=request.extension,
    )
    unclear = [spec.name for spec in request.inputs if spec.is_ambiguous]
    try:
        return export_module(asked)
    except EdgecError as refused:
        if not unclear or refused.diagnostics[0].code != "E0201":
            raise
        failure = refused
    try:
        found = export_module(replace(asked, specs=as_values(request.inputs), rewritten=Rewritten()))
    except EdgecError:
        raise failure from None
    told = f"the number given for `{unclear[0]}` is taken as its value: the module fails on an input of that size"
    note = Diagnostic(
        "E0107", told, severity=Severity.NOTE, help=(f"write `--input {unclear[0]}==VALUE` to make this explicit",)
    )
    return replace(found, warnings=(*found.warnings, note))


def _program(program: torch.export.ExportedProgram, request: SourceRequest, source: SourceId) -> ImportedModel:
    if request.weights is not None:
        raise error("E0101", f"`--weights` needs a module; `{request.ref}` is a program with weights of its own")
    from edgec.frontend.torch.exported_program.importer import export_program

    with quiet():
        return export_program(program, request, source)


def _attribute(module: ModuleType, where: str, attribute: str) -> Any:
    found: Any = module
    for part in attribute.split("."):
        if not hasattr(found, part):
            public = sorted(n for n, v in vars(found).items() if not n.startswith("_") and _could_be_model(v))
            near = suggest(part, public)
            listed = [f"it has {', '.join(public[:12])}"] if public else []
            raise error(
                "E0103",
                f"`{where}` has no attribute `{part}`",
                notes=listed,
                help=[f"did you mean `{near}`?"] if near else [],
            )
        found = getattr(found, part)
    return found


def _could_be_model(value: object) -> bool:
    return isinstance(value, torch.nn.Module) or inspect.isfunction(value) or inspect.isclass(value)


def _model_and_inputs(found: Any, request: SourceRequest) -> tuple[Any, Any]:
    """A module is used as it is; a class or function is called without arguments."""
    if not isinstance(found, _MODELS) and callable(found):
        _check_callable(found, request)
        with user_code(f"calling `{request.ref}`"):
            torch.manual_seed(SEED)
            found = found()
    inputs: Any = None
    if isinstance(found, tuple) and len(found) == 2 and isinstance(found[0], _MODELS):
        found, inputs = found
    if not isinstance(found, _MODELS):
        raise error(
            "E0103",
            f"`{request.ref}` is a {type(found).__name__}, not a model",
            help=[
                "give a `torch.nn.Module`, a class, or a function that returns a module or `(module, example_inputs)`"
            ],
        )
    found = uncompiled(found)
    return (found.eval() if isinstance(found, torch.nn.Module) else found), inputs


_MODELS = (torch.nn.Module, torch.export.ExportedProgram)


def _check_callable(found: Any, request: SourceRequest) -> None:
    """Check that a callable has no required arguments."""
    try:
        parameters = inspect.signature(found).parameters.values()
    except (TypeError, ValueError):  # some compiled callables have no signature
        return
    optional = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    needed = [p.name for p in parameters if p.default is inspect.Parameter.empty and p.kind not in optional]
    if needed:
        raise error(
            "E0103",
            f"`{request.ref}` needs arguments: {', '.join(needed)}",
            help=["give a function without parameters that returns the module, or `(module, example_inputs)`"],
        )
