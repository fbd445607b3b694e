"""`edgec predict`: the latency of a source on a device, without writing anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from edgec.cli.completion import complete_target
from edgec.cli.document import print_json
from edgec.cli.progress import Progress
from edgec.cli.request_options import Json, Quiet, Sources, one_model, takes
from edgec.cli.run import guarded
from edgec.spec.request_options import SourceOptions, TargetOptions

if TYPE_CHECKING:
    from edgec.artifact.manifest import Latency, PlacementInfo
    from edgec.compiler.forecast import Asked, Forecast
    from edgec.spec.project import ModelRequest


@takes(SourceOptions, TargetOptions)
def predict_command(
    options: SourceOptions,
    settings: TargetOptions,
    source: Sources = None,
    target: Annotated[str | None, typer.Option(help="The target to build for.", autocompletion=complete_target)] = None,
    device: Annotated[
        list[str] | None, typer.Option(help="A device to predict for, or `all`. Default: the target's first device.")
    ] = None,
    unit: Annotated[str | None, typer.Option(help="The processor: cpu, gpu or npu. Default: the fastest kind.")] = None,
    what_if: Annotated[bool, typer.Option("--what-if", help="Also on other units and in other precisions.")] = False,
    rank: Annotated[bool, typer.Option("--rank", help="Rank several sources.")] = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Predict the latency of SOURCE on devices, and the operators that dominate it; or rank several sources."""

    def body() -> int:
        from edgec.compiler.forecast import Asked
        from edgec.diag import error

        asked = Asked(tuple(device or ()), unit)
        if unit not in (None, "cpu", "gpu", "npu"):
            raise error("E0101", f"`{unit}` is no unit", help=["the units are cpu, gpu and npu"])
        names: list[str | None] = [*source] if source else [None]
        if len(names) > 1 and not rank:
            raise error("E0101", f"{len(names)} sources are given", help=["add `--rank` to compare them"])
        wanted = [target] if target else None
        models = [one_model(name, options, settings, quiet=quiet or json, target=wanted) for name in names]
        with Progress(quiet=json or quiet) as progress:
            return _rank(models, asked, progress, json) if rank else _predict(models[0], asked, progress, json, what_if)

    raise typer.Exit(guarded(body, as_document=json))


def _predict(model: ModelRequest, asked: Asked, progress: Progress, json: bool, what_if: bool) -> int:
    from dataclasses import asdict

    from edgec.compiler.forecast import predict_model

    first, *others = predict_model(model, progress, asked).items()
    if json:
        print_json({**asdict(first[1]), "functions": {name: asdict(found) for name, found in others}})
        return 0
    _print_forecast(first[1], what_if)
    for name, found in others:
        print(f"function {name}:")
        _print_forecast(found, what_if)
    return 0


def _rank(models: list[ModelRequest], asked: Asked, progress: Progress, json: bool) -> int:
    from dataclasses import asdict

    from edgec.compiler.ranking import rank

    found = rank(models, asked, progress)
    if json:
        print_json({"ranked": [asdict(r) for r in found]})
        return 0
    for i, r in enumerate(found):
        said = "" if r.is_slower or not i else "  not significantly slower"
        print(f"{_ms(r.latency)}  {r.source}{said}")
    print(f"on {found[0].latency.device}, {found[0].latency.method}")
    return 0


def _ms(found: Latency) -> str:
    return f"{found.p50_ms:9.3f} ms ({found.low_ms:.3f} to {found.high_ms:.3f})"


def _print_forecast(found: Forecast, what_if: bool) -> None:
    total = found.latency
    print(f"{_ms(total).strip()} on {total.device}, {total.method}")
    for reason in total.reasons:
        print(f"  = outside: {reason}")
    for other in found.others:
        print(f"{_ms(other)} on {other.device}, {other.method}")
    for other in found.what_if if what_if else ():
        print(f"{_ms(other)} if on {other.method}")
    for step in found.steps[:_DEAREST]:
        print(f"{step.ms:9.3f} ms  {step.op:24} {step.bound:9} {step.place}")
    print(f"{found.run_ms:9.3f} ms  beside the operators: starting a run, its inputs and outputs")
    memory = found.memory
    print(f"memory: {memory.weights_mib:.1f} MiB of weights, {memory.values_mib:.1f} MiB of values at once")
    if not memory.fits:
        print(f"  = this is more than a quarter of the device's {memory.device_mib:.0f} MiB: it may not fit")
    _print_placement(found.placement)


_DEAREST = 10
"""How many of the dearest instructions are shown."""
_SHOWN = 10
"""How many operators off the first unit are listed; `--json` has all."""


def _print_placement(placement: PlacementInfo) -> None:
    if not placement.units:
        return
    units = ", ".join(f"{count} on {unit}" for unit, count in placement.units.items())
    print(f"placement ({placement.kind}): {units}; the unit changes {placement.switches} times")
    for off in placement.off[:_SHOWN]:
        print(f"  {off.op:24} {off.unit}: {off.rule}  {off.module or off.node}")
    if len(placement.off) > _SHOWN:
        print(f"  and {len(placement.off) - _SHOWN} more")
    for about, said in placement.evidence.items():
        print(f"  = {about}: {said}")
