"""All rewrites that can fire and be switched, for `edgec rules`, `--enable` and `--disable`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from edgec.diag import EdgecError, error
from edgec.diag.suggest import suggest
from edgec.passes.base import OptionalPass
from edgec.rules.base import Example, Rule
from edgec.rules.table import QOPERATOR, RULES
from edgec.spec.backend import backend_spec, backend_specs
from edgec.spec.describe import Listing


@dataclass(frozen=True)
class Entry:
    """A rule or pass, and the backends whose legalization uses it; none: it is applied to every model."""

    rewrite: Rule | type[OptionalPass]
    backends: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name for `--disable`."""
        return self.rewrite.name

    def summary(self) -> str:
        """The first line of its documentation."""
        return (self.rewrite.__doc__ or "").strip().splitlines()[0]


def catalogue() -> dict[str, Entry]:
    """All rewrites by name: first those for all targets, then those of backends."""
    found = {rule.name: Entry(rule) for rule in (*RULES.values(), *QOPERATOR)}
    for spec in backend_specs():
        rewriting = spec.rewriting()
        every: list[Rule | type[OptionalPass]] = [*rewriting.rules, *rewriting.passes]
        for rewrite in every:
            entry = found.get(rewrite.name)
            if entry is None or entry.backends:
                known = () if entry is None else entry.backends
                found[rewrite.name] = Entry(rewrite, tuple(dict.fromkeys((*known, spec.name))))
    return found


def rule_listing() -> Listing:
    """The name, backends and summary of each rewrite."""
    return Listing([(name, ", ".join(entry.backends), entry.summary()) for name, entry in catalogue().items()])


def show_rules(text: str) -> str:
    """The rule with that name, else all whose name contains the text. Raises `EdgecError` E0109 if there are none."""
    known = catalogue()
    named = [text] if text in known else [name for name in known if text in name]
    return "\n\n".join(map(show_rule, named or [text]))


def check_rules(names: Iterable[str], backends: Iterable[str]) -> None:
    """Raises `EdgecError` E0109 unless each name is a rewrite for all models, or of one of these backends."""
    asked = list(names)
    if not asked:
        return
    known = catalogue()
    wanted = {spec.name for spec in map(backend_spec, backends)}
    for name in asked:
        if name not in known:
            raise _unknown(name, known)
        entry = known[name]
        if entry.backends and not wanted & set(entry.backends):
            raise error(
                "E0109",
                f"rule `{name}` applies to {', '.join(entry.backends)} targets only",
                notes=[f"the targets of this build use {', '.join(sorted(wanted))}"],
                help=["remove it"],
            )


def _unknown(name: str, known: Iterable[str]) -> EdgecError:
    near = suggest(name, list(known))
    return error(
        "E0109",
        f"there is no rule `{name}`",
        help=[f"did you mean `{near}`?"] if near else ["`edgec rules` lists them"],
    )


def show_rule(name: str) -> str:
    """The documentation of a rewrite, with its examples. Raises `EdgecError` E0109 for an unknown name."""
    known = catalogue()
    if name not in known:
        raise _unknown(name, known)
    entry = known[name]
    lines = [entry.name, (entry.rewrite.__doc__ or "").strip()]
    lines += [f"applies to {', '.join(entry.backends)}"] if entry.backends else []
    if isinstance(entry.rewrite, Rule):
        lines.append(f"matches at: {', '.join(entry.rewrite.roots)}")
        for example in entry.rewrite.examples:
            lines += ["", *_example_lines(example)]
    return "\n".join(lines)


def _example_lines(example: Example) -> list[str]:
    lines = [f"  inputs     {example.inputs}"]
    if example.constants:
        lines.append(f"  constants  {example.constants}")
    lines.append(f"  before     {example.before}")
    lines.append(f"  after      {example.after}" if example.after is not None else "  unchanged")
    return lines
