"""All commands on a source have the same source options."""

from dataclasses import fields
from pathlib import Path

import pytest
import typer

from edgec.cli.app import app
from edgec.diag import EdgecError
from edgec.spec.project import load_project
from edgec.spec.request_options import SourceOptions, TargetOptions

VERBS = typer.main.get_command(app).commands  # type: ignore[attr-defined]

ABOUT_SOURCES = ("build", "predict", "inspect", "check", "evaluate")
ABOUT_TARGETS = ("build", "predict", "inspect")

PLACES = [
    *((verb, f) for verb in ABOUT_SOURCES for f in fields(SourceOptions)),
    *((verb, f) for verb in ABOUT_TARGETS for f in fields(TargetOptions)),
]


@pytest.mark.parametrize(("verb", "field"), PLACES, ids=[f"{verb}-{f.name}" for verb, f in PLACES])
def test_a_verb_has_the_option(verb: str, field: object) -> None:
    parameters = {p.name: p for p in VERBS[verb].params}
    parameter = parameters[field.name]
    assert parameter.opts == [f"--{field.name.replace('_', '-')}"]
    assert parameter.help == field.metadata["help"]
    assert parameter.multiple == (field.default == ())


def test_the_project_file_has_the_same_keys(tmp_path: Path) -> None:
    lines = ['source = "net.py:m"']
    for f in (*fields(SourceOptions), *fields(TargetOptions)):
        lines.append(f'{f.name} = ["a=b"]' if f.default == () else f'{f.name} = "a"')
    (tmp_path / "edgec.toml").write_text("\n".join(lines))
    (model,) = load_project(tmp_path / "edgec.toml").models
    assert all(getattr(model.options, f.name) for f in fields(SourceOptions))
    assert all(getattr(model.settings, f.name) for f in fields(TargetOptions))


def test_no_other_verb_has_a_copy() -> None:
    """`run`, `bench` and `diff` take artifacts: their `--input` is an array for the artifact."""
    names = {f.name for f in fields(SourceOptions)} - {"input", "function"}
    for verb, command in VERBS.items():
        if verb not in ABOUT_SOURCES:
            assert not names & {p.name for p in command.params}, verb


SEVERAL = """out = "made"
target = ["android"]

[[model]]
name = "a"
source = "a/net.py:m"
weights = "w.pt:ema"
input = ["x=1x3", "y=[2]@samples/*.npy:float32"]
function = ["decode=a/other.py:d", "more=package.module:d"]

[[model]]
name = "b"
source = "b.onnx"
target = ["rtx", "iphone"]
"""


def test_paths_are_relative_to_the_file_and_shared_keys_hold_for_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "edgec.toml").write_text(SEVERAL)
    (tmp_path / "deep").mkdir()
    monkeypatch.chdir(tmp_path / "deep")
    a, b = load_project(Path("../edgec.toml")).models
    assert (a.source, a.out, a.options.weights) == ("../a/net.py:m", "../made", "../w.pt:ema")
    assert a.options.input == ("x=1x3", "y=[2]@../samples/*.npy:float32")
    assert a.options.function == ("decode=../a/other.py:d", "more=package.module:d")
    assert (b.source, a.target, b.target) == ("../b.onnx", ("android",), ("rtx", "iphone"))


WRONG = {
    "unknown key": (
        '[[model]]\nname = "a"\nsource = "x"\n\n[[model]]\nname = "b"\nsource = "y"\nwieghts = "w"',
        8,
        "weights",
    ),
    "unknown key above": ('samplez = "a"\n[[model]]\nname = "a"\nsource = "x"', 1, "samples"),
    "no source": ('[[model]]\nname = "a"\nsource = "x"\n[[model]]\nname = "b"', 4, "`source` is missing"),
    "no name": ('[[model]]\nname = "a"\nsource = "x"\n[[model]]\nsource = "y"', 5, "needs a `name`"),
    "twice": (
        '[[model]]\nname = "a"\nsource = "x"\n[[model]]\nname = "a"\nsource = "y"',
        4,
        "two models are named `a`",
    ),
    "a table": ('[model]\nname = "a"', 1, "[[model]]"),
    "wrong type": ('[[model]]\nname = "a"\nsource = "x"\ninput = 3', 4, "list of strings"),
    "source above": ('source = "x"\n[[model]]\nname = "a"', 1, "unknown key `source`"),
}


@pytest.mark.parametrize("case", WRONG)
def test_mistakes_have_their_lines(case: str, tmp_path: Path) -> None:
    text, line, said = WRONG[case]
    (tmp_path / "edgec.toml").write_text(text)
    with pytest.raises(EdgecError) as refused:
        load_project(tmp_path / "edgec.toml")
    told = [d for d in refused.value.diagnostics if d.place is not None and d.place.line == line]
    assert any(said in " ".join((d.message, *d.help)) for d in told), refused.value.diagnostics
    assert all(d.code == "E0106" for d in refused.value.diagnostics)
