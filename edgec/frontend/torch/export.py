"""Exports an `nn.Module` to a graph: `torch.export`, then torch's ONNX exporter, with the user's names."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from dataclasses import replace
from types import CodeType
from typing import Any

import numpy as np
import onnx_ir as ir
import torch

from edgec.diag import Diagnostic, EdgecError, Severity, warning
from edgec.frontend.half_precision import computed_in_single
from edgec.frontend.imported import Array, ImportedModel
from edgec.frontend.naming import name_interface, separate_weights
from edgec.frontend.onnx.half_precision import take_half
from edgec.frontend.samples.draws import samples_like
from edgec.frontend.torch.autograph.converters.exception_handlers import called_functions
from edgec.frontend.torch.autograph.coverage import CaughtError, Covered, cover
from edgec.frontend.torch.autograph.export import export_with_autograph
from edgec.frontend.torch.autograph.operators.escapes import EscapeGuard
from edgec.frontend.torch.autograph.operators.select import Site
from edgec.frontend.torch.autograph.operators.symbolic_numbers import Numbers
from edgec.frontend.torch.call import (
    Call,
    TorchReference,
    eager,
    example_call,
    output_names,
    run_eagerly,
)
from edgec.frontend.torch.decompositions.kernels import add_body
from edgec.frontend.torch.decompositions.masked import replace_masked_writes
from edgec.frontend.torch.decompositions.splice import BODIES, decompose
from edgec.frontend.torch.functionalization.mutations import changed_buffers
from edgec.frontend.torch.functionalization.program import make_functional
from edgec.frontend.torch.functionalization.translate import translate, translate_decomposed
from edgec.frontend.torch.functionalization.untranslated import check_own
from edgec.frontend.torch.functionalization.views import place_views
from edgec.frontend.torch.interface import check_call, check_forward, check_interface
from edgec.frontend.torch.open_sizes.attempt import MoreGeneralError, NarrowedError
from edgec.frontend.torch.open_sizes.dynamic_shapes import check_sizes, dynamic_shapes, name_dims, roomy
from edgec.frontend.torch.open_sizes.guards import Assumed
from edgec.frontend.torch.open_sizes.retracing import export_open
from edgec.frontend.torch.overrides.device_moves import moved_nowhere
from edgec.frontend.torch.overrides.fake_quantizers import check_quantized, plain_fake_quantizers
from edgec.frontend.torch.overrides.functions import Overrides
from edgec.frontend.torch.overrides.module_flags import ModuleFlags
from edgec.frontend.torch.overrides.source_lines import lines_of_helpers
from edgec.frontend.torch.precision.half import in_single, widen, written_in_halves
from edgec.frontend.torch.refusal import refusal
from edgec.frontend.torch.request import ExportRequest
from edgec.frontend.torch.state.baked_constants import Computed, check_constants
from edgec.frontend.torch.state.buffers import contents, open_states
from edgec.frontend.torch.state.eager_probe import probe_of
from edgec.frontend.torch.state.memory import Memory
from edgec.frontend.torch.state.probe import Probe
from edgec.frontend.torch.state.rebound_buffers import bound_anew
from edgec.frontend.torch.state.uninitialized_memory import check_initialized
from edgec.frontend.torch.torchscript.embedded import scripts_as_graphs
from edgec.frontend.torch.weight_folding import fold_weights


def export_module(request: ExportRequest) -> ImportedModel:
    """Export a module. Weights in half precision become float32 in place: to keep them, pass a copy.

    If the model supports only multiples of some size, its dynamic dimensions are restricted to them, with a warning.
    Raises `EdgecError` E0107 for its inputs, E0201 when it fails eagerly, E0206 for control flow, E0202 for the rest.
    """
    check_quantized(request.module)
    return export_open(request, _exported) if request.dynamic else _exported(request)


def _exported(request: ExportRequest) -> ImportedModel:
    check_forward(request.module)
    given = example_call(request.module, request.inputs, request.specs, request.source.ref)
    check_call(request.module, given)
    widen(request.module, given.tensors())
    call = roomy(given.with_tensors([in_single(t) for t in given.tensors()]), request)
    called: set[CodeType] = set()
    memory = Memory(request.module)
    with called_functions(called, memory.met), Computed(call.tensors()) as first:
        ran = run_eagerly(request.module, call)
    for code in called:
        request.rewritten.watch(code)
    check_interface(request.module, call, ran.result)
    with quiet():
        probe = probe_of(request.module, call, called, memory, first)
        probe.classify(ran.outputs)
        model = _translated(request, call, probe)
    found = _with_half_inputs(imported(request, call, ran.result, model, memory), given)
    whole = written_in_halves(request.module)
    if not whole and not ran.halves:
        return found
    return replace(found, warnings=(*found.warnings, computed_in_single(found.name, whole)))


def _with_half_inputs(found: ImportedModel, given: Call) -> ImportedModel:
    """Inputs given in float16 remain float16: their conversion is exact."""
    inputs = list(zip(found.model.graph.inputs, given.tensors(), strict=False))
    halves = {value.name: value for value, tensor in inputs if tensor.dtype == torch.float16}
    for value in halves.values():
        take_half(found.model.graph, value)

    def in_half(sample: dict[str, Array]) -> dict[str, Array]:
        return {name: a.astype(np.float16) if name in halves else a for name, a in sample.items()}

    return replace(found, examples=in_half(found.examples), extra_samples=tuple(map(in_half, found.extra_samples)))


def imported(request: ExportRequest, call: Call, result: Any, model: ir.Model, memory: Memory) -> ImportedModel:
    """The exported graph with named inputs and outputs, its reference, and samples for each side of its branches."""
    for value, name in zip(model.graph.inputs, request.input_names, strict=False):
        value.name = name
    names = name_interface(model.graph, output_names(result))
    separate_weights(model.graph)
    results = [v.name or "" for v in model.graph.outputs]
    name_dims(model, request.dynamic)
    held = open_states(model)
    examples = dict(zip(names, (t.detach().numpy() for t in call.tensors()), strict=True))
    with memory.fresh():
        initial = contents(request.module, held)
    examples.update({b.input: initial[b.output] for b in held})
    reference = TorchReference(request.module, call, names, results, held, memory)
    extra: list[dict[str, Array]] = []
    branches: list[Covered] = []
    runtime = request.rewritten.runtime
    if runtime.selected or runtime.unchecked or request.rewritten.watches or runtime.handled:
        extra, branches = _covered(request, reference, examples)
    told = tuple(d for b in branches for d in _told(b))
    told += tuple(_unchecked(site) for site in request.rewritten.runtime.unchecked)
    return ImportedModel(
        request.name, request.source, model, reference, examples, told, tuple(extra), tuple(branches), request.dynamic
    )


def _covered(
    request: ExportRequest, reference: TorchReference, examples: dict[str, Array]
) -> tuple[list[dict[str, Array]], list[Covered]]:
    try:
        return cover(request.rewritten, reference.run, samples_like(examples, 2))
    except CaughtError as caught:
        raise caught.refused from None


def _translated(request: ExportRequest, call: Call, probe: Probe) -> ir.Model:
    """Export and translate. Repeated for each data-dependent number that cannot be expressed, and if the trace finds
    further states.
    """
    request.rewritten.runtime.forks.keeps = probe.way_keeps
    while True:
        program = _export(request, call, probe)
        if probe.further():
            continue
        check_constants(program.constants.values(), probe.first, probe.computed, probe.lines.of_difference)
        try:
            return to_onnx(program)
        except EdgecError as failure:
            if not request.rewritten.runtime.forks.of_numbers(failure):
                raise


def to_onnx(exported: torch.export.ExportedProgram) -> ir.Model:
    """Translate an exported program, without torch's own optimizer. Raises `EdgecError` E0202."""
    try:
        with torch.no_grad():
            model = translate(exported) if make_functional(exported) else translate_decomposed(exported)
    except EdgecError:
        raise
    except Exception as failure:  # torch raises anything from RuntimeError to private classes
        raise refusal(failure, "translating") from failure
    for name, body in exported.graph_module.meta.get(BODIES, {}).items():
        add_body(model, to_onnx(body), name)
    return model


def _export(request: ExportRequest, call: Call, probe: Probe) -> torch.export.ExportedProgram:
    module, shapes = request.module, dynamic_shapes(request, call)

    changing: set[str] = set()

    def export() -> torch.export.ExportedProgram:
        runtime = request.rewritten.runtime
        flags = ModuleFlags(module, changing)
        with (
            probe.traced(),
            runtime.knowing(flags.value),
            eager(module),
            Overrides(),
            flags,
            scripts_as_graphs(module, runtime),
            runtime.forks.applied(module),
            plain_fake_quantizers(module),
            bound_anew(module),
            moved_nowhere(),
            lines_of_helpers(),
            Numbers(),
            EscapeGuard() as watched,
        ):
            program = torch.export.export(module, call.args, call.kwargs, dynamic_shapes=shapes, strict=False)
        watched.check()
        runtime.symbols = watched.symbols
        changing.update(changed_buffers(program))
        if changing & flags.asked:
            return export()  # they are data, which change between runs
        if any(getattr(n.target, "__module__", "").startswith("torch._functorch") for n in program.graph.nodes):
            program = program.run_decompositions({})  # which evaluates `vmap`
        check_initialized(program, lambda: probe.run(0))
        fold_weights(program)
        program = place_views(program)
        replace_masked_writes(program)
        decompose(program, request.extension)
        check_own(program)
        return program

    checked = Assumed(lambda found: check_sizes(request, call, found)) if request.dynamic else contextlib.nullcontext()
    try:
        with checked:
            return export_with_autograph(export, request.rewritten)
    except (EdgecError, MoreGeneralError, NarrowedError):
        raise
    except Exception as failure:  # as above
        raise refusal(failure, "tracing") from failure


def _told(branch: Covered) -> list[Diagnostic]:
    """A note that a branch was rewritten, and a warning for each side that no sample covers."""
    note = Diagnostic(
        "E0208",
        f"this `{branch.site.kind}` depends on data: {branch.how}",
        branch.site.place,
        severity=Severity.NOTE,
    )
    untaken = [
        warning(
            "E0209",
            f"no sample was found for which this `{branch.site.kind}` {what}",
            place=branch.site.place,
            notes=["this case was not verified"],
            help=["give example inputs for this case"],
        )
        for what in branch.missing
    ]
    return [note, *untaken]


def _unchecked(site: Site) -> Diagnostic:
    return Diagnostic(
        "E0215",
        f"this `{site.kind}` checks the data and is removed: an artifact cannot raise exceptions",
        site.place,
        notes=("where the source raises an exception, the artifact continues as if the check held",),
        severity=Severity.NOTE,
    )


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Suppress output of torch and onnxscript, to stdout, stderr and logs, that is of no use to users of edgec."""
    names = ("torch.onnx", "torch.onnx._internal", "onnxscript", "torch.export", "torch.fx", "torch._dynamo")
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        silent = io.StringIO()
        with warnings.catch_warnings(), contextlib.redirect_stdout(silent), contextlib.redirect_stderr(silent):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
