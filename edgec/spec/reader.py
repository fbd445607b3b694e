"""Reads TOML with diagnostics: all mistakes in a file are collected, each with its line and a suggestion."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgec.diag import Diagnostic, EdgecError, Place, error
from edgec.diag.suggest import suggest
from edgec.spec.reads import note

Table = Mapping[str, Any]


def load_toml(path: Path, kind: str) -> dict[str, Any]:
    """Parse a file, which is a `target`, `device` or `project`.

    Raises `EdgecError` E0106 with the line of a syntax error.
    """
    note(path, kind)
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as failure:
        found = re.search(r"at line (\d+)", str(failure))
        line = int(found[1]) if found else None
        raise error("E0106", f"the file is not valid TOML: {failure}", place=Place(str(path), line)) from failure
    except (OSError, UnicodeDecodeError) as failure:
        raise error("E0106", f"`{path}` cannot be read", notes=[str(failure)]) from failure


@dataclass
class Checker:
    """Reads keys with their types and collects mistakes, which `finish` raises together.

    `lines`: the line ranges to search for keys, in order of preference, if a file has several tables of the same kind.
    """

    path: Path
    problems: list[Diagnostic] = field(default_factory=list)
    lines: tuple[range, ...] = ()

    def known(self, table: Table, keys: Iterable[str], where: str = "") -> None:
        """Report all keys that are not in `keys`."""
        allowed = list(keys)
        for key in table:
            if key not in allowed:
                near = suggest(key, allowed)
                help_ = f"did you mean `{near}`?" if near else f"the keys are {', '.join(allowed)}"
                self.problem(f"unknown key `{where}{key}`", key, help_)

    def string(self, table: Table, key: str, default: str | None = None) -> str:
        """A string; without a default it is required."""
        return str(self._typed(table, key, str, default, ""))

    def number(self, table: Table, key: str, default: float | None = None) -> float:
        """A number; without a default it is required."""
        return float(self._typed(table, key, (int, float), default, 0.0))

    def integer(self, table: Table, key: str, default: int | None = None) -> int:
        """An integer; without a default it is required."""
        return int(self._typed(table, key, int, default, 0))

    def boolean(self, table: Table, key: str, default: bool) -> bool:
        """True or false."""
        return bool(self._typed(table, key, bool, default, default))

    def optional_number(self, table: Table, key: str) -> float | None:
        """A number or None."""
        return self.number(table, key) if key in table else None

    def at_least(self, value: float, key: str, least: float, *, above: bool = False) -> None:
        """Report a number that is not finite, below `least`, or (with `above`) equal to it."""
        if not math.isfinite(value) or value < least or (above and value == least):
            self.problem(f"`{key}` is {value:g}; it must be {'above' if above else 'at least'} {least:g}", key)

    def choice(self, table: Table, key: str, choices: tuple[str, ...], default: str) -> str:
        """One of several words."""
        value = self.string(table, key, default)
        if value not in choices:
            near = suggest(value, choices)
            self.problem(
                f"`{key}` is `{value}`, not one of {', '.join(choices)}",
                key,
                f"did you mean `{near}`?" if near else None,
            )
            return default
        return value

    def strings(self, table: Table, key: str) -> tuple[str, ...]:
        """A list of strings; empty if absent."""
        value = table.get(key, [])
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            self.problem(f"`{key}` must be a list of strings", key)
            return ()
        return tuple(value)

    def numbers(self, table: Table, key: str, default: float) -> tuple[float, ...]:
        """A number, or a list of them."""
        value = table.get(key, default)
        items = value if isinstance(value, list) else [value]
        if not items or not all(isinstance(v, int | float) and not isinstance(v, bool) for v in items):
            self.problem(f"`{key}` must be a number or a list of numbers", key)
            return (default,)
        return tuple(float(v) for v in items)

    def labels(self, file: str) -> tuple[str, ...]:
        """The labels in a text file, one a line; `file` is relative to this file. Reports a problem if it has none."""
        path = self.path.parent / file
        note(path, "labels")
        lines = path.read_text(encoding="utf-8").splitlines() if file and path.is_file() else []
        found = tuple(line.strip() for line in lines if line.strip())
        if file and not found:
            self.problem(f"`labels` names `{file}`, which is no file with one label on each line", "labels")
        return found

    def table(self, table: Table, key: str) -> Table:
        """A sub-table; empty if absent."""
        value = table.get(key, {})
        if not isinstance(value, dict):
            self.problem(f"`{key}` must be a table", key)
            return {}
        return value

    def problem(self, message: str, key: str, help_: str | None = None) -> None:
        """Report a mistake at the line of `key`."""
        place = Place(str(self.path), self.line_of(key))
        self.problems.append(Diagnostic("E0106", message, place, (), (help_,) if help_ else ()))

    def line_of(self, key: str) -> int | None:
        """The first line that assigns `key` or opens the table `key`."""
        pattern = re.compile(rf"^\s*(?:\[+.*\b{re.escape(key)}\]+|.*\b{re.escape(key)}\s*=)")
        lines = self.path.read_text(encoding="utf-8").splitlines() if self.path.is_file() else []
        found = [i for i, line in enumerate(lines, 1) if pattern.match(line)]
        spans = self.lines or (range(1, len(lines) + 1),)
        first = self.lines[0].start if self.lines else None
        return next((i for span in spans for i in found if i in span), first)

    def finish(self) -> None:
        """Raise `EdgecError` E0106 with all mistakes, if there are any."""
        if self.problems:
            raise EdgecError(self.problems)

    def _typed(self, table: Table, key: str, kind: type | tuple[type, ...], default: Any, fallback: Any) -> Any:
        if key not in table:
            if default is None:
                self.problem(f"`{key}` is missing", key)
                return fallback
            return default
        value = table[key]
        wrong_bool = isinstance(value, bool) and kind is not bool
        if not isinstance(value, kind) or wrong_bool:
            wanted = {str: "a string", int: "an integer", bool: "true or false"}.get(kind, "a number")  # type: ignore[arg-type]
            self.problem(f"`{key}` must be {wanted}, not `{value}`", key)
            return fallback
        return value
