"""Reads recorded results, judges them against `expected.toml`, and writes docs/conformance/mil-interpreter.md."""

from __future__ import annotations

import json
import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Expected:
    """Cases that are known to fail: the test without parameters, a label, the reason, and parts that the
    parameters of the case must contain."""

    name: str
    label: str
    reason: str
    case: tuple[str, ...] = ()

    def covers(self, test: str) -> bool:
        """Whether a test with its parameters is one of these cases."""
        name, _, parameters = test.partition("[")
        return name == self.name and all(part in parameters for part in self.case)


@dataclass(frozen=True)
class Verdict:
    """Counts of all of Apple's tests by opset and outcome and by label, and contradictions to the expectations."""

    counts: dict[str, Counter[str]]
    labels: Counter[str]
    surprises: list[str]


def expectations() -> list[Expected]:
    """The table of known failures."""
    with (_HERE / "expected.toml").open("rb") as file:
        return [Expected(**entry | {"case": tuple(entry.get("case", ()))}) for entry in tomllib.load(file)["test"]]


def judge(records: list[dict[str, Any]], expected: list[Expected]) -> Verdict:
    """Outcomes: `passed` compared outputs, `built` compared none, `left out` is skipped by Apple, `refused` is in the
    table of known failures, `wrong` is not."""
    counts: dict[str, Counter[str]] = {}
    labels: Counter[str] = Counter()
    surprises: list[str] = []
    seen: set[str] = set()
    for record in records:
        opset, name = record["test"].split("/", 1)
        known = next((entry for entry in expected if entry.covers(name)), None)
        outcome = _outcome(record)
        if outcome == "wrong" and known:
            outcome = "refused"
            labels[known.label] += 1
            seen.add(known.name)
        elif outcome == "wrong":
            surprises.append(f"fails and is not expected to: {record['test']}: {record['error']}")
        counts.setdefault(opset, Counter())[outcome] += 1
    surprises += [f"is expected to fail and does not: {e.name}" for e in expected if e.name not in seen]
    return Verdict(counts, labels, surprises)


def _outcome(record: dict[str, Any]) -> str:
    if record["outcome"] == "failed":
        return "wrong"
    if record["outcome"] in ("skipped", "xfailed"):
        return "left out"
    return "passed" if record["compared"] else "built"


def read(path: Path) -> list[dict[str, Any]]:
    """The records of a JSON lines file; empty if there is no such file."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def count_file(results: Path) -> Path:
    """The file, beside the results, that stores the total number of cases."""
    return results.with_suffix(".count")


def collected(results: Path) -> int:
    """The total number of cases, run or not; 0 if it is not known."""
    path = count_file(results)
    return int(path.read_text()) if path.exists() else 0


def document(apple: list[dict[str, Any]], verdict: Verdict, models: list[dict[str, Any]], there: dict[str, int]) -> str:
    """The text of the document; `there` is the number of cases in each folder."""
    lines = [
        "# The MIL interpreter against other people's tests",
        "",
        "Written by `python -m tests.conformance.mil_interpreter`; do not edit.",
        "",
        "## Apple's op tests",
        "",
        "The tests in `coremltools/converters/mil/mil/ops/tests`, with the prediction replaced by saving the package",
        "and running it in the interpreter. *Passed* tests compared the interpreter's outputs with the test's own",
        "expected outputs: float32 cases to 1e-4 absolute and 1e-5 relative unless the test says otherwise (2e-3",
        "where the program holds float16 values), float16 cases to 0.5 absolute and 5 percent relative, as",
        "coremltools itself does on a Mac. *Built* tests compare no outputs (type inference, errors of the builder).",
        "*Left out* are skipped or expected to crash by Apple's own marks.",
        "",
        "| tests of | cases | run | passed | built | left out | refused | wrong |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    columns = ("passed", "built", "left out", "refused", "wrong")
    total: Counter[str] = Counter()
    for opset in sorted(verdict.counts):
        count = verdict.counts[opset]
        total.update(count)
        lines.append(_row(opset, [there[opset], sum(count.values()), *(count[c] for c in columns)]))
    lines.append(_row("all", [sum(there.values()), sum(total.values()), *(total[c] for c in columns)]))
    judged = total["passed"] + total["refused"] + total["wrong"]
    share = 100 * total["passed"] / judged if judged else 0.0
    lines += ["", f"Of those that carry expected outputs, {share:.1f} percent pass.", ""]
    lines += ["| refused, by label | cases | why |", "|---|---:|---|"]
    reasons = {entry.label: entry.reason for entry in expectations()}
    lines += [f"| {label} | {count} | {reasons[label]} |" for label, count in sorted(verdict.labels.items())]
    return "\n".join(lines + _models(models)) + "\n"


_MODELS_TITLE = "## coremltools' conversions of PyTorch models"


def keeping_models(text: str, before: str) -> str:
    """The document with the models' section of the previous one: models are not run every time."""
    return text.partition(_MODELS_TITLE)[0] + "".join(before.partition(_MODELS_TITLE)[1:])


def _row(name: str, cells: list[int]) -> str:
    return f"| {name} | " + " | ".join(str(cell) for cell in cells) + " |"


def _models(records: list[dict[str, Any]]) -> list[str]:
    by_model: dict[str, dict[str, dict[str, Any]]] = {}
    for record in records:
        by_model.setdefault(record["model"], {})[record["precision"]] = record
    both = [m for m, r in by_model.items() if all(r.get(p, {}).get("outcome") == "agrees" for p in _PRECISIONS)]
    one = [m for m, r in by_model.items() if r.get("float32", {}).get("outcome") == "agrees"]
    lines = [
        "", _MODELS_TITLE, "",
        "Each model is converted by coremltools to float32 and to float16, saved, run in the interpreter in the same",
        "precision, and compared with eager PyTorch: the largest error over the largest magnitude of the output,",
        "within 1e-4 (float32) and 3e-2 (float16).",
        f"Of {len(by_model)} models {len(one)} agree in float32, {len(both)} in both.",
        "", "| model | float32 | float16 |", "|---|---|---|",
    ]  # fmt: skip
    for model in sorted(by_model):
        cells = [_cell(by_model[model].get(precision) or by_model[model].get("")) for precision in _PRECISIONS]
        lines.append(f"| {model} | {cells[0]} | {cells[1]} |")
    return lines


_PRECISIONS = ("float32", "float16")


def _cell(record: dict[str, Any] | None) -> str:
    if record is None:
        return ""
    detail = record["detail"].splitlines()[0][:60] if record["detail"] else ""
    detail = detail.replace("|", "/")
    if "max_rel" not in record:
        return f"{record['outcome']}: {detail}" if detail else str(record["outcome"])
    figure = f"{record['max_rel']:.1e}"
    if record["outcome"] == "agrees":
        return figure
    return f"{record['outcome']} ({figure}{', ' + detail if detail else ''})"
