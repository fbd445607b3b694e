"""Dependencies of a build for make and ninja: `--depfile`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from edgec.diag import error


def write_depfile(path: Path, artifacts: Sequence[Path], inputs: Iterable[Path]) -> None:
    """Write a rule: the artifacts depend on the inputs, each of which may vanish without stopping make.

    Artifacts are named as they were asked for, as a makefile names them too; inputs relative to the working folder if
    they lie below it. Raises `EdgecError` E0101 for a path that depfiles cannot hold, E0108 if the file cannot be
    written.
    """
    outputs = [_escaped(os.path.normpath(artifact)) for artifact in artifacts]
    needed = list(dict.fromkeys(_escaped(_from_here(p)) for p in inputs))
    rule = f"{' '.join(outputs)}: {' '.join(needed)}\n"
    text = rule + "".join(f"\n{name}:\n" for name in needed)
    beside = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)
    except OSError as failure:
        raise error("E0108", f"`{path}` cannot be written: {failure.strerror}") from failure


def _from_here(path: Path) -> str:
    here = Path.cwd()
    absolute = Path(os.path.abspath(path))
    return str(absolute.relative_to(here) if absolute.is_relative_to(here) else absolute)


def _escaped(text: str) -> str:
    """As make reads it, which is how ninja reads it too: `$` doubled, a backslash before spaces, `#` and colons."""
    if re.search(r"[\n\t\\%]", text):
        raise error(
            "E0101",
            f"`--depfile` cannot name `{text!r}`",
            help=["rename it: makefiles cannot hold a backslash, `%`, tab or line break in a file's name"],
        )
    return re.sub(r"([ #:])", r"\\\1", text).replace("$", "$$")
