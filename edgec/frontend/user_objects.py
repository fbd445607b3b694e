"""Functions and data of the user's own, named `file.py:attr`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from edgec.diag import error
from edgec.diag.suggest import suggest
from edgec.frontend.import_code import import_code
from edgec.frontend.user_code import user_code


def user_object(text: str) -> Any:
    """What the file has by that name. Raises `EdgecError` E0102, E0103 where it has none, E0201 where it fails."""
    where, _, attribute = text.rpartition(":")
    with user_code(f"importing `{where}`"):
        module = import_code(where)
    if not hasattr(module, attribute):
        near = suggest(attribute, [name for name in vars(module) if not name.startswith("_")])
        help_ = [f"did you mean `{near}`?"] if near else []
        raise error("E0103", f"`{where}` has no attribute `{attribute}`", help=help_)
    return getattr(module, attribute)


def user_function(text: str) -> Callable[..., Any]:
    """The same of a function, whose failures are told with their line. Raises `EdgecError` E0103 for another object."""
    found = user_object(text)
    if not callable(found):
        raise error("E0103", f"`{text}` is not a function")

    def called(*args: Any) -> Any:
        with user_code(f"calling `{text}`"):
            return found(*args)

    return called
