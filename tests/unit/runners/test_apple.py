"""Apple's interfaces, with fakes of coremltools and `xcrun`: the calls, and the handling of results."""

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest

from edgec.backends.base import Instr, Program, Ref, TensorType
from edgec.backends.coreml.placement import measured
from edgec.diag import EdgecError, Place
from edgec.runners.apple import devicectl, mac
from edgec.runners.apple.devicectl import AppleDeviceRunner, devices
from edgec.runners.apple.mac import MacRunner
from edgec.runners.apple.plan import Assigned, compute_plan
from edgec.runners.base import StatefulRunner
from edgec.runners.mil.interface import Interface
from edgec.runners.mil.source_names import Translation
from edgec.runners.open import open_runner
from edgec.spec.target import load_target


@pytest.fixture
def a_mac(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Mac, and packages that name the source's input `x:0` `x` and its output `y:0` `y`."""

    def names(path: Path, function: str | None = None) -> Translation:
        return Translation(Interface(function or "main", (), (), ()), {"x:0": "x"}, {"x": "x:0", "y": "y:0"})

    monkeypatch.setattr(mac.platform, "system", lambda: "Darwin")
    monkeypatch.setattr(mac, "source_names", names)
    monkeypatch.setattr(devicectl, "source_names", names)


@pytest.mark.parametrize("on", ["mac", "apple:D1:com.example.bench"])
def test_elsewhere_a_mac_is_asked_for(on: str, tmp_path: Path) -> None:
    with pytest.raises(EdgecError) as refused:
        open_runner(tmp_path / "m.mlpackage", on=on)
    (told,) = refused.value.diagnostics
    assert told.code == "E0701"
    assert "needs a Mac, this is " in told.message
    assert "MIL interpreter" in told.help[0]
    with pytest.raises(EdgecError, match="`--precision` is for the MIL interpreter"):
        open_runner(tmp_path / "m.mlpackage", "float32", on=on)
    with pytest.raises(EdgecError, match="cannot be run on"):
        open_runner(tmp_path / "m.tflite", on=on)


@pytest.mark.parametrize("on", ["apple:", "apple:D1", "apple::app"])
def test_a_device_is_named_with_its_app(on: str, tmp_path: Path) -> None:
    with pytest.raises(EdgecError, match="not apple:DEVICE:APP"):
        open_runner(tmp_path / "m.mlpackage", on=on)


class MLNeuralEngineComputeDevice:
    pass


class MLGPUComputeDevice:
    pass


class MLCPUComputeDevice:
    pass


ANE, GPU, CPU = MLNeuralEngineComputeDevice(), MLGPUComputeDevice(), MLCPUComputeDevice()


def operation(name: str, output: str, blocks: tuple[object, ...] = ()) -> SimpleNamespace:
    return SimpleNamespace(operator_name=name, outputs=[SimpleNamespace(name=output)], blocks=list(blocks))


class FakePlan:
    """A fake of `MLComputePlan` as documented by coremltools."""

    usage: ClassVar = {
        "y": SimpleNamespace(preferred_compute_device=ANE, supported_compute_devices=[CPU, GPU, ANE]),
        "g": SimpleNamespace(preferred_compute_device=CPU, supported_compute_devices=[CPU]),
        "z": SimpleNamespace(preferred_compute_device=GPU, supported_compute_devices=[CPU, GPU, ANE]),
    }
    loaded: ClassVar[list[tuple[str, object]]] = []

    def __init__(self) -> None:
        inner = SimpleNamespace(operations=[operation("ios17.gather", "g")])
        block = SimpleNamespace(
            operations=[operation("const", "w"), operation("ios17.conv", "y"), operation("cond", "z", (inner,))]
        )
        program = SimpleNamespace(functions={"main": SimpleNamespace(block=block)})
        self.model_structure = SimpleNamespace(program=program)

    @classmethod
    def load_from_path(cls, path: str, compute_units: object) -> "FakePlan":
        cls.loaded.append((path, compute_units))
        return cls()

    def get_compute_device_usage_for_mlprogram_operation(self, op: SimpleNamespace) -> SimpleNamespace | None:
        return self.usage.get(op.outputs[0].name)

    def get_estimated_cost_for_mlprogram_operation(self, op: SimpleNamespace) -> SimpleNamespace | None:
        return SimpleNamespace(weight=0.75) if op.outputs[0].name == "y" else None


class FakeModel:
    """A fake of `MLModel`: a counter with one state."""

    def __init__(self, path: str, compute_units: object, function_name: str | None) -> None:
        if "broken" in path:
            raise RuntimeError("Error compiling model")
        self.asked = (path, compute_units, function_name)

    def get_spec(self) -> SimpleNamespace:
        return SimpleNamespace(description=SimpleNamespace(state=["total"], functions=[]))

    def make_state(self) -> dict[str, float]:
        return {"total": 0.0}

    def predict(self, data: dict[str, np.ndarray], state: dict[str, float] | None) -> dict[str, np.ndarray]:
        assert state is not None
        assert data["x"].dtype == np.float32
        assert data["n"].dtype == np.int32
        assert data["n"].shape == (1,)
        state["total"] += float(data["x"].sum())
        return {"y": np.array([state["total"]], np.float32)}


@pytest.fixture
def fake_coremltools(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def compile_model(path: str) -> str:
        compiled = tmp_path / "compiled.mlmodelc"
        compiled.mkdir()
        return str(compiled)

    package, models = ModuleType("coremltools"), ModuleType("coremltools.models")
    plan = ModuleType("coremltools.models.compute_plan")
    package.ComputeUnit = SimpleNamespace(ALL="all", CPU_ONLY="cpu")
    package.models = models
    models.MLModel, models.utils = FakeModel, SimpleNamespace(compile_model=compile_model)
    plan.MLComputePlan = FakePlan
    for module in (package, models, plan):
        monkeypatch.setitem(sys.modules, module.__name__, module)


@pytest.mark.usefixtures("a_mac", "fake_coremltools")
def test_the_plan_says_each_operations_unit(tmp_path: Path) -> None:
    found = compute_plan(tmp_path / "m.mlpackage")
    assert found == (
        Assigned("conv", "y", "ane", ("ane", "cpu", "gpu"), 0.75),
        Assigned("cond", "z", "gpu", ("ane", "cpu", "gpu"), None),
        Assigned("gather", "g", "cpu", ("cpu",), None),
    )
    assert FakePlan.loaded[-1][1] == "all"
    assert not (tmp_path / "compiled.mlmodelc").exists()


@pytest.mark.usefixtures("a_mac", "fake_coremltools")
def test_a_measured_placement_names_places_and_reasons(tmp_path: Path) -> None:
    kind = TensorType("float16", (1,))
    instr = Instr("conv", (), (), (Ref("y", kind),), place=Place(module="net.conv"))
    found = measured(Program("m", (), (instr,), ()), load_target("iphone"), tmp_path / "m.mlpackage")
    assert found.kind == "measured"
    assert [(p.unit, p.rule, p.place.module) for p in found.placed] == [
        ("ane", "", "net.conv"),
        ("gpu", "core-ml-prefers-another", None),
        ("cpu", "core-ml-cannot", None),
    ]
    assert dict(found.evidence).keys() == {"core-ml-cannot", "core-ml-prefers-another"}


@pytest.mark.usefixtures("a_mac", "fake_coremltools")
def test_core_ml_itself_runs_a_package_and_keeps_its_states(tmp_path: Path) -> None:
    inputs = {"x:0": np.array([1.0, 2.0]), "n": np.array(3)}
    with MacRunner(tmp_path / "m.mlpackage", "cpu_only", "decode") as runner:
        assert runner._model.asked == (str(tmp_path / "m.mlpackage"), "cpu", "decode")
        assert [float(runner.run(inputs)["y:0"][0]) for _ in range(2)] == [3.0, 6.0]
        runner.reset()
        assert float(runner.run(inputs)["y:0"][0]) == 3.0
        assert not isinstance(runner, StatefulRunner)
    with pytest.raises(EdgecError, match=r"Core ML cannot load or run `broken\.mlpackage`"):
        MacRunner(tmp_path / "broken.mlpackage")


class Xcrun:
    """A fake of `xcrun devicectl` with one phone, whose app doubles its inputs."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.calls = folder, []

    def __call__(self, command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        assert command[:2] == ["xcrun", "devicectl"]
        self.calls.append(command[2:])
        answer = Path(command[command.index("--json-output") + 1])
        if command[2:4] == ["list", "devices"]:
            phone = {
                "identifier": "D1",
                "deviceProperties": {"name": "Bench"},
                "hardwareProperties": {"productType": "iPhone16,1"},
                "connectionProperties": {"tunnelState": "connected"},
            }
            answer.write_text(json.dumps({"result": {"devices": [phone]}}))
        if "launch" in command:
            assert command[-4:] == ["--console", "com.example.bench", "--model", "m.mlpackage"]
            with np.load(self.folder / "inputs.npz") as given:
                np.savez(self.folder / "outputs.npz", y=given["x"] * 2)
        if "copy" in command:
            source, target = (command[command.index(f"--{end}") + 1] for end in ("source", "destination"))
            here, there = (source, target) if "to" in command else (target, source)
            remote = self.folder / Path(there).name
            first, second = (Path(here), remote) if "to" in command else (remote, Path(here))
            if first.is_file():
                second.write_bytes(first.read_bytes())
        failed = "D9" in command
        return subprocess.CompletedProcess(command, int(failed), "", "ERROR: no such device\n" if failed else "")


@pytest.mark.usefixtures("a_mac")
def test_a_device_runs_a_package_through_its_app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    xcrun = Xcrun(tmp_path)
    monkeypatch.setattr(devicectl.subprocess, "run", xcrun)
    (phone,) = devices()
    assert (phone.identifier, phone.name, phone.model, phone.connected) == ("D1", "Bench", "iPhone16,1", True)
    with open_runner(tmp_path / "m.mlpackage", on="apple:D1:com.example.bench") as runner:
        found = runner.run({"x:0": np.array([1.5, 2.0], np.float32)})
    assert found["y:0"].tolist() == [3.0, 4.0]
    assert all("com.example.bench" in call for call in xcrun.calls[1:])
    with pytest.raises(EdgecError, match="`devicectl device copy to` failed"):
        AppleDeviceRunner(tmp_path / "m.mlpackage", "D9", "com.example.bench")


@pytest.mark.usefixtures("a_mac")
def test_without_xcode_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object, **__: object) -> None:
        raise FileNotFoundError

    monkeypatch.setattr(devicectl.subprocess, "run", missing)
    with pytest.raises(EdgecError, match="`xcrun` is missing"):
        devices()
