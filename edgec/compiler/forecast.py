"""Predicts the latency of a source as built for a target, with all stages up to the program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from edgec.artifact.manifest import Latency, PlacementInfo
from edgec.backends.table import backend
from edgec.compiler import manifest
from edgec.compiler.canonical_model import CanonicalModel
from edgec.compiler.latency import alternatives, as_latency, estimated, runs
from edgec.compiler.options import BuildOptions, Progress, options_of, targets_of
from edgec.compiler.range_samples import within_ranges
from edgec.compiler.stages import lower, prepare
from edgec.diag import error
from edgec.frontend.request import SourceRequest, source_name
from edgec.frontend.requested import sources_of
from edgec.latency.estimate import Estimate, choose
from edgec.latency.features import Features, features
from edgec.spec.device import list_devices, load_device
from edgec.spec.project import ModelRequest
from edgec.spec.target import Target


@dataclass(frozen=True)
class Step:
    """One instruction's share of a predicted run, in milliseconds, and where it comes from.

    `bound`: what dominates it: `compute`, `bandwidth` or `overhead`.
    """

    op: str
    place: str
    ms: float
    bound: str


@dataclass(frozen=True)
class Memory:
    """Mebibytes of constants, of the largest set of live values, and of the device's memory (0 if unknown)."""

    weights_mib: float
    values_mib: float
    device_mib: float

    @property
    def fits(self) -> bool:
        """Whether both together take at most a quarter of the device's memory: some systems give an app no more."""
        return not self.device_mib or self.weights_mib + self.values_mib <= self.device_mib / 4


@dataclass(frozen=True)
class Forecast:
    """A predicted run: the total, its instructions by decreasing cost, and the units on which they run.

    `run_ms`: the cost of a run besides its instructions. `others`: the same program on further devices; `what_if`: on
    other units and in other precisions of the first device. `ops` counts the program's instructions by operation, as a
    manifest does.
    """

    latency: Latency
    run_ms: float
    steps: list[Step]
    placement: PlacementInfo
    memory: Memory
    ops: dict[str, int]
    others: list[Latency] = field(default_factory=list)
    what_if: list[Latency] = field(default_factory=list)


@dataclass(frozen=True)
class Asked:
    """The devices to predict for (by default the target's first; `all` for every one), and the unit."""

    devices: tuple[str, ...] = ()
    unit: str | None = None


def predict_model(model: ModelRequest, progress: Progress, asked: Asked = Asked()) -> dict[str, Forecast]:
    """Predict a model's source and each of its functions, by name.

    Raises `EdgecError` E0101 unless there is one target, E0702 if no device is known.
    """
    if len(model.target) != 1:
        what = f"{len(model.target)} targets are given" if model.target else "no target was given"
        raise error("E0101", what, help=["add one `--target`; `edgec targets` lists them"])
    sources = sources_of(model)
    options = options_of(model, sources)
    named = [(source_name(sources.main), sources.main), *sources.functions]
    return {name: predict_source(source, model.target[0], options, progress, asked) for name, source in named}


def predict_source(
    source: SourceRequest, name: str, options: BuildOptions, progress: Progress, asked: Asked = Asked()
) -> Forecast:
    """Predict the latency of a source as built for a target, in the target's precision.

    Raises `EdgecError` E0702 if no device is known, or one does not run the target.
    """
    (target,) = targets_of([name], options)
    devices = devices_for(target, asked.devices or ((options.device,) if options.device else ()))
    for device in devices:  # so that errors are reported before minutes of work
        quantized = target.numerics.compute == "int8"
        choose(device, target.backend, quantized=quantized, unit=asked.unit)
    return forecast(prepare(source, options, progress), target, devices, options, progress, asked.unit)


def devices_for(target: Target, asked: Sequence[str]) -> list[str]:
    """The requested devices. Raises `EdgecError` E0105, and E0702 for one that does not run the target."""
    if list(asked) == ["all"]:
        return [name for name in list_devices() if runs(name, target)]
    if asked:
        for name in asked:
            if not runs(name, target):
                profile = load_device(name)
                raise error(
                    "E0702",
                    f"device `{name}` does not run target `{target.name}`",
                    notes=[f"it runs {', '.join(profile.targets)}"],
                    help=["choose a device of the target; `edgec devices` lists them"],
                )
        return list(asked)
    if not target.devices:
        raise error(
            "E0702", f"target `{target.name}` names no device", help=["add `--device`; `edgec devices` lists them"]
        )
    return [target.devices[0]]


def forecast(
    prepared: CanonicalModel,
    target: Target,
    devices: Sequence[str],
    options: BuildOptions,
    progress: Progress,
    unit: str | None = None,
) -> Forecast:
    """Predict the latency of a canonical model on devices, as built for a target."""
    canonical, _ = within_ranges(prepared, target)
    chosen = backend(target.backend, options.via)
    progress(f"{target.name}: legalize and lower")
    program = lower(canonical, target, chosen).program
    first, *others = (estimated(chosen, program, target, name, unit) for name in devices)
    each = first.times.each
    steps = [
        Step(instr.op, str(instr.place or ""), float(each[i]), first.times.bound(i))
        for i, instr in enumerate(program.every_instr())
    ]
    return Forecast(
        as_latency(first),
        first.times.run,
        sorted(steps, key=lambda step: -step.ms),
        manifest.placement_info(chosen.placement(program, target)),
        _memory(features(program, chosen.work), first),
        manifest.histogram(program),
        [as_latency(other) for other in others],
        [as_latency(found) for found in alternatives(chosen, program, target, first)],
    )


def _memory(found: Features, first: Estimate) -> Memory:
    held = first.predictor.format
    dram = load_device(first.device).memory.get("dram_mib")
    values, weights = found.live * held.value_bytes, float(found.weights.sum()) * held.weight_bytes
    return Memory(weights / 2**20, values / 2**20, dram.value if dram else 0.0)
