"""TFLite files with emulated Arm kernels, if the emulated environment already exists (`make arm`)."""

from pathlib import Path

import pytest

from edgec.artifact.cache import VARIABLE, cache_folder
from edgec.diag import EdgecError
from edgec.runners.open import open_runner
from edgec.runners.qemu.environment import NAME
from edgec.runners.qemu.exchange import load_saved, save_arrays
from tests.conformance.arm import BOUND, SOURCES, compare

here = pytest.mark.skipif(not (cache_folder() / NAME).is_dir(), reason="the emulated environment was not made here")


@here
@pytest.mark.parametrize("name", ["unet", "bert"])
def test_arm_kernels_agree(name: str, tmp_path: Path) -> None:
    rows = compare(name, SOURCES[name], tmp_path)
    assert len(rows) == 2
    assert max(row.difference for row in rows) <= BOUND


@here
def test_a_file_that_litert_refuses(tmp_path: Path) -> None:
    path = tmp_path / "broken.tflite"
    path.write_bytes(b"\0\0\0\0TFL3" + bytes(64))
    with pytest.raises(EdgecError, match="cannot be loaded under QEMU"):
        open_runner(path, on="qemu")


def test_any_name_can_be_exchanged(tmp_path: Path) -> None:
    import numpy as np

    arrays = {"file": np.arange(3), "a/b": np.float32(2).reshape(()), "arr_0": np.zeros((0, 2), bool)}
    save_arrays(tmp_path / "x.npz", arrays)
    found = load_saved(tmp_path / "x.npz")
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype


def test_what_does_not_run_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EdgecError, match="does not run under QEMU"):
        open_runner(tmp_path / "m.mlpackage", on="qemu")
    with pytest.raises(EdgecError, match="cannot be reached"):
        open_runner(tmp_path / "m.tflite", on="moon")
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EdgecError, match="apt-get is not installed"):
        open_runner(tmp_path / "m.tflite", on="qemu")
