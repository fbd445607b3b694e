"""Files of custom operators where torch is not installed."""

import sys
from pathlib import Path

import pytest

from edgec.diag import EdgecError
from edgec.frontend.extensions import load_extension


@pytest.mark.parametrize(("body", "code"), [("import torch", "E0502"), ("import edgec_has_none", "E0201")])
def test_a_missing_package_is_named(body: str, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    path = tmp_path / "ops.py"
    path.write_text(f"from edgec.extension import torch_operator\n{body}\n")
    with pytest.raises(EdgecError) as caught:
        load_extension(path)
    (found,) = caught.value.diagnostics
    assert found.code == code
    assert found.place is not None
    assert (found.place.file, found.place.line) == (str(path), 2)
