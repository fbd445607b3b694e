"""Containers in a `.pt2` file whose classes are unavailable, such as the outputs of transformers' models.

The file contains the class's name and the keys of its values. Instead of importing the class, edgec loads the container
as a dictionary with the same keys, which holds the same tensors and gives the same output names.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from torch.utils import _pytree as pytree

_SPEC = re.compile(r'"out_spec"\s*:\s*("(?:[^"\\]|\\.)*")')


@contextmanager
def as_dictionaries(documents: Iterable[bytes]) -> Iterator[None]:
    """While active, torch loads unknown containers with keys in these documents as dictionaries."""
    known = pytree.SERIALIZED_TYPE_TO_PYTHON_TYPE
    names = {name for document in documents for name in _keyed(document) if name not in known}
    known.update(dict.fromkeys(names, dict))
    try:
        yield
    finally:
        for name in names:
            del known[name]


def _keyed(document: bytes) -> Iterator[str]:
    """The container classes whose context is the list of their children's keys."""
    for found in _SPEC.findall(document.decode(errors="replace")):
        try:
            pending: list[Any] = list(json.loads(json.loads(found)))
        except (ValueError, TypeError, RecursionError):
            continue  # torch reports what is wrong with it
        while pending:
            node = pending.pop()
            if isinstance(node, dict):
                pending += node.get("children_spec") or []
                if isinstance(node.get("type"), str) and _has_keys(node):
                    yield node["type"]


def _has_keys(node: dict[str, Any]) -> bool:
    try:
        keys = json.loads(node.get("context") or "null")
    except (ValueError, TypeError):
        return False
    children = node.get("children_spec")
    return (
        isinstance(keys, list)
        and isinstance(children, list)
        and len(keys) == len(children) > 0
        and all(isinstance(key, str) for key in keys)
    )
