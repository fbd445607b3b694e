"""`edgec lint`: check an artifact against the requirements of devices."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from edgec.cli.document import print_json
from edgec.cli.run import guarded, show


def lint_command(
    artifact: Annotated[
        Path, typer.Argument(help="An artifact of any converter, its manifest.json or a build's folder.")
    ],
    delegate: Annotated[
        list[str] | None,
        typer.Option(
            "--delegate", help="Also list operators that a TFLite delegate rejects: xnnpack, gpu, nnapi or qnn."
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout and nothing else.")] = False,
) -> None:
    """Report what a device's loader, compiler or delegate would refuse or run slowly, with sources."""

    def body() -> int:
        from edgec.artifact.locate import locate
        from edgec.diag import Severity
        from edgec.ledger.lint import lint, rows_for

        path = locate(artifact).path
        delegates = tuple(delegate or ())
        found, demands = lint(path, delegates), len(rows_for(path, delegates))
        refused = [f for f in found if f.severity is Severity.ERROR]
        if json:
            print_json({"artifact": str(path), "demands": demands, "findings": [_row(f) for f in found]})
        else:
            show([f.diagnostic() for f in found])
            print(f"{demands} requirements checked: {len(refused)} errors, {len(found) - len(refused)} warnings")
        return 1 if refused else 0

    raise typer.Exit(guarded(body, as_document=json))


def _row(found: Any) -> dict[str, Any]:
    return {**asdict(found), "severity": found.severity.value}
