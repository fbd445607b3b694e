"""Diagnostics: text, JSON, codes and their pages."""

from dataclasses import replace
from pathlib import Path

import pytest

from edgec.diag import CODES, Diagnostic, EdgecError, ExitCode, Place, error
from edgec.diag.explain import explain, pages
from edgec.diag.foreign import said
from edgec.diag.render import as_json, render_all, render_text
from edgec.diag.suggest import edit_distance, suggest


def test_text_form() -> None:
    shown = render_text(
        Diagnostic(
            "E0412",
            "no lowering for `GridSample` on target `android`",
            Place("models/detector.py", 88, "detector.neck.warp"),
            ("rejected by `gridsample-no-kernel` (1 of 214 ops)",),
            ("`--enable decompose-grid-sample` rewrites it",),
        )
    )
    assert shown == (
        "error[E0412]: no lowering for `GridSample` on target `android`\n"
        "  --> models/detector.py:88  in  detector.neck.warp\n"
        "   = rejected by `gridsample-no-kernel` (1 of 214 ops)\n"
        "   = help: `--enable decompose-grid-sample` rewrites it"
    )


def test_equal_diagnostics_are_shown_once() -> None:
    one = Diagnostic("E0101", "the request is empty")
    assert render_all([one, one]) == render_text(one)


def test_json_is_plain() -> None:
    (entry,) = as_json([Diagnostic("E0101", "bad", Place("a.py", 3))])
    assert entry["severity"] == "error"
    assert entry["place"]["line"] == 3


def test_exit_code_is_that_of_the_first_error() -> None:
    assert error("E0412", "no lowering").exit_code is ExitCode.CANNOT_BUILD
    assert EdgecError([Diagnostic("E0601", "wrong"), Diagnostic("E0101", "bad")]).exit_code is ExitCode.CHECK_FAILED


def test_unknown_code_is_refused() -> None:
    with pytest.raises(ValueError, match="E9999"):
        Diagnostic("E9999", "no such code")


def test_every_code_has_a_page_and_every_page_a_code() -> None:
    assert {path.stem for path in Path(pages()).glob("*.md")} == set(CODES)
    for code in CODES:
        assert explain(code).startswith(f"# {code}")


@pytest.mark.parametrize(("a", "b", "distance"), [("", "abc", 3), ("kitten", "sitting", 3), ("same", "same", 0)])
def test_edit_distance(a: str, b: str, distance: int) -> None:
    assert edit_distance(a, b) == distance


def test_suggestions_are_near_or_none() -> None:
    assert suggest("iphnoe", ["iphone", "android"]) == "iphone"
    assert suggest("windows", ["iphone", "android"]) is None


def test_equal_errors_are_told_once():
    one, other = (Diagnostic("E0412", f"no lowering for `{op}`", notes=("why",)) for op in ("Split", "Pad"))
    assert EdgecError([one, other, replace(one, place=Place(node="a")), one]).diagnostics[:2] == (one, other)
    assert len(EdgecError([one, other, replace(one, place=Place(node="a")), one]).diagnostics) == 3


def test_errors_that_differ_in_their_places_alone_are_one_block_with_a_count() -> None:
    same = [Diagnostic("E0412", "no lowering for `If`", Place("net.py", line), ("why",)) for line in range(1, 6)]
    assert render_all(same) == (
        "error[E0412]: no lowering for `If` (5 times)\n"
        "  --> net.py:1\n  --> net.py:2\n  --> net.py:3\n  --> and 2 more places\n   = why\n\n"
        "5 errors; see `edgec explain E0412`"
    )


def test_lines_are_wrapped_between_words() -> None:
    path = "/a/path/" + "that-is-longer-than-any-line/" * 3
    given = Diagnostic("E0101", "one two three four five six " + path, None, ("seven eight nine ten",), ("eleven",))
    lines = render_text(given, width=40).splitlines()
    assert all(len(line) <= 40 or path in line for line in lines)
    assert path in lines[-3] or path in "".join(lines)
    assert " ".join("\n".join(lines).replace("   = ", "").split()) == " ".join(
        f"error[E0101]: {given.message} seven eight nine ten help: eleven".split()
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (ValueError(""), "torch says: ValueError"),
        (ValueError("\n  one   two\nthree"), "torch says: one two"),
        ("[ONNXRuntimeError] : 1 : FAIL : no kernel", "torch says: no kernel"),
        ("x" * 500, f"torch says: {'x' * 200} …"),
    ],
)
def test_the_words_of_others_are_labelled_and_cut(words: Exception | str, told: str) -> None:
    assert said("torch", words) == told
