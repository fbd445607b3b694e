"""`docs/what-a-device-demands.md` lists the ledgers as they are.

`python -m tests.unit.ledger.test_ledger_page` updates it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from edgec.diag import Severity
from edgec.ledger.coreml import ledger as coreml
from edgec.ledger.coreml.passes import PASSES
from edgec.ledger.coreml.protos import demanded, not_needed
from edgec.ledger.row import Row
from edgec.ledger.tensorrt import ledger as tensorrt
from edgec.ledger.tflite import delegated
from edgec.ledger.tflite import ledger as tflite
from tests import ROOT

PAGE = ROOT.parent / "docs/what-a-device-demands.md"


def rows(ledger: Iterable[Row[Any]]) -> str:
    lines = ["| label | requirement | by | source |", "|---|---|---|---|"]
    for row in ledger:
        label = f"`{row.label}`" + ("" if row.severity is Severity.ERROR else " (warning)")
        by = row.by if row.versions == "all" else f"{row.by}, {row.versions}"
        lines.append(f"| {label} | {_cell(row.demand)} | {by} | {_cell(row.source)} |")
    return "\n".join(lines)


def passes() -> str:
    lines = ["| pass | what it does | here |", "|---|---|---|"]
    for row in PASSES:
        here = f"`{row.kept_by}`" if row.kept_by.startswith("edgec.") and " " not in row.kept_by else row.kept_by
        demanded = f"; required: `{row.demanded}`" if row.demanded else ""
        lines.append(f"| `{row.name}` | {row.does} | {here or f'not needed: {row.not_needed}'}{demanded} |")
    return "\n".join(lines)


def fields() -> str:
    lines = ["| field | checked by |", "|---|---|"]
    told = {name: ", ".join(f"`{label}`" for label in labels) for name, labels in demanded().items()}
    told |= {name: f"nothing: {reason}" for name, reason in not_needed().items()}
    return "\n".join([*lines, *(f"| `{name}` | {text} |" for name, text in sorted(told.items()))])


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*")


def page(text: str) -> str:
    for name, table in (
        ("passes", passes()),
        ("fields", fields()),
        ("coreml", rows(coreml.ROWS)),
        ("tflite", rows(tflite.ROWS)),
        ("delegates", rows(delegated.ROWS)),
        ("tensorrt", rows(tensorrt.ROWS)),
    ):
        pattern = rf"(<!-- {name} -->\n).*?(<!-- end -->)"
        text = re.sub(pattern, lambda found, table=table: f"{found[1]}{table}\n{found[2]}", text, flags=re.DOTALL)
    return text


def test_the_page_holds_the_ledgers() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert page(text) == text, "run `python -m tests.unit.ledger.test_ledger_page`"


def test_every_row_says_who_demands_what_where() -> None:
    for row in (*coreml.ROWS, *tflite.ROWS, *delegated.ROWS, *tensorrt.ROWS):
        assert row.label
        assert (
            row.demand[0].islower()
            or row.demand[0] == "`"
            or row.demand.startswith(("TFLite", "MaxPool", "XNNPACK", "NNAPI", "Qualcomm"))
        )
        assert row.by
        assert len(row.source) > 10


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
