"""MIL's operations by opset: parameters, whether they are needed, and the types that they take.

`operations.json` is written from coremltools' own definitions (`python -m tests.conformance.mil_operations --update`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True)
class Parameter:
    """`need` is `required`, `filled` (coremltools writes its default where none is given) or `optional`.

    `types` are MIL's names, empty where any is taken; parameters of one `domain` have one type together; a list takes
    several arguments.
    """

    need: str
    is_const: bool
    types: frozenset[str]
    domain: str
    is_list: bool


@dataclass(frozen=True)
class Form:
    """An operation from one specification version on."""

    since: int
    parameters: Mapping[str, Parameter]


@dataclass(frozen=True)
class Operations:
    """All forms of each operation, oldest first."""

    forms: Mapping[str, tuple[Form, ...]]

    def form(self, name: str, version: int) -> Form | None:
        """The form that holds in the opset of a specification version, None where there is none yet."""
        held = [form for form in self.forms.get(name, ()) if form.since <= version]
        return held[-1] if held else None


@cache
def operations() -> Operations:
    """The table, read once."""
    table = json.loads((Path(__file__).parent / "operations.json").read_text(encoding="utf-8"))
    return Operations({name: tuple(_form(entry) for entry in entries) for name, entries in table.items()})


def _form(entry: Mapping[str, object]) -> Form:
    inputs, domains = entry["inputs"], entry.get("domains", {})
    assert isinstance(inputs, dict)
    assert isinstance(domains, dict)
    parameters = {}
    for name, given in inputs.items():
        domain = str(given.get("domain", ""))
        types = frozenset(domains.get(domain, ()) if domain else given.get("types", ()))
        parameters[name] = Parameter(given["need"], bool(given.get("const")), types, domain, bool(given.get("list")))
    since = entry["since"]
    assert isinstance(since, int)
    return Form(since, parameters)
