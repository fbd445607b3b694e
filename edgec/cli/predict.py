"""`edgec predict`: the latency of a source on a device, without writing anything."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgec.cli.document import print_json
from edgec.cli.progress import Progress
from edgec.cli.run import guarded

if TYPE_CHECKING:
    from edgec.artifact.manifest import PlacementInfo


def predict_command(
    source: Annotated[str, typer.Argument(help="file.py:attr, package.module:attr, .onnx, .pt2 or TorchScript.")],
    target: Annotated[str, typer.Option(help="The target to build for.")],
    device: Annotated[str | None, typer.Option(help="The device. Default: the target's first device.")] = None,
    input: Annotated[
        list[str] | None, typer.Option(help="An example input: NAME=SHAPE[:DTYPE], NAME=VALUE or NAME=@FILE.")
    ] = None,
    extension: Annotated[Path | None, typer.Option(help="A Python file that defines custom operators.")] = None,
    set: Annotated[list[str] | None, typer.Option("--set", help="Override a target's setting: KEY=VALUE.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print no progress.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout and nothing else.")] = False,
) -> None:
    """Predict the latency of SOURCE on a device, and the operators that dominate it."""

    def body() -> int:
        from dataclasses import asdict

        from edgec.compiler.forecast import predict_source
        from edgec.compiler.options import BuildOptions
        from edgec.frontend.extensions import extension_of
        from edgec.frontend.request import SourceRequest
        from edgec.frontend.samples.inputs import InputSpec

        specs = tuple(InputSpec.parse(i) for i in input or ())
        request = SourceRequest(source, specs, extension=extension_of(extension))
        with Progress(quiet=json or quiet) as progress:
            found = predict_source(request, target, BuildOptions(device=device, settings=tuple(set or ())), progress)
        if json:
            print_json(asdict(found))
            return 0
        total = found.latency
        print(f"{total.p50_ms:.3f} ms ({total.low_ms:.3f} to {total.high_ms:.3f}) on {total.device}, {total.method}")
        for step in found.steps[:15]:
            print(f"{step.ms:9.3f} ms  {step.op:24} {step.place}")
        _print_placement(found.placement)
        return 0

    raise typer.Exit(guarded(body, as_document=json))


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
