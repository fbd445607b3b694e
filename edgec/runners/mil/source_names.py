"""The source's names of a package's inputs, outputs and functions, where Core ML does not accept them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from edgec.runners.mil.interface import Interface, read_interface

KEY = "edgec_source_names"
"""The metadata key (`Metadata.userDefined` in Model.proto) under which they are stored."""

MAIN = "main"
"""The function of a package that lists no functions."""


@dataclass(frozen=True)
class SourceNames:
    """Source names of functions by identifier, and of inputs, outputs and states by function and identifier.

    Contains only names that differ from the identifier.
    """

    functions: Mapping[str, str] = field(default_factory=dict)
    features: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def text(self) -> str:
        """The text for the package's metadata; empty if no name differs."""
        features = {function: dict(names) for function, names in self.features.items() if names}
        if not features and not self.functions:
            return ""
        return json.dumps({"functions": dict(self.functions), "features": features}, sort_keys=True)

    def identifier(self, function: str | None) -> str | None:
        """The identifier of the function with this name in the source."""
        return next((i for i, name in self.functions.items() if name == function), function)

    def of(self, function: str) -> Mapping[str, str]:
        """The source's names within a function, by identifier."""
        return self.features.get(function, {})


def read_source_names(description: Any) -> SourceNames:
    """The names stored in a `ModelDescription`. Raises ValueError if its metadata was not written by edgec."""
    text = description.metadata.userDefined.get(KEY, "")
    if not text:
        return SourceNames()
    document = json.loads(text)
    if not isinstance(document, dict):
        raise ValueError(f"`{KEY}` is not a table")
    functions, features = document.get("functions", {}), document.get("features", {})
    if not _are_names(functions) or not isinstance(features, dict) or not all(map(_are_names, features.values())):
        raise ValueError(f"`{KEY}` contains something other than names")
    return SourceNames(functions, features)


@dataclass(frozen=True)
class Translation:
    """The mapping between the source's names and the package's identifiers, for one function.

    `identifiers`: inputs and states by the source's names; `sources`: the source's names of inputs, states and outputs
    whose identifier differs. An output may have the same name as an input.
    """

    interface: Interface
    identifiers: Mapping[str, str]
    sources: Mapping[str, str]

    def source(self, name: str) -> str:
        """The source's name of an input, state or output."""
        return self.sources.get(name, name)


def translation(description: Any, function: str | None = None) -> Translation:
    """The mapping for a `ModelDescription`'s function, named as in the source. Raises ValueError if there is none."""
    names = read_source_names(description)
    interface = read_interface(description, names.identifier(function))
    sources = names.of(interface.function)
    taken = (feature.name for feature in (*interface.inputs, *interface.states))
    return Translation(interface, {sources.get(name, name): name for name in taken}, sources)


def _are_names(table: Any) -> bool:
    return isinstance(table, dict) and all(isinstance(v, str) for v in table.values())
