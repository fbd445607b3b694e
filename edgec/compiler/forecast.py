"""The latency of a source as built for a target, predicted: everything but the artifact is made."""

from __future__ import annotations

from dataclasses import dataclass

from edgec.artifact.manifest import Latency, PlacementInfo
from edgec.backends.table import backend
from edgec.backends.traffic import bytes_moved
from edgec.compiler import manifest
from edgec.compiler.canonical_model import CanonicalModel
from edgec.compiler.options import BuildOptions, Progress, options_of, targets_of
from edgec.compiler.range_samples import within_ranges
from edgec.compiler.stages import lower, predicted, prepare
from edgec.diag import error
from edgec.frontend.request import SourceRequest, source_name
from edgec.frontend.requested import sources_of
from edgec.measure.predict import Cost, instruction_ms
from edgec.spec.device import load_device
from edgec.spec.project import ModelRequest
from edgec.spec.target import Target


@dataclass(frozen=True)
class Step:
    """One instruction's share of a predicted run, in milliseconds, and where it comes from."""

    op: str
    place: str
    ms: float


@dataclass(frozen=True)
class Forecast:
    """A predicted run: the total, its instructions from the dearest on, and the units that they lie on.

    `ops` counts the instructions of the program by operation, as a manifest does.
    """

    latency: Latency
    steps: list[Step]
    placement: PlacementInfo
    ops: dict[str, int]


def predict_model(model: ModelRequest, progress: Progress) -> dict[str, Forecast]:
    """Predict a model's source, and behind it each of its functions, by name.

    Raises `EdgecError` E0101 where it has not one target, E0702 where no device is known.
    """
    if len(model.target) != 1:
        what = f"{len(model.target)} targets are given" if model.target else "no target was given"
        raise error("E0101", what, help=["add one `--target`; `edgec targets` lists them"])
    sources = sources_of(model)
    options = options_of(model, sources)
    named = [(source_name(sources.main), sources.main), *sources.functions]
    return {name: predict_source(source, model.target[0], options, progress) for name, source in named}


def predict_source(source: SourceRequest, name: str, options: BuildOptions, progress: Progress) -> Forecast:
    """Predict the latency of a source as a build makes it for a target, in the precision that the target asks for.

    Raises `EdgecError` E0702 where no device is known.
    """
    (target,) = targets_of([name], options)
    device_name = options.device or (target.devices[0] if target.devices else None)
    if device_name is None:
        raise error(
            "E0702", f"target `{target.name}` names no device", help=["add `--device`; `edgec devices` lists them"]
        )
    load_device(device_name)  # a mistyped device is told before minutes of work, not after
    return forecast(prepare(source, options, progress), target, device_name, options, progress)


def forecast(
    prepared: CanonicalModel, target: Target, device_name: str, options: BuildOptions, progress: Progress
) -> Forecast:
    """Predict the latency of a canonical model on a device, as a build makes it for a target."""
    device = load_device(device_name)
    canonical, _ = within_ranges(prepared, target)
    chosen = backend(target.backend, options.via)
    progress(f"{target.name}: legalize and lower")
    program = lower(canonical, target, chosen).program
    (latency,) = predicted(chosen, program, target, device_name)
    model = device.latency[target.backend]
    steps = [
        Step(i.op, str(i.place or ""), instruction_ms(Cost(chosen.macs(i), bytes_moved(i)), model))
        for i in program.every_instr()
    ]
    placement = manifest.placement_info(chosen.placement(program, target))
    ordered = sorted(steps, key=lambda step: -step.ms)
    return Forecast(latency, ordered, placement, manifest.histogram(program))
