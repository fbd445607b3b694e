"""The commands that list targets, devices, rules, codes and installed packages."""

from __future__ import annotations

from typing import Annotated

import typer

from edgec.cli.run import guarded

Name = Annotated[str | None, typer.Argument(help="The name of the entry to show in full.", show_default=False)]


def targets_command(
    what: Annotated[str | None, typer.Argument(help="`show` for one target.", show_default=False)] = None,
    name: Name = None,
    resolved: Annotated[bool, typer.Option("--resolved", help="Fill in inherited values and defaults.")] = False,
) -> None:
    """List the targets, or show one."""

    def body() -> int:
        from edgec.spec.describe import show_target, target_lines

        print(show_target(name, resolved=resolved) if what == "show" and name else "\n".join(target_lines()))
        return 0

    raise typer.Exit(guarded(body))


def devices_command(
    what: Annotated[str | None, typer.Argument(help="`show` for one device.", show_default=False)] = None,
    name: Name = None,
) -> None:
    """List the device profiles, or show one."""

    def body() -> int:
        from edgec.spec.describe import device_lines, show_device

        print(show_device(name) if what == "show" and name else "\n".join(device_lines()))
        return 0

    raise typer.Exit(guarded(body))


def rules_command(
    what: Annotated[str | None, typer.Argument(help="`show` for one rule.", show_default=False)] = None,
    name: Name = None,
) -> None:
    """List the rewrite rules, or show one with its examples."""

    def body() -> int:
        from edgec.compiler.catalogue import rule_lines, show_rule

        print(show_rule(name) if what == "show" and name else "\n".join(rule_lines()))
        return 0

    raise typer.Exit(guarded(body))


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
