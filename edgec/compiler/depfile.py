"""Dependencies of a build for make and ninja: `--depfile`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from edgec.diag import error


def write_depfile(path: Path, artifacts: Sequence[Path], inputs: Iterable[Path]) -> None:
    """Write a rule: the artifacts depend on the inputs; make does not stop if an input disappears.

    Paths in the working folder are relative to it. Raises `EdgecError` E0101 for a path that depfiles cannot express,
    E0108 if the file is not writable.
    """
    outputs, needed = [_escaped(p) for p in artifacts], list(dict.fromkeys(_escaped(p) for p in inputs))
    rule = f"{' '.join(outputs)}: {' '.join(needed)}\n"
    text = rule + "".join(f"\n{name}:\n" for name in needed)
    beside = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)
    except OSError as failure:
        raise error("E0108", f"`{path}` cannot be written: {failure.strerror}") from failure


def _escaped(path: Path) -> str:
    """The path as make and ninja parse it: `$` doubled, a backslash before spaces, `#` and colons."""
    here = Path.cwd()
    absolute = Path(os.path.abspath(path))
    text = str(absolute.relative_to(here) if absolute.is_relative_to(here) else absolute)
    if re.search(r"[\n\t\\%]", text):
        raise error(
            "E0101",
            f"`--depfile` cannot name `{text!r}`",
            help=["rename it: makefiles cannot hold a backslash, `%`, tab or line break in a file's name"],
        )
    return re.sub(r"([ #:])", r"\\\1", text).replace("$", "$$")
