"""The Python API: the equivalent of the command line for a module in memory."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgec.artifact.output import check_owned
from edgec.compiler.build import Built, compile_target
from edgec.compiler.options import BuildOptions, targets_of
from edgec.compiler.stages import prepare_imported
from edgec.frontend.dynamic import parse_dynamics
from edgec.frontend.imported import SourceId
from edgec.spec.backend import packages_for
from edgec.spec.piece import TORCH, require
from edgec.spec.ranges import parse_ranges

if TYPE_CHECKING:
    import torch


def build(
    module: torch.nn.Module | torch.export.ExportedProgram,
    example_inputs: tuple[Any, ...] | dict[str, Any],
    target: str,
    *,
    out: str | Path = "build",
    name: str | None = None,
    settings: Sequence[str] = (),
    dynamic: Sequence[str] = (),
    ranges: Sequence[str] = (),
    samples: Sequence[tuple[Any, ...] | dict[str, Any]] = (),
    extension: str | Path | None = None,
) -> Built:
    """Build one artifact from an `nn.Module`, scripted or not, or an `ExportedProgram`; run it and compare.

    `example_inputs` are the arguments of `forward`: a tuple, or a dictionary of keyword arguments. The artifact is
    written to `out/<name>/<target>/`; the name defaults to the module's class. `settings` override the target's
    settings, like `--set` (`"numerics.compute=float32"`). `dynamic` opens dimensions, like `--dynamic`
    (`"x:0=batch:1..16"`). `samples` are further arguments like `example_inputs`, and are judged like them. `ranges`
    declare the ranges of inputs, like `--range` (`"x=0..255"`). `extension` is a Python file that defines custom
    operators (`edgec.extension`).
    Raises the same `EdgecError` that the command line reports; failed checks are in `Built.failures`.
    """
    from edgec.frontend.extensions import extension_of
    from edgec.frontend.request import SourceRequest, safe_name
    from edgec.frontend.samples.calls import with_call_samples
    from edgec.frontend.torch.importer import capture_model
    from edgec.frontend.torch.overrides.compiled_modules import uncompiled

    module = uncompiled(module)
    options = BuildOptions(out=Path(out), settings=tuple(settings))
    (resolved,) = targets_of([target], options)
    require({"a module": TORCH, **packages_for([resolved])})
    title = safe_name(name or type(module).__name__)
    source = SourceId("module", f"{type(module).__module__}:{type(module).__qualname__}", "")
    said = parse_ranges(tuple(ranges))
    own = extension_of(extension)
    request = SourceRequest(source.ref, name=title, dynamic=parse_dynamics(dynamic), extension=own)
    check_owned(options.out / title / resolved.name)
    with _evaluating(module) as evaluated:
        imported = capture_model(evaluated, example_inputs, request, source)
        imported = with_call_samples(imported, example_inputs, samples)
        prepared = prepare_imported(replace(imported, ranges=said), options, _silent)
        built = compile_target(prepared, resolved, options, _silent)
    return replace(built, told=(*prepared.imported.warnings, *built.told))


@contextmanager
def _evaluating(module: Any) -> Iterator[Any]:
    """A module in evaluation mode, copied if its weights would be widened; an exported program unchanged.

    Behind it every part of the module is in the mode that it was in.
    """
    from torch.nn import Module

    from edgec.frontend.torch.precision.half import in_halves

    if not isinstance(module, Module):
        yield module
        return
    modes = {part: part.training for part in module.modules()}
    try:
        yield (copy.deepcopy(module) if in_halves(module) else module).eval()
    finally:
        for part, training in modes.items():
            part.training = training


def _silent(step: str) -> None:
    """The API shows no progress."""
