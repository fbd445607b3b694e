"""Targets and device profiles: shipped ones load, and mistakes are reported with their line."""

from pathlib import Path

import pytest

from edgec.diag import EdgecError
from edgec.spec.describe import show_target, target_listing
from edgec.spec.device import list_devices, load_device
from edgec.spec.target import list_targets, load_target


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "targets").mkdir()
    (tmp_path / "device_profiles").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_everything_shipped_loads() -> None:
    for name in list_targets():
        target = load_target(name)
        for device in target.devices:
            assert name in load_device(device).targets, (name, device)
    assert {"iphone", "android", "rtx", "raspberry-pi", "jetson-orin"} <= set(list_targets())
    assert len(target_listing().rows) == len(list_targets())


def test_every_number_of_a_device_has_a_source() -> None:
    for name in list_devices():
        device = load_device(name)
        facts = [*device.memory.values(), *(u.peak_gmacs for u in device.units if u.peak_gmacs)]
        assert facts, name
        assert all(fact.source.split(":")[0] in ("measured", "published", "estimated") for fact in facts), name


def test_inheritance_and_settings() -> None:
    child = load_target("android-fp16", ["numerics.compute=float32"])
    assert (child.backend, child.numerics.weights.type, child.numerics.compute) == ("tflite", "float16", "float32")
    assert "[numerics]" in show_target("android-fp16", resolved=True)


def test_digest_follows_what_changes_bytes() -> None:
    assert load_target("android").digest() != load_target("android", ["numerics.compute=float32"]).digest()
    assert load_target("android").digest() == load_target("android", ['devices=["pixel-8"]']).digest()


def test_unknown_target_suggests() -> None:
    with pytest.raises(EdgecError) as caught:
        load_target("iphnoe")
    assert caught.value.diagnostics[0].code == "E0104"
    assert "`iphone`" in caught.value.diagnostics[0].help[0]


def test_all_mistakes_come_together_with_their_lines(workspace: Path) -> None:
    text = 'name = "mine"\nsummary = 3\nbackend = "tflight"\n[numerics]\ncompuet = "float16"\n'
    (workspace / "targets" / "mine.toml").write_text(text)
    with pytest.raises(EdgecError) as caught:
        load_target("mine")
    found = {d.place.line: d for d in caught.value.diagnostics if d.place}
    assert set(found) == {2, 3, 5}
    assert found[5].help == ("did you mean `compute`?",)


def test_broken_toml_and_cycles(workspace: Path) -> None:
    (workspace / "targets" / "broken.toml").write_text('name = "broken\n')
    (workspace / "targets" / "a.toml").write_text('name = "a"\ninherits = "a"\n')
    for name in ("broken", "a"):
        with pytest.raises(EdgecError) as caught:
            load_target(name)
        assert caught.value.diagnostics[0].code == "E0106"


def test_a_number_without_a_source_is_refused(workspace: Path) -> None:
    text = 'name = "toy"\nvendor = "v"\nsoc = "s"\ntargets = []\n[memory]\ndram_mib = { value = 8 }\n'
    (workspace / "device_profiles" / "toy.toml").write_text(text)
    with pytest.raises(EdgecError) as caught:
        load_device("toy")
    assert "`dram_mib` has no source" in caught.value.diagnostics[0].message


def test_a_user_adds_a_target_with_one_file(workspace: Path) -> None:
    (workspace / "targets" / "mine.toml").write_text('name = "mine"\nsummary = "ours"\ninherits = "android"\n')
    assert "mine" in list_targets()
    assert load_target("mine").accept.max_rel == 1e-4


def _told(name: str, *settings: str) -> EdgecError:
    with pytest.raises(EdgecError) as caught:
        load_target(name, settings)
    return caught.value


def test_a_mistake_of_the_parent_is_told_in_the_parents_file(workspace: Path) -> None:
    parent = 'name = "base"\nsummary = "s"\nbackend = "coreml"\n[numerics]\ncomput = "float16"\n'
    (workspace / "targets" / "base.toml").write_text(parent)
    (workspace / "targets" / "child.toml").write_text('name = "child"\nsummary = "s"\ninherits = "base"\n')
    (found,) = _told("child").diagnostics
    assert found.place is not None
    assert (Path(found.place.file or "").name, found.place.line) == ("base.toml", 5)


@pytest.mark.parametrize(("value", "code"), [('"androd"', "E0104"), ('["android"]', "E0106"), ('"kid"', "E0106")])
def test_a_wrong_parent_is_told_at_its_line(workspace: Path, value: str, code: str) -> None:
    (workspace / "targets" / "kid.toml").write_text(f'name = "kid"\nsummary = "s"\ninherits = {value}\n')
    (found,) = _told("kid").diagnostics
    assert found.code == code
    assert found.place is not None
    assert found.place.line == 3


@pytest.mark.parametrize("setting", ["name.x=1", "numerics=3", "numerics.compute=float17", "nope.x=1", "oops"])
def test_a_wrong_setting_blames_the_command_line(setting: str) -> None:
    (found,) = _told("android", setting).diagnostics
    assert (found.code, found.place) == ("E0101", None)


@pytest.mark.parametrize("setting", ["accept.max_rel=NaN", "accept.max_rel=-1", "limits.max_rank=0"])
def test_numbers_that_mean_nothing_are_refused(setting: str) -> None:
    assert setting.partition("=")[0].partition(".")[2] in _told("android", setting).diagnostics[0].message


@pytest.mark.parametrize("setting", ["numerics.compute=float16", "numerics.weights=float16"])
def test_tensorrt_does_not_ignore_numerics(setting: str) -> None:
    assert "float32" in _told("rtx", setting).diagnostics[0].message


def test_a_name_is_not_a_path() -> None:
    assert _told("../targets/android").diagnostics[0].code == "E0104"


def test_units_are_tables(workspace: Path) -> None:
    text = 'name = "toy"\nvendor = "v"\nsoc = "s"\ntargets = []\nunit = [1]\n'
    (workspace / "device_profiles" / "toy.toml").write_text(text)
    with pytest.raises(EdgecError) as caught:
        load_device("toy")
    assert "list of tables" in caught.value.diagnostics[0].message
