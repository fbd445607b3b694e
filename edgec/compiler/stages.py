"""The order of the stages, and the only module that knows it: one function a stage, and two that run them.

source -> `prepare` -> canonical model -> `lower` -> program -> `candidate` -> artifact with its verdict
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edgec.backends.base import Backend, QuantizingBackend
from edgec.compiler.calibration_data import calibration_data
from edgec.compiler.canonical_model import CanonicalModel, KernelCalls
from edgec.compiler.custom_kernels import verify_unrun
from edgec.compiler.input_ranges import check_ranges, with_ranges
from edgec.compiler.interface_names import check_names
from edgec.compiler.manifest import Lowered
from edgec.compiler.options import BuildOptions, Progress
from edgec.compiler.samples import sample, warned
from edgec.diag import Diagnostic
from edgec.frontend.constant_inputs import with_constants
from edgec.frontend.dispatch import import_source
from edgec.frontend.imported import ImportedModel
from edgec.frontend.request import SourceRequest
from edgec.ir.kernels import has_calls, operators_with_kernels, with_bodies, with_calls
from edgec.ir.model import Model
from edgec.ledger.lint import lint_built
from edgec.measure.accuracy import Verdict
from edgec.measure.rounding import SourceRounding
from edgec.passes.canonicalize import canonicalize
from edgec.passes.remarks import Remark
from edgec.passes.verify import check_after_each, evaluate
from edgec.quantized.check import check_model
from edgec.quantized.qdq import in_qdq_format
from edgec.quantized.rounding import quantizes
from edgec.runners.base import Array
from edgec.runners.onnxruntime import OnnxRuntimeRunner
from edgec.spec.target import Target


def prepare(
    source: SourceRequest, options: BuildOptions, progress: Progress, targets: Sequence[Target] = ()
) -> CanonicalModel:
    """Import the source, canonicalize it and check it against the source (E0205).

    Raises `EdgecError` E0106 before that if none of the `targets` describes inputs and outputs that the source has.
    """
    progress(f"export {source.ref}")
    imported = import_source(source)
    if targets:
        check_names(imported, targets, options.via)
    found = prepare_imported(imported, options, progress)
    if source.calibrate is None:
        return found
    return replace(found, data=calibration_data(source.calibrate, found.model, found.imported.ranges))


def prepare_imported(imported: ImportedModel, options: BuildOptions, progress: Progress) -> CanonicalModel:
    """Canonicalize what a frontend gave and check it against the source (E0205)."""
    imported = with_constants(imported)
    check_ranges(imported.ranges, imported.model)
    imported, remarks = in_qdq_format(imported, options.disable)
    sampled = sample(imported)
    imported, samples = warned(imported, sampled.told), sampled.samples
    progress("canonicalize")
    exported = imported.model.clone() if quantizes(imported.model) else None
    if exported is not None:  # what strains a quantized model lies outside the ranges that it was given
        samples = [s for s in samples if not s.beyond]
    after = check_after_each(imported.model, samples[0].inputs, _ENGINES) if options.check_passes else None
    bodies = imported.model.clone() if has_calls(imported.model) else None
    canonical = canonicalize(imported.model, after, options.disable)
    model = canonical.model
    model.graph.name = imported.name
    rounding = SourceRounding(imported.reference)
    quantization, told = check_model(model, exported, samples, rounding)
    remarks = [*remarks, *canonical.remarks]
    checks = options.check_passes
    found = CanonicalModel(warned(imported, told), model, remarks, samples, rounding, quantization, checks)
    return found if bodies is None else replace(found, calls=_calls(found, bodies, options))


def _calls(canonical: CanonicalModel, bodies: Model, options: BuildOptions) -> KernelCalls:
    """The same model whose calls of the user's own kernels stay, checked with what these compute (E0205)."""
    model = canonicalize(with_calls(bodies), None, options.disable).model
    model.graph.name = canonical.imported.name
    check_model(with_bodies(model, bodies), None, canonical.samples, canonical.rounding)
    return KernelCalls(model, bodies)


def _by_onnxruntime(model: Model, inputs: Mapping[str, Array]) -> list[Array]:
    with OnnxRuntimeRunner(model, optimize=False) as runner:
        return list(runner.run(inputs).values())


_ENGINES = (_by_onnxruntime, evaluate)


def lower(canonical: CanonicalModel, target: Target, chosen: Backend, *, plain: bool = False) -> Lowered:
    """Legalize, and lower to a program, with the user's own kernels unless it is to be `plain`.

    Raises `EdgecError` E0412 with every refusal.
    """
    calls = None if plain else canonical.calls
    kernels = operators_with_kernels(calls.model, chosen.name) if calls is not None else []
    if calls is not None and kernels:
        return replace(lower(_called(canonical, calls), target, chosen, plain=True), kernels=tuple(kernels))
    target = with_ranges(target, canonical.model, canonical.imported.ranges)
    inputs = canonical.samples[0].inputs
    checks = canonical.check_passes
    after = check_after_each(canonical.model, inputs, _ENGINES, chosen.in_onnx) if checks else None
    legal = chosen.legalize(canonical.model, target, canonical.calibration, after)
    program, decided = chosen.lower(legal.model, target), list[Remark]()
    if target.numerics.quantizes and isinstance(chosen, QuantizingBackend):
        program, decided = chosen.quantize(program, target, canonical.calibration)
    remarks = [*canonical.remarks, *legal.remarks, *decided]
    return Lowered(canonical.imported, canonical.model, legal.model, program, remarks)


def _called(canonical: CanonicalModel, calls: KernelCalls) -> CanonicalModel:
    """The model with its calls in its place; no pass is checked by running what has no bodies."""
    return replace(canonical, model=calls.model, check_passes=False)


_STEPPED = 2
"""Samples on which integer kernels are compared with their reference."""


@dataclass(frozen=True)
class Candidate:
    """An artifact on disk, for the target as asked or one that keeps more in float32, and what running it showed.

    `told`: a warning (E0607) where it is not as asked. `findings`: what a device's loader would refuse (E0609) or run
    slowly (E0610).
    """

    target: Target
    lowered: Lowered
    path: Path
    verdict: Verdict
    told: tuple[Diagnostic, ...] = ()
    findings: tuple[Diagnostic, ...] = ()


def candidate(
    canonical: CanonicalModel, target: Target, chosen: Backend, folder: Path, progress: Progress
) -> Candidate:
    """Legalize, lower, assemble into the new `folder`, look at what a loader demands, run and judge."""
    folder.mkdir()
    progress(f"{target.name}: legalize and lower")
    lowered = lower(canonical, target, chosen)
    path = folder / f"{canonical.imported.name}.{chosen.format(target)}"
    progress(f"{target.name}: assemble {path.name}")
    chosen.assemble(lowered.program, target, path)
    findings = tuple(found.diagnostic() for found in lint_built(path))
    progress(f"{target.name}: verify")
    if lowered.kernels:
        seen = verify_unrun(canonical, lowered, lower(canonical, target, chosen, plain=True), target, chosen)
        return Candidate(target, lowered, path, seen.verdict, seen.told, findings)
    if target.numerics.activations is not None and isinstance(chosen, QuantizingBackend):
        typical = [sample.inputs for sample in canonical.typical[:_STEPPED]]
        checked = chosen.check_steps(lowered.program, target, path, typical)
        lowered = replace(lowered, remarks=[*lowered.remarks, *checked])
    with chosen.open(path, target) as runner:
        return Candidate(target, lowered, path, canonical.verify(runner, target.accept), findings=findings)
