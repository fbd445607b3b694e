"""MIL's operations by opset: their parameters, whether these are required, and the types that they accept.

`operations.json` is generated from coremltools' definitions (`python -m tests.conformance.mil_operations --update`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True)
class Parameter:
    """`need` is `required`, `filled` (coremltools writes the default if none is given) or `optional`.

    `types` are MIL's names, empty if any type is accepted; parameters of one `domain` have the same type; a list has
    several arguments.
    """

    need: str
    is_const: bool
    types: frozenset[str]
    domain: str
    is_list: bool


@dataclass(frozen=True)
class Form:
    """An operation as it is from one specification version on."""

    since: int
    parameters: Mapping[str, Parameter]


@dataclass(frozen=True)
class Operations:
    """All forms of each operation, oldest first."""

    forms: Mapping[str, tuple[Form, ...]]

    def form(self, name: str, version: int) -> Form | None:
        """The form in the opset of a specification version, or None if there is none yet."""
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
