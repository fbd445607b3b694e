"""Artifacts on devices: run, compared, timed, recorded; and nothing is left there."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from typer.testing import CliRunner, Result

from edgec.cli.app import app
from edgec.compiler.build import build
from edgec.compiler.options import BuildOptions
from edgec.devices.record import read_records
from edgec.devices.runner import DeviceRunner
from edgec.diag import EdgecError
from edgec.frontend.dynamic import parse_dynamic
from edgec.frontend.request import SourceRequest
from edgec.runners.open import open_runner
from edgec.spec.device import load_device
from edgec.spec.reach import DeviceUse
from tests.doubles.sshd import Server
from tests.sdk.devices.conftest import Phone, Place, python


def edgec(*arguments: object) -> Result:
    return CliRunner().invoke(app, list(map(str, arguments)))


def given() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(7)
    shapes = {"x": (1, 3, 16, 16), "gain": (1, 10)}
    return {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}


def test_a_board_is_measured_and_recorded(board: Server, place: Place, artifact: Path) -> None:
    done = edgec("bench", artifact, "--device", "board", "--runs", 50, "--record", "--json")
    assert done.exit_code == 0, done.output
    shown = json.loads(done.stdout)
    (line,) = read_records(place.folder / "measurements/board.jsonl")
    assert (shown["p50_ms"], shown["tries_ms"]) == (line["p50_ms"], line["tries_ms"])
    assert line["address"] == "ssh://board"
    assert line["runtime"].startswith("ai-edge-litert ")
    assert line["artifact"]["sha256"] == json.loads((artifact / "manifest.json").read_text())["artifact"]["sha256"]
    assert line["accuracy"]["max_rel"] <= 1e-4
    assert line["identity"]["kernel"].startswith("Linux")
    samples = np.load(place.folder / "measurements" / line["samples"])
    assert samples.size == line["runs"] == 50
    assert line["p50_ms"] == pytest.approx(np.median(samples))
    assert list(board.scratch.iterdir()) == []


def test_a_phone_is_measured_and_recorded(phone: Phone, place: Place, artifact: Path) -> None:
    done = edgec("bench", artifact, "--device", "phone", "--runs", 50, "--record")
    assert done.exit_code == 0, done.output
    (line,) = read_records(place.folder / "measurements/phone.jsonl")
    assert (line["identity"]["model"], line["identity"]["soc"]) == ("Double", "D1")
    assert (line["before"]["temperature_c"], line["after"]["battery_percent"]) == (31.0, 80.0)
    assert (line["runs"], line["p50_ms"], line["samples"]) == (50, None, "")
    assert 0 < line["least_ms"] <= line["mean_ms"] <= line["largest_ms"]
    assert line["runtime"].startswith("benchmark_model, sha256 ")
    assert line["delegate"] == "--use_xnnpack=true"
    assert list(phone.device.sandbox.iterdir()) == []


def test_both_compute_what_this_machine_computes(board: Server, phone: Phone, place: Place, artifact: Path) -> None:
    path = next(artifact.glob("*.tflite"))
    with open_runner(path) as here:
        expected = here.run(given())
    for name in ("board", "phone"):
        with DeviceRunner(path, DeviceUse(load_device(name).reach)) as there:
            found = there.run(given())
        assert list(found) == list(expected)
        for key, array in expected.items():
            np.testing.assert_allclose(found[key], array, rtol=1e-5, atol=1e-6)


def test_check_compares_the_device_with_the_source(
    board: Server, artifact: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgec.devices.python_engine.PYTHON", sys.executable)
    source = next(parent / "net.onnx" for parent in artifact.parents if (parent / "net.onnx").is_file())
    done = edgec("check", artifact, "--against", source, "--on", f"ssh://{board.host}")
    assert done.exit_code == 0, done.output
    assert "litert on ssh://board" in done.output


def test_a_file_with_an_open_size_runs_on_a_board(board: Server, tmp_path: Path) -> None:
    graph = helper.make_graph(
        [helper.make_node("Softmax", ["x"], ["y"], axis=-1)],
        "open",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 5])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 5])],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), tmp_path / "o.onnx")
    report = build(
        SourceRequest(str(tmp_path / "o.onnx"), dynamic=tuple(parse_dynamic("x:0=n:2..8"))),
        ["android"],
        BuildOptions(out=tmp_path),
        lambda step: None,
    )
    assert not report.errors
    given = tmp_path / "x.npy"
    np.save(given, np.random.default_rng(0).standard_normal((7, 5)).astype(np.float32))
    done = edgec("bench", report.built[0].folder, "--device", "board", "--runs", 5, "--input", given)
    assert done.exit_code == 0, done.output


def test_ctrl_c_leaves_nothing(board: Server, artifact: Path) -> None:
    command = [sys.executable, "-m", "edgec", "bench", str(artifact), "--device", "board", "--seconds", "300"]
    process = subprocess.Popen([*command, "--runs", "100000000"], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert "right on" in process.stderr.readline()
    time.sleep(1)
    assert list(board.scratch.iterdir()) != []
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    assert list(board.scratch.iterdir()) == []
    assert _working_in(board.scratch) == []


def test_what_a_killed_process_left_is_removed_at_the_next_contact(board: Server, artifact: Path) -> None:
    path = next(artifact.glob("*.tflite"))
    command = [sys.executable, "-m", "edgec", "bench", str(artifact), "--device", "board", "--seconds", "300"]
    process = subprocess.Popen([*command, "--runs", "100000000"], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert "right on" in process.stderr.readline()
    with pytest.raises(EdgecError, match="E0704"), DeviceRunner(path, DeviceUse(load_device("board").reach)):
        pass
    process.kill()
    process.wait()
    assert list(board.scratch.iterdir()) != []
    with DeviceRunner(path, DeviceUse(load_device("board").reach)):
        assert _working_in(board.scratch) == []
    assert list(board.scratch.iterdir()) == []
    assert _working_in(board.scratch) == []


def _working_in(folder: Path) -> list[int]:
    """The processes whose folder is there, or was."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                where = os.readlink(entry / "cwd")
            except OSError:
                continue
            if where.startswith(str(folder)):
                found.append(int(entry.name))
    return found


def test_the_gpu_is_not_silently_the_cpu(phone: Phone, artifact: Path) -> None:
    refused = edgec("bench", artifact, "--device", "phone", "--unit", "gpu", "--runs", 5)
    assert refused.exit_code == 1
    assert "the CPU would have been measured" in refused.output
    phone.device.environment["FAULT"] = "gpu"
    assert edgec("bench", artifact, "--device", "phone", "--unit", "gpu", "--runs", 5).exit_code == 0


def test_a_tool_of_this_machine_is_pushed_and_removed(phone: Phone, place: Place, artifact: Path) -> None:
    tool = phone.program("benchmark_model", (phone.device.bin / "benchmark_model").read_text())
    mine = tool.rename(place.folder / "my_benchmark_model")
    place.profile("bare", f'runner = "adb"\nserial = "{phone.serial}"')
    refused = edgec("bench", artifact, "--device", "bare", "--runs", 5)
    assert refused.exit_code == 4
    assert "--benchmark-model PATH" in refused.output
    done = edgec("bench", artifact, "--device", "bare", "--benchmark-model", mine, "--runs", 5)
    assert done.exit_code == 0, done.output
    assert mine.is_file()
    assert list(phone.device.sandbox.iterdir()) == []


def test_another_device_than_the_profiles_is_refused(phone: Phone, place: Place, artifact: Path) -> None:
    place.profile("pixel", f'runner = "adb"\nserial = "{phone.serial}"\nmodel = "Pixel 8"\nbenchmark_model = "x"')
    refused = edgec("bench", artifact, "--device", "pixel", "--record")
    assert refused.exit_code == 4
    assert "it calls itself `Double`" in refused.output
    assert place.recorded == []


def test_a_board_without_litert_is_told(board: Server, place: Place, artifact: Path) -> None:
    line = python("/nowhere/python")
    place.profile("bare", f'runner = "ssh"\nhost = "board"\nfolder = "{board.scratch}"\n{line}')
    refused = edgec("bench", artifact, "--device", "bare")
    assert refused.exit_code == 4
    assert "there is no `/nowhere/python`" in refused.output
    assert list(board.scratch.iterdir()) == []
