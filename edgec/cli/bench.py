"""`edgec bench`: how long an artifact takes, here or on a device."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgec.cli.artifacts import ArtifactPath, Inputs
from edgec.cli.document import print_json
from edgec.cli.request_options import Json
from edgec.cli.run import guarded, show

if TYPE_CHECKING:
    from edgec.compiler.bench import DeviceRequest
    from edgec.devices.measurement import Measurement

_RUNS_HERE = 50


def bench_command(
    artifact: ArtifactPath,
    input: Inputs = None,
    device: Annotated[
        str | None, typer.Option(help="The device's profile, whose [reach] says how it is reached and its limits.")
    ] = None,
    on: Annotated[
        str | None,
        typer.Option(
            help="Where to run: local (the default), qemu (TFLite, emulated Arm kernels), adb:SERIAL[@HOST:PORT] or "
            "ssh://[USER@]HOST[:PORT] (TFLite), mac or apple:DEVICE:APP (Core ML)."
        ),
    ] = None,
    unit: Annotated[str, typer.Option(help="On a device, the unit that is measured: cpu, gpu or npu.")] = "cpu",
    threads: Annotated[int, typer.Option(min=1, help="On a device, the number of CPU threads.")] = 1,
    runs: Annotated[
        int | None,
        typer.Option(min=1, help="The number of single runs to time (default: 50; on a device 1024, in five tries)."),
    ] = None,
    seconds: Annotated[
        float, typer.Option(min=0.1, help="On a device, stop after this time, however many runs there were.")
    ] = 60.0,
    warm_up: Annotated[int, typer.Option(min=1, help="On a device, the runs before each try that do not count.")] = 10,
    benchmark_model: Annotated[
        str | None,
        typer.Option(help="LiteRT's benchmark_model: a path on the device, or one here, which is pushed."),
    ] = None,
    wait: Annotated[
        float, typer.Option(min=0, help="The seconds to wait for a device that is too hot or too low on battery.")
    ] = 600.0,
    limit: Annotated[float, typer.Option(min=1, help="The seconds after which a run on a device is stopped.")] = 300.0,
    record: Annotated[
        bool, typer.Option("--record", help="Append the measurement of a device to measurements/DEVICE.jsonl.")
    ] = False,
    json: Json = False,
) -> None:
    """Measure the latency of an artifact: of single runs on this machine, or on a device.

    On a device the outputs are compared with those of a run on this machine first; an artifact that computes something
    else there is not timed.
    """

    def body() -> int:
        from edgec.diag import error
        from edgec.spec.reach import DeviceUse, is_device_address

        if device is None and not is_device_address(on or ""):
            if record:
                raise error("E0101", "`--record` is for devices", help=["name one: `--device NAME` or `--on ADDRESS`"])
            return _here(artifact, input, on or "local", runs or _RUNS_HERE, as_document=json)
        from dataclasses import replace

        from edgec.compiler.bench import DeviceRequest, reach_device
        from edgec.devices.measurement import Amount

        if unit not in ("cpu", "gpu", "npu"):
            raise error("E0101", f"`--unit {unit}` is not cpu, gpu or npu")
        if device is not None and on is not None and not is_device_address(on):
            raise error("E0101", "`--on` beside `--device` must be an address", help=["remove one of them"])
        name, reach = reach_device(device, on)
        if benchmark_model is not None:
            reach = replace(reach, benchmark_model=benchmark_model)
        amount = Amount(warm_up, runs, seconds) if runs is not None else Amount(warm_up, seconds=seconds)
        request = DeviceRequest(name, DeviceUse(reach, unit, threads, limit), amount, wait)
        return _there(artifact, input, request, keep=record, as_document=json)

    raise typer.Exit(guarded(body, as_document=json))


def _here(artifact: Path, input: list[str] | None, on: str, runs: int, *, as_document: bool) -> int:
    from dataclasses import asdict

    from edgec.artifact.locate import locate
    from edgec.compiler.timing import open_for_timing
    from edgec.measure.arrays import check_arrays, draw_arrays, load_arrays
    from edgec.measure.inspection import inspect
    from edgec.measure.latency import measure

    found = locate(artifact)
    features = inspect(found.path).inputs
    arrays = check_arrays(load_arrays(input, features), features) if input else draw_arrays(features)
    with open_for_timing(found, on) as runner:
        result = measure(runner, arrays, runs)
    if as_document:
        print_json({"artifact": str(found.path), "kind": "measured", "on": on, **asdict(result)})
    else:
        where = "on this machine, one thread" if on in ("local", "qemu") else f"on `{on}`"
        print(f"{result.p50_ms:.3f} ms median of {result.runs} runs by {result.runner} {where}")
        if on == "qemu":
            print("measured under an emulator: this does not predict the latency on a device")
        print(f"{result.p10_ms:.3f} to {result.p90_ms:.3f} ms (10th to 90th percentile), min {result.least_ms:.3f}")
    return 0


def _there(artifact: Path, input: list[str] | None, request: DeviceRequest, *, keep: bool, as_document: bool) -> int:
    from datetime import UTC, datetime

    from edgec.artifact.locate import locate
    from edgec.compiler.bench import bench_on_device
    from edgec.devices.record import FOLDER, document, record
    from edgec.measure.arrays import check_arrays, draw_arrays, load_arrays
    from edgec.measure.inspection import inputs_of

    found = locate(artifact)
    features = inputs_of(found.path)
    samples = (
        [check_arrays(load_arrays(input, features), features)]
        if input
        else [draw_arrays(features, seed) for seed in (0, 1)]
    )
    subject, measured = bench_on_device(found, samples, request, lambda text: print(text, file=sys.stderr, flush=True))
    show(_doubts(measured))
    when = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if keep:
        print(f"recorded in {record(FOLDER, subject, measured, when)}", file=sys.stderr)
    if as_document:
        print_json(document(subject, measured, when, ""))
    else:
        print("\n".join(_lines(measured)))
    return 0


def _doubts(measured: Measurement) -> list[Any]:
    from edgec.diag import warning

    s = measured.statistics
    if s.stable:
        return []
    tries = ", ".join(f"{t:.4g}" for t in s.tries_ms)
    return [
        warning(
            "E0707",
            f"the measurement is unstable: the tries spread by {s.spread:.0%}",
            notes=[f"medians of the tries: {tries} ms"],
            help=["close other programs, fix the CPU's frequency governor, let the device cool between tries"],
        )
    ]


def _lines(m: Measurement) -> list[str]:
    s, after = m.statistics, m.after
    main = f"{s.p50_ms:.3f} ms median" if s.p50_ms is not None else f"{s.mean_ms:.3f} ms mean"
    lines = [f"{main} of {s.runs:,} runs on {m.device}, {m.unit}, by {m.runtime}"]
    if s.p90_ms is not None and s.p99_ms is not None:
        lines.append(f"{s.p90_ms:.3f} ms 90th, {s.p99_ms:.3f} ms 99th percentile, {s.least_ms:.3f} ms least")
    else:
        lines.append(f"{s.least_ms:.3f} to {s.largest_ms:.3f} ms; the tool gives no single runs")
    lines.append(f"tries spread by {s.spread:.1%}" + ("" if s.stable else ": unstable"))
    told = [
        m.identity.model,
        m.identity.os,
        f"{after.temperature_c:.1f} °C afterwards" if after.temperature_c is not None else "",
        f"battery {after.battery_percent:.0f} %" if after.battery_percent is not None else "",
        f"governor {after.governor}" if after.governor else "",
    ]
    return [*lines, ", ".join(text for text in told if text)]
