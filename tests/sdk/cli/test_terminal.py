"""What a terminal shows: no line is wider than it, whatever its colours."""

import tomllib
from pathlib import Path

import pytest

from edgec.cli.page import page_lines
from edgec.diag.explain import explain, topics
from tests.terminal import plain, recorded

NET = "import torch\ndef model():\n    return torch.nn.Linear(4, 4), (torch.ones(1, 4),)\n"
WORDS = [
    ["--help"],
    ["build", "--help"],
    ["targets"],
    ["devices"],
    ["rules"],
    ["explain"],
    ["explain", "E0107"],
    ["doctor"],
    ["build", "--targt", "x"],
    ["build", "net.py:model", "--target", "android", "--set", "options.classifier.output=scores"],
]


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize(
    "environment", [{}, {"NO_COLOR": "1"}, {"TERM": "dumb"}, {"FORCE_COLOR": "1"}], ids=lambda e: next(iter(e), "plain")
)
def test_no_line_is_wider_than_the_terminal(columns: int, environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(NET)
    words = WORDS if (columns, environment) == (80, {}) else WORDS[-2:]
    for each in words:
        _, shown = recorded(each, columns, tmp_path, **environment)
        lines = [line for line in plain(shown).splitlines() if " " in line.strip()]
        assert [line for line in lines if len(line) > columns] == []
        assert "Traceback" not in shown
        if environment.keys() & {"NO_COLOR", "TERM"}:
            assert "\x1b[1;31m" not in shown
    assert ("\x1b[1;31m" in shown) == (not environment.keys() & {"NO_COLOR", "TERM"})


def test_a_build_fits(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(NET)
    status, shown = recorded(["build", "net.py:model", "--target", "android"], 80, tmp_path)
    assert status == 0
    last = plain(shown).splitlines()[-3:]
    assert all(len(line) <= 80 for line in last)
    assert "build/model/android/model.tflite" in "\n".join(last)


@pytest.mark.parametrize("width", [80, 120])
def test_pages_are_wrapped_and_lose_no_word(width: int) -> None:
    for topic in topics():
        text = explain(topic)
        lines = page_lines(text, width)
        told = "\n".join(lines).replace("|", " ").split()
        asked = [w for w in text.replace("|", " ").split() if w.strip("-:")]
        assert sorted(w for w in told if w.strip("-:")) == sorted(asked)
        code = [line for line in text.splitlines() if len(line) > width]
        assert all(len(line) <= width or line in code or " " not in line.strip() for line in lines)


def test_what_a_target_shows_can_be_pasted_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from edgec.spec.describe import show_target
    from edgec.spec.target import list_targets, load_target

    monkeypatch.chdir(tmp_path)
    (tmp_path / "targets").mkdir()
    for name in list_targets():
        for resolved in (False, True):
            text = show_target(name, resolved=resolved)
            assert tomllib.loads(text)["name"] == name
            (tmp_path / "targets" / "pasted.toml").write_text(text.replace(f'name = "{name}"', 'name = "pasted"', 1))
            pasted, own = load_target("pasted"), load_target(name)
            assert (pasted.options, pasted.numerics, pasted.limits) == (own.options, own.numerics, own.limits)
