"""Mistyped requests: each results in a diagnostic code, its exit code, and advice."""

import errno
import json
import subprocess
import sys
from pathlib import Path

import pytest

from edgec.backends.tflite.backend import TFLiteBackend
from edgec.cli import app
from edgec.cli.artifact_table import lines
from tests import models

MODEL = f"{models.__file__}:activations"

WRONG: dict[str, tuple[int, str, str]] = {
    "bild x.py:m": (2, "E0101", "did you mean `build`?"),
    "build --jso x.py:m": (2, "E0101", "did you mean `--json`"),
    "build x.py:m --target": (2, "E0101", "`--target` requires an argument"),
    "build": (2, "E0101", "give a source"),
    "build x.py:m": (2, "E0101", "no target was given"),
    "build x.py:m --target iphon": (2, "E0104", "iphone"),
    "build none.py:m --target iphone": (2, "E0102", "`none.py` was not found"),
    "build none.onnx --target iphone": (2, "E0102", "`none.onnx` was not found"),
    "build none --target iphone": (2, "E0102", "give `file.py:attr`"),
    "build . --target iphone": (2, "E0103", "is a folder"),
    "build note.txt --target iphone": (2, "E0103", "not a source"),
    "build model.pkl --target iphone": (2, "E0204", "pickle"),
    "build MODEL --target iphone --weights none.pt": (2, "E0102", "`none.pt` was not found"),
    "build MODEL --target iphone --device galaxy-s24": (4, "E0702", "runs none of these targets"),
    "build MODEL --target iphone --device galaxy-s33": (2, "E0105", "galaxy-s24"),
    "build MODEL --target jetson-orin": (4, "E0503", "trtexec"),
    "build MODEL --target iphone --set nonsense": (2, "E0101", "KEY=VALUE"),
    "build MODEL --target iphone --set numerics.compute=float8": (2, "E0101", "float16"),
    "build MODEL --target iphone --emit onix": (2, "E0101", "onnx"),
    "build MODEL --target iphone --disable no-such-rule": (2, "E0109", "no-such-rule"),
    "build MODEL --target iphone --range x": (2, "E0101", "LOW..HIGH"),
    "build MODEL --target iphone --state a": (2, "E0101", "INPUT=OUTPUT"),
    "build MODEL --target iphone --io-layout nhwc": (2, "E0101", "TFLite"),
    "build MODEL --target iphone --function decode": (2, "E0101", "NAME=SOURCE"),
    "predict x.py:m --target mac": (4, "E0702", "names no device"),
    "check nowhere": (2, "E0102", "`nowhere` was not found"),
    "run nowhere": (2, "E0102", "`nowhere` was not found"),
    "inspect nowhere": (2, "E0102", "`nowhere` was not found"),
    "diff nowhere nothing": (2, "E0102", "`nowhere` was not found"),
    "lint nowhere": (2, "E0102", "`nowhere` was not found"),
    "run": (2, "E0101", "`edgec run --help` shows the usage"),
    "explain E9999": (2, "E0101", "there is no code `E9999`"),
    "targets foo": (2, "E0104", "there is no target `foo`"),
    "devices foo": (2, "E0105", "there is no device `foo`"),
    "rules foo": (2, "E0109", "foo"),
    "build x.txt:m --target iphone": (2, "E0102", "x.txt"),
    "build MODEL --target iphone --input x": (2, "E0101", "NAME=SHAPE"),
    "build MODEL --target iphone --dynamic x": (2, "E0101", "x"),
    "build MODEL --target iphone --device iphone-51": (2, "E0105", "iphone"),
    "build MODEL --target iphone --via onnx2tff": (2, "E0101", "onnx2tf"),
    "build MODEL --target iphone --set options.classifier.labels=none.txt": (2, "E0101", "none.txt"),
    "build MODEL --target android --set options.io_layout=nchw": (2, "E0101", "nhwc"),
    "predict MODEL --target iphone --device nothing": (2, "E0105", "there is no device `nothing`"),
    "inspect note.txt": (2, "E0604", "is not an artifact"),
    "inspect model.tflite --target iphone": (2, "E0101", "add `--rules`"),
    "run model.tflite --steps 0": (2, "E0101", "--steps"),
    "run model.tflite": (2, "E0604", "TFLite"),
    "build --target iphone": (2, "E0101", "give a source"),
    "build MODEL --target iphone --enable nope": (2, "E0109", "nope"),
    "targets --resolve": (2, "E0101", "did you mean `--resolved`?"),
    "inspect": (2, "E0101", "no file was given"),
    "lint": (2, "E0101", "`edgec lint --help` shows the usage"),
    "devices show iphone13": (2, "E0105", "iphone-13"),
    "check": (2, "E0101", "`edgec check --help` shows the usage"),
    "run note.txt": (2, "E0604", "is not an artifact"),
    "lint model.tflite": (2, "E0604", "TFLite"),
    "diff model.tflite model.tflite": (2, "E0604", "TFLite"),
    "check model.tflite --max-bytes few": (2, "E0101", "--max-bytes"),
    "bench model.tflite --runs 0": (2, "E0101", "--runs"),
    "explain controlflow": (2, "E0101", "did you mean `control-flow`?"),
    "targets show iphnoe": (2, "E0104", "iphone"),
    "lint model.tflite --delegate gpuu": (2, "E0101", "gpu"),
}


def edgec(words: list[str], monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sys, "argv", ["edgec", *words])
    return app._run()


@pytest.mark.parametrize("request_", WRONG)
def test_told_in_words_of_edgecs(
    request_: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, code, said = WRONG[request_]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "note.txt").write_text("no model")
    (tmp_path / "model.pkl").write_bytes(b"\x80\x04N.")
    (tmp_path / "model.tflite").write_bytes(b"no flatbuffer")
    assert edgec([MODEL if w == "MODEL" else w for w in request_.split()], monkeypatch) == status
    captured = capsys.readouterr()
    assert captured.out == ""
    assert f"error[{code}]" in captured.err
    assert said in captured.err
    assert "Traceback" not in captured.err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model.pkl", "model.tflite", "note.txt"]


@pytest.mark.parametrize("words", ["build --nope --json", "bild --json", "build none.py:m --target iphone --json"])
def test_one_document_whatever_is_wrong(
    words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert edgec(words.split(), monkeypatch) == 2
    (found,) = json.loads(capsys.readouterr().out)["diagnostics"]
    assert found["code"] in ("E0101", "E0102")


def test_what_a_model_prints_is_no_part_of_the_document(tmp_path: Path) -> None:
    (tmp_path / "noisy.py").write_text(
        "import os, torch\nprint('at import')\nos.write(1, b'by a library')\n"
        "class Net(torch.nn.Module):\n    def forward(self, x):\n        print('in forward')\n        return x + 1\n"
        "def model():\n    return Net(), (torch.ones(2),)\n"
    )
    command = [sys.executable, "-m", "edgec", "build", "noisy.py:model", "--target", "android", "--json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert json.loads(done.stdout)["artifacts"][0]["target"] == "android"
    assert {"at import", "by a library"} <= {w for w in ("at import", "by a library") if w in done.stderr}


def test_one_broken_target_hides_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "targets").mkdir()
    (tmp_path / "targets/broken.toml").write_text('name = "broken"\nbackend = ')
    assert edgec(["targets"], monkeypatch) == 2
    captured = capsys.readouterr()
    assert "raspberry-pi" in captured.out
    assert "broken.toml" in captured.err


def test_what_a_target_shows_can_be_pasted_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import tomllib

    for words in (["targets", "show", "iphone"], ["targets", "iphone", "--resolved"]):
        assert edgec(words, monkeypatch) == 0
        assert tomllib.loads(capsys.readouterr().out)["name"] == "iphone"


ROWS = [
    ("android", "build/model/android/model.tflite", "13.97 MB", "passed (rel 7.9e-07, 135 dB)", "litert", "1.69 ms"),
    ("iphone", "build/model/iphone/model.mlpackage", "7.09 MB", "passed (rel 5.0e-04, 78 dB)", "mil-interpreter", ""),
]


def test_a_narrow_terminal_breaks_no_word() -> None:
    wide, narrow = lines(ROWS, 140), lines(ROWS, 80)
    assert len(wide) == 3
    assert max(map(len, wide)) <= 140
    assert wide[0].startswith("target")
    assert max(map(len, narrow)) <= 80
    for row in ROWS:
        assert all(cell in "\n".join(narrow) for cell in row)


def test_a_full_disk_is_no_bug(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "model.tflite")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(TFLiteBackend, "assemble", full)
    assert edgec(["build", MODEL, "--target", "android", "-q"], monkeypatch) == 2
    told = capsys.readouterr().err
    assert "error[E0108]: there is no space left on the disk at `model.tflite`" in told
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]


def test_a_file_that_hides_a_package_is_named(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("")
    (tmp_path / "net.py").write_text("def model():\n    pass\n")
    command = [sys.executable, "-m", "edgec", "build", "net.py:model", "--target", "android"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 4
    assert "error[E0502]" in done.stderr
    assert f"`{tmp_path}/torch.py` hides the package `torch`" in done.stderr
    assert sorted(p.name for p in tmp_path.iterdir() if p.name != "__pycache__") == ["net.py", "torch.py"]
