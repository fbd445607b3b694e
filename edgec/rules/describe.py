"""Rules as text, for `edgec rules`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from edgec.diag import EdgecError, error
from edgec.diag.suggest import suggest
from edgec.rules.base import Example, Rule
from edgec.rules.table import RULES


def rule_lines() -> list[str]:
    """A line for each rule: its name and what it does."""
    return [f"{name:32} {rule.summary()}" for name, rule in RULES.items()]


def check_rules(names: Iterable[str]) -> None:
    """Each must name a rule: one of `RULES`, or of a backend that has been loaded. Raises `EdgecError` E0109."""
    known = RULES.keys() | set(_names(Rule.__subclasses__()))
    for name in names:
        if name not in known:
            raise _unknown(name, known)


def _names(kinds: Sequence[type[Rule]]) -> Iterator[str]:
    """The names of rules and of their subclasses."""
    for kind in kinds:
        if "name" in vars(kind):
            yield kind.name
        yield from _names(kind.__subclasses__())


def _unknown(name: str, known: Iterable[str]) -> EdgecError:
    near = suggest(name, list(known))
    return error(
        "E0109", f"no rule `{name}`", help=[f"did you mean `{near}`?"] if near else ["`edgec rules` lists them"]
    )


def show_rule(name: str) -> str:
    """A rule's documentation with its examples. Raises `EdgecError` E0109 for an unknown name."""
    rule = RULES.get(name)
    if rule is None:
        raise _unknown(name, RULES)
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
