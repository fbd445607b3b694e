"""`edgec predict`: the latency of a source on a device, without writing anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from edgec.cli.document import print_json
from edgec.cli.progress import Progress
from edgec.cli.request_options import Device, Json, Quiet, Source, one_model, takes
from edgec.cli.run import guarded
from edgec.spec.request_options import SourceOptions, TargetOptions

if TYPE_CHECKING:
    from edgec.artifact.manifest import PlacementInfo
    from edgec.compiler.forecast import Forecast


@takes(SourceOptions, TargetOptions)
def predict_command(
    options: SourceOptions,
    settings: TargetOptions,
    source: Source = None,
    target: Annotated[str | None, typer.Option(help="The target to build for.")] = None,
    device: Device = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Predict the latency of SOURCE on a device, and the operators that dominate it."""

    def body() -> int:
        from dataclasses import asdict

        from edgec.compiler.forecast import predict_model

        model = one_model(source, options, settings, quiet=quiet, target=[target] if target else None, device=device)
        with Progress(quiet=json or quiet) as progress:
            first, *others = predict_model(model, progress).items()
        if json:
            print_json({**asdict(first[1]), "functions": {name: asdict(found) for name, found in others}})
            return 0
        _print_forecast(first[1])
        for name, found in others:
            print(f"function {name}:")
            _print_forecast(found)
        return 0

    raise typer.Exit(guarded(body, as_document=json))


def _print_forecast(found: Forecast) -> None:
    total = found.latency
    print(f"{total.p50_ms:.3f} ms ({total.low_ms:.3f} to {total.high_ms:.3f}) on {total.device}, {total.method}")
    for reason in total.reasons:
        print(f"  = outside: {reason}")
    for step in found.steps[:_DEAREST]:
        print(f"{step.ms:9.3f} ms  {step.op:24} {step.bound:9} {step.place}")
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
