"""`edgec run --out` replaces files of an earlier run, and no others."""

from pathlib import Path

import numpy as np
import pytest

from edgec.diag import EdgecError
from edgec.measure.saved import INDEX, save_outputs

ONE, TWO = np.ones(2, np.float32), np.zeros(3, np.float32)


def test_a_second_run_replaces_the_first(tmp_path: Path) -> None:
    save_outputs({"y": ONE}, tmp_path / "out")
    save_outputs({"y": TWO}, tmp_path / "out")
    assert np.array_equal(np.load(tmp_path / "out" / "y.npy"), TWO)


@pytest.mark.parametrize("name", ["x.npy", INDEX])
def test_a_users_file_stays(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(EdgecError) as caught:
        save_outputs({"x": ONE}, tmp_path)
    assert caught.value.diagnostics[0].code == "E0111"
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {name: "mine"}


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    save_outputs({"y": ONE}, tmp_path / "out")
    (tmp_path / "mine.npy").write_text("mine")
    (tmp_path / "out" / "y.npy").unlink()
    (tmp_path / "out" / "y.npy").symlink_to(tmp_path / "mine.npy")
    with pytest.raises(EdgecError):
        save_outputs({"y": TWO}, tmp_path / "out")
    assert (tmp_path / "mine.npy").read_text() == "mine"


def test_outputs_of_like_names_have_files_of_their_own(tmp_path: Path) -> None:
    save_outputs({"a/b": ONE, "a_b": TWO, "A_b": ONE, "..": ONE, "n" * 10_000: ONE}, tmp_path)
    names = {p.name for p in tmp_path.iterdir()}
    assert names == {"a_b.npy", "a_b_1.npy", "A_b_2.npy", "output.npy", f"{'n' * 100}.npy", INDEX}
    assert np.array_equal(np.load(tmp_path / "a_b_1.npy"), TWO)
