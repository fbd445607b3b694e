"""A board behind a real sshd, a phone behind a real adb, and an artifact for both."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgec.compiler.build import build
from edgec.compiler.options import BuildOptions
from edgec.frontend.request import SourceRequest
from tests.doubles.adbd import Device, adbd
from tests.doubles.sshd import Server, sshd
from tests.doubles.tools import tools

DOUBLES = Path(__file__).resolve().parents[2] / "doubles"


@pytest.fixture(scope="session")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small convolution network, with two inputs and two outputs."""
    rng = np.random.default_rng(0)
    weights = {"w": rng.standard_normal((8, 3, 3, 3)), "v": rng.standard_normal((8, 10))}
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]),
            helper.make_node("Relu", ["c"], ["features"]),
            helper.make_node("ReduceMean", ["features", "axes"], ["m"], keepdims=0),
            helper.make_node("MatMul", ["m", "v"], ["p"]),
            helper.make_node("Mul", ["p", "gain"], ["scores"]),
        ],
        "net",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 16, 16]),
            helper.make_tensor_value_info("gain", TensorProto.FLOAT, [1, 10]),
        ],
        [
            helper.make_tensor_value_info("features", TensorProto.FLOAT, [1, 8, 16, 16]),
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 10]),
        ],
        [
            *(numpy_helper.from_array(array.astype(np.float32), name) for name, array in weights.items()),
            numpy_helper.from_array(np.asarray([2, 3], np.int64), "axes"),
        ],
    )
    folder = tmp_path_factory.mktemp("artifact")
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, folder / "net.onnx")
    out = BuildOptions(out=folder / "build")
    report = build(SourceRequest(str(folder / "net.onnx")), ["android"], out, lambda step: None)
    assert not report.errors
    return report.built[0].folder


@dataclass(frozen=True)
class Place:
    """A folder with device profiles in which commands are run."""

    folder: Path

    def profile(self, name: str, reach: str) -> None:
        profiles = self.folder / "device_profiles"
        profiles.mkdir(exist_ok=True)
        head = f'name = "{name}"\nvendor = "none"\nsoc = "none"\ntargets = ["android"]\n'
        (profiles / f"{name}.toml").write_text(f"{head}[reach]\n{reach}\n", encoding="utf-8")

    @property
    def recorded(self) -> list[Path]:
        return sorted((self.folder / "measurements").rglob("*"))


@pytest.fixture(autouse=True)
def _few_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each try starts LiteRT anew."""
    monkeypatch.setattr("edgec.devices.measurement.TRIES", 2)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.chdir(tmp_path)
    return Place(tmp_path)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    if tools().sshd is None:
        pytest.skip("there is no sshd: run `make devices-setup`")
    with ExitStack() as held:
        try:
            running = held.enter_context(sshd())
        except RuntimeError as failure:  # as root in a container that may not mount
            pytest.skip(str(failure))
        yield running


@pytest.fixture
def board(server: Server, place: Place, monkeypatch: pytest.MonkeyPatch) -> Server:
    """Reached as `ssh` reads it; its profile `board` names this Python."""
    monkeypatch.setenv("PATH", str(server.bin), prepend=os.pathsep)
    place.profile("board", f'runner = "ssh"\nhost = "{server.host}"\nfolder = "{server.scratch}"\n{python()}')
    return server


def python(program: str = sys.executable) -> str:
    """The line of a profile."""
    return f'python = "{program}"'


@pytest.fixture(scope="session")
def adb_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of an adb with a server of its own, which is ended afterwards."""
    if tools().adb is None:
        pytest.skip("there is no adb: run `make devices-setup`")
    folder = tmp_path_factory.mktemp("adb")
    start = f'#!/bin/sh\nLD_LIBRARY_PATH="{tools().libraries}:$LD_LIBRARY_PATH" exec {tools().adb} "$@"\n'
    (folder / "adb").write_text(start, encoding="utf-8")
    (folder / "adb").chmod(0o755)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    changes = {"PATH": str(folder), "ANDROID_ADB_SERVER_PORT": port, "HOME": str(folder)}
    yield changes
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, **changes, "PATH": path}
    subprocess.run(["adb", "kill-server"], env=environment, capture_output=True, check=False)


@dataclass(frozen=True)
class Phone:
    """The double, and the serial by which adb knows it."""

    device: Device
    serial: str

    def program(self, name: str, text: str) -> Path:
        path = self.device.bin / name
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)
        return path


@pytest.fixture
def phone(adb_server: dict[str, str], place: Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[Phone]:
    """A phone with `benchmark_model`; its profile `phone` keeps it below 45 °C and above 20 % of its battery."""
    for key, value in adb_server.items():
        monkeypatch.setenv(key, value, prepend=os.pathsep if key == "PATH" else None)
    with adbd() as device:
        serial = f"127.0.0.1:{device.port}"
        found = Phone(device, serial)
        tool = found.program("benchmark_model", f'#!/bin/sh\nexec {sys.executable} {DOUBLES}/benchmark_model.py "$@"\n')
        found.program("getprop", "#!/bin/sh\ncase $1 in ro.product.model) echo Double;; ro.soc.model) echo D1;; esac\n")
        battery(found, 80, 310)
        limits = "max_temperature_c = 45\nmin_battery_percent = 20"
        place.profile("phone", f'runner = "adb"\nserial = "{serial}"\nbenchmark_model = "{tool}"\n{limits}')
        subprocess.run(["adb", "connect", serial], capture_output=True, check=True)
        yield found
        subprocess.run(["adb", "disconnect", serial], capture_output=True, check=False)


def battery(phone: Phone, level: int, tenths: int) -> None:
    """What the phone's `dumpsys battery` tells."""
    phone.program("dumpsys", f"#!/bin/sh\necho '  level: {level}'; echo '  temperature: {tenths}'\n")
