"""The commands that list targets, devices, rules, codes and installed packages."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from edgec.cli.columns import columns
from edgec.cli.completion import complete_rule, complete_target, complete_topic
from edgec.cli.page import page_lines
from edgec.cli.run import guarded, show
from edgec.cli.terminal import columns_of
from edgec.diag import ExitCode

if TYPE_CHECKING:
    from edgec.spec.describe import Listing

_ENTRIES = "Entries to show in full; `show` may stand before them."
Targets = Annotated[list[str] | None, typer.Argument(help=_ENTRIES, autocompletion=complete_target)]
Rules = Annotated[list[str] | None, typer.Argument(help=_ENTRIES, autocompletion=complete_rule)]


def targets_command(
    names: Targets = None,
    resolved: Annotated[bool, typer.Option("--resolved", help="Fill in inherited values and defaults.")] = False,
) -> None:
    """List the targets, or show one."""

    def body() -> int:
        from edgec.spec.describe import show_target, target_listing

        return _shown(names, target_listing, lambda name: show_target(name, resolved=resolved))

    raise typer.Exit(guarded(body))


def rules_command(names: Rules = None) -> None:
    """List the rewrite rules, or show one with its examples. `edgec rules swish` shows those whose name holds it."""

    def body() -> int:
        from edgec.compiler.catalogue import rule_listing, show_rules

        return _shown(names, rule_listing, show_rules)

    raise typer.Exit(guarded(body))


def _shown(names: list[str] | None, listing: Callable[[], Listing], one: Callable[[str], str]) -> int:
    """The entries that are named, or all in a line each; entries that cannot be read are told behind the others."""
    wanted = names[1:] if names and names[0] == "show" else names
    if wanted:
        print("\n\n".join(map(one, wanted)))
        return int(ExitCode.DONE)
    found = listing()
    print("\n".join(columns(found.rows, columns_of(sys.stdout))))
    show(found.broken)
    return int(ExitCode.BAD_REQUEST if found.broken else ExitCode.DONE)


def explain_command(
    code: Annotated[
        str | None,
        typer.Argument(help="A code, such as E0412, or a page; all are listed without.", autocompletion=complete_topic),
    ] = None,
) -> None:
    """Explain a diagnostic code and what to do about it, or show a page."""

    def body() -> int:
        from edgec.diag import CODES
        from edgec.diag.explain import explain, topics

        width = columns_of(sys.stdout)
        if code is None:
            rows = [(topic, CODES[topic].title if topic in CODES else "a page") for topic in topics()]
            print("\n".join(columns(rows, width)))
        else:
            print("\n".join(page_lines(explain(code), width)))
        return 0

    raise typer.Exit(guarded(body))


def doctor_command() -> None:
    """List what is installed, and what each missing package would enable."""

    def body() -> int:
        from edgec.spec.doctor import report

        print("\n".join(report()))
        return 0

    raise typer.Exit(guarded(body))
