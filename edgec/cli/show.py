"""The commands that list targets, devices, rules, codes and installed packages."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from edgec.cli.columns import columns
from edgec.cli.run import guarded, show
from edgec.cli.terminal import columns_of
from edgec.diag import ExitCode

if TYPE_CHECKING:
    from edgec.spec.describe import Listing

Names = Annotated[list[str] | None, typer.Argument(help="Entries to show in full; `show` may stand before them.")]


def targets_command(
    names: Names = None,
    resolved: Annotated[bool, typer.Option("--resolved", help="Fill in inherited values and defaults.")] = False,
) -> None:
    """List the targets, or show one."""

    def body() -> int:
        from edgec.spec.describe import show_target, target_listing

        return _shown(names, target_listing, lambda name: show_target(name, resolved=resolved))

    raise typer.Exit(guarded(body))


def rules_command(names: Names = None) -> None:
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


def explain_command(code: Annotated[str, typer.Argument(help="A code, such as E0412.")]) -> None:
    """Explain a diagnostic code and what to do about it."""

    def body() -> int:
        from edgec.diag.explain import explain

        print(explain(code))
        return 0

    raise typer.Exit(guarded(body))


def doctor_command() -> None:
    """List what is installed, and what each missing package would enable."""

    def body() -> int:
        from edgec.spec.doctor import report

        print("\n".join(report()))
        return 0

    raise typer.Exit(guarded(body))
