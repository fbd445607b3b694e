"""Rules as text, for `edgec rules`."""

from __future__ import annotations

from edgec.diag import error
from edgec.diag.suggest import suggest
from edgec.rules.base import Example
from edgec.rules.table import RULES


def rule_lines() -> list[str]:
    """A line for each rule: its name and what it does."""
    return [f"{name:32} {rule.summary()}" for name, rule in RULES.items()]


def show_rule(name: str) -> str:
    """A rule's documentation with its examples. Raises `EdgecError` E0109 for an unknown name."""
    rule = RULES.get(name)
    if rule is None:
        near = suggest(name, RULES)
        raise error(
            "E0109", f"no rule `{name}`", help=[f"did you mean `{near}`?"] if near else ["`edgec rules` lists them"]
        )
    lines = [rule.name, (rule.__doc__ or "").strip(), f"tried at: {', '.join(rule.roots)}"]
    for example in rule.examples:
        lines += ["", *_example_lines(example)]
    return "\n".join(lines)


def _example_lines(example: Example) -> list[str]:
    lines = [f"  inputs     {example.inputs}"]
    if example.constants:
        lines.append(f"  constants  {example.constants}")
    lines.append(f"  before     {example.before}")
    lines.append(f"  after      {example.after}" if example.after is not None else "  stays as it is")
    return lines
