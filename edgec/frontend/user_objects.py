"""The user's own functions and data, given as `file.py:attr`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from edgec.diag import error
from edgec.diag.suggest import suggest
from edgec.frontend.import_code import import_code
from edgec.frontend.user_code import user_code


def user_object(text: str) -> Any:
    """The attribute in the file. Raises `EdgecError` E0102, E0103 if it does not exist, E0201 if importing fails."""
    where, _, attribute = text.rpartition(":")
    with user_code(f"importing `{where}`"):
        module = import_code(where)
    if not hasattr(module, attribute):
        near = suggest(attribute, [name for name in vars(module) if not name.startswith("_")])
        help_ = [f"did you mean `{near}`?"] if near else []
        raise error("E0103", f"`{where}` has no attribute `{attribute}`", help=help_)
    return getattr(module, attribute)


def user_function(text: str) -> Callable[..., Any]:
    """A function in the file, whose failures are reported with a line. Raises `EdgecError` E0103 for others."""
    found = user_object(text)
    if not callable(found):
        raise error("E0103", f"`{text}` is not a function")

    def called(*args: Any) -> Any:
        with user_code(f"calling `{text}`"):
            return found(*args)

    return called
