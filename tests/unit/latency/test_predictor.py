"""Predictors as files: what is written is read back, and nonsense is told with its line."""

from dataclasses import replace
from pathlib import Path

import pytest

from edgec.diag import EdgecError
from edgec.latency.adapt import Own, adapted
from edgec.latency.crossvalidate import train
from edgec.latency.estimate import choose, differs, estimate
from edgec.latency.extrapolate import by_hardware, by_kin
from edgec.latency.families import architecture, families, network_key, samples
from edgec.latency.model import Factors
from edgec.latency.predictor import OnDevice, Predictor, load, predictors, predictors_of
from edgec.latency.predictor_text import text, write
from edgec.latency.tables import disagreeing, read_tables
from edgec.spec.device import DeviceProfile, Sourced, Unit, list_devices
from edgec.spec.target import list_targets, load_target
from tests.unit.latency.programs import FAMILY, measured, network


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    fitted, programs = measured(noise=0.05)
    return train(FAMILY, fitted, programs, lambda step: None).predictor


def test_what_is_written_is_read_back(predictor: Predictor, tmp_path: Path) -> None:
    path = tmp_path / "latency" / "mine.toml"
    write(predictor, path)
    again = load(path)
    assert text(again) == text(predictor)
    new = network(9, 64, 400)
    assert estimate(new, again, "fast").p50_ms == pytest.approx(estimate(new, predictor, "fast").p50_ms, rel=1e-3)
    assert [p.name for p in path.parent.iterdir()] == ["mine.toml"]


NONSENSE = {
    "quantile = -1": "quantile",
    "conv_gmacs = 0": "conv_gmacs",
    'scale = "fast"': "scale",
    "run_us = [1]": "run_us",
    "lanes = nan": "lanes",
    "wideness = 1": "wideness",
}


@pytest.mark.parametrize("edit", NONSENSE)
def test_a_file_edited_to_nonsense_is_told_with_its_line(edit: str, predictor: Predictor, tmp_path: Path) -> None:
    key = edit.partition(" ")[0]
    lines = text(predictor).splitlines()
    hits = [i for i, line in enumerate(lines) if line.startswith(f"{key} =")]
    if hits:
        lines[hits[0]] = edit
    else:
        lines.insert(lines.index("[format]") + 1, edit)
    path = tmp_path / "p.toml"
    path.write_text("\n".join(lines))
    with pytest.raises(EdgecError) as caught:
        load(path)
    found = caught.value.diagnostics[0]
    assert (found.code, NONSENSE[edit] in found.message) == ("E0106", True)
    assert found.place is not None
    assert found.place.line == lines.index(edit) + 1


def test_every_shipped_device_is_predicted_and_says_by_what() -> None:
    known = {name: predictors_of(name) for name in list_devices()}
    assert len(known) >= 40
    assert all(known.values())
    for predictor in predictors():
        assert predictor.sources
        for name, own in predictor.devices.items():
            assert own.source.split(":")[0] in ("fitted", "extrapolated"), name
            assert bool(own.borrowed) == (own.source.startswith("extrapolated")), name
            assert own.widening > 0 or not own.borrowed, name


def test_the_first_device_of_every_target_has_a_predictor() -> None:
    for target in map(load_target, list_targets()):
        for device in target.devices:
            assert choose(device, target.backend, quantized=False).backend == target.backend
    first = load_target("iphone").devices[0]
    assert not choose(first, load_target("iphone").backend, quantized=False).devices[first].borrowed


def test_one_measurement_of_ones_own_moves_and_narrows(predictor: Predictor) -> None:
    factors = predictor.devices["fast"].factors
    wide = OnDevice(factors, "extrapolated: fast", borrowed="fast", widening=0.5)
    borrowed = replace(predictor, devices={"mine": wide})
    new = network(9, 64, 400)
    before = estimate(new, borrowed, "mine")
    mine = adapted(borrowed, "mine", [Own(before.p50_ms * 1.3, before)])
    after = estimate(new, mine, "mine")
    assert before.p50_ms < after.p50_ms < 1.35 * before.p50_ms
    assert after.high_ms / after.low_ms < before.high_ms / before.low_ms


def test_an_order_is_significant_only_far_enough_apart(predictor: Predictor) -> None:
    one, like, far = (estimate(network(9, c, 400), predictor, "fast") for c in (64, 65, 256))
    assert not differs(one, like)
    assert differs(one, far)


def _table(
    folder: Path, *rows: str, head: str = "device,runtime,precision,latency_ms,library,constructor,input"
) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "t.csv").write_text("\n".join([head, *rows]) + "\n")
    return folder


ROW = "Samsung Galaxy S24,tflite,float,1.5,timm,resnet18,1x3x224x224"


@pytest.mark.parametrize(
    ("rows", "line", "said"),
    [
        ((ROW, ROW), 3, "repeats line 2"),
        ((ROW.replace("1.5", "-1"),), 2, "`latency_ms` is `-1`"),
        ((ROW.replace("1.5", "fast"),), 2, "`fast`"),
        ((ROW.replace("1.5", "nan"),), 2, "`nan`"),
    ],
)
def test_wrong_rows_are_told_with_their_line(rows: tuple[str, ...], line: int, said: str, tmp_path: Path) -> None:
    with pytest.raises(EdgecError) as caught:
        read_tables(_table(tmp_path / "d", *rows))
    found = caught.value.diagnostics[0]
    assert (found.code, said in found.message) == ("E0106", True)
    assert found.place is not None
    assert found.place.line == line


def test_missing_columns_and_unknown_devices_are_told(tmp_path: Path) -> None:
    with pytest.raises(EdgecError) as caught:
        read_tables(_table(tmp_path / "a", "x,1", head="device,latency_ms"))
    assert "library" in caught.value.diagnostics[0].message
    rows = read_tables(_table(tmp_path / "b", ROW.replace("S24", "S24x")))
    with pytest.raises(EdgecError) as caught:
        samples(FAMILY, rows)
    assert "S24x" in caught.value.diagnostics[0].message
    assert "`Samsung Galaxy S24`" in caught.value.diagnostics[0].help[0]


def test_a_source_that_contradicts_the_others_is_found(tmp_path: Path) -> None:
    head = "source,device,runtime,precision,latency_ms,library,constructor,kwargs,input_resolution"
    rows = [
        f"{who},iPhone 13,Core ML,fp16,{ms},timm,net{i},{{}},224"
        for i in range(5)
        for who, ms in (("A", 1), ("B", 1.1))
    ]
    rows += [f"C,iPhone 13,Core ML,fp16,5,timm,net{i},{{}},224" for i in range(5)]
    assert disagreeing(read_tables(_table(tmp_path / "d", *rows, head=head))) == {"C"}


def test_networks_of_one_architecture_have_one_name(tmp_path: Path) -> None:
    names = {
        "torchvision.models.resnet50(weights=None)": "resnet",
        'timm.create_model(""resnet18"",pretrained=False)': "resnet",
        "torchvision.models.wide_resnet50_2(weights=None)": "resnet",
        "mobilenetv2_100": "mobilenetv",
    }
    rows = [ROW.replace("resnet18", f'"{name}"') for name in names]
    found = [network_key(m.network) for m in read_tables(_table(tmp_path / "d", *rows))]
    assert [architecture(key) for key in found] == list(names.values())
    assert len({f.name for f in families()}) == len(families())


def test_devices_are_carried_over_from_the_nearest(tmp_path: Path) -> None:
    def profile(name: str, gmacs: float, gbs: float) -> DeviceProfile:
        unit = Unit(FAMILY.engine, "npu", Sourced(gmacs, "estimated"))
        return DeviceProfile(name, "v", "s", FAMILY.runs, {"bandwidth_gbs": Sourced(gbs, "estimated")}, (unit,))

    known = {"near": OnDevice(Factors(1.0), "fitted: x", 9), "far": OnDevice(Factors(3.0), "fitted: x", 9)}
    profiles = [profile("near", 1000, 50), profile("far", 200, 10), profile("new", 1100, 60)]
    found = by_hardware(FAMILY, profiles, known)
    assert set(found) == {"new"}
    assert found["new"].borrowed == "near"
    assert found["new"].factors.compute < 1
    assert found["new"].widening >= 0.25
    kin = [
        ROW.replace("tflite", FAMILY.kin[0]),
        ROW.replace("tflite", FAMILY.kin[0]).replace("Samsung Galaxy S24", "QCS8550 (Proxy)").replace("1.5", "3"),
    ]
    carried = by_kin(FAMILY, read_tables(_table(tmp_path / "k", *kin)), {"galaxy-s24": known["near"]})
    assert carried["qcs8550"].factors.scale == pytest.approx(2.0)
