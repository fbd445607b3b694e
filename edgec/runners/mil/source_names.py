"""What inputs, outputs and functions of a package are called in its source, where Core ML takes no such name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from edgec.runners.mil.interface import Interface, read_interface

KEY = "edgec_source_names"
"""The author's own metadata (`Metadata.userDefined` in Model.proto) that holds them."""

MAIN = "main"
"""The function of a package that lists none."""


@dataclass(frozen=True)
class SourceNames:
    """The source's name of a function by its identifier, and of inputs, outputs and states by function and identifier.

    Only what is called otherwise is in here.
    """

    functions: Mapping[str, str] = field(default_factory=dict)
    features: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def text(self) -> str:
        """For the package's metadata; empty where nothing is called otherwise."""
        features = {function: dict(names) for function, names in self.features.items() if names}
        if not features and not self.functions:
            return ""
        return json.dumps({"functions": dict(self.functions), "features": features}, sort_keys=True)

    def identifier(self, function: str | None) -> str | None:
        """The identifier of the function that the source calls so."""
        return next((i for i, name in self.functions.items() if name == function), function)

    def of(self, function: str) -> Mapping[str, str]:
        """The source's names in a function, by identifier."""
        return self.features.get(function, {})


def read_source_names(description: Any) -> SourceNames:
    """Those of a `ModelDescription`. Raises ValueError where its metadata is not what edgec writes."""
    text = description.metadata.userDefined.get(KEY, "")
    if not text:
        return SourceNames()
    document = json.loads(text)
    if not isinstance(document, dict):
        raise ValueError(f"`{KEY}` holds no table")
    functions, features = document.get("functions", {}), document.get("features", {})
    if not _are_names(functions) or not isinstance(features, dict) or not all(map(_are_names, features.values())):
        raise ValueError(f"`{KEY}` holds no names")
    return SourceNames(functions, features)


@dataclass(frozen=True)
class Translation:
    """One function between its source's names and its own.

    `identifiers`: inputs and states by the source's names; `sources`: the names of inputs, states and outputs that the
    package calls otherwise. An output may have the source's name of an input.
    """

    interface: Interface
    identifiers: Mapping[str, str]
    sources: Mapping[str, str]

    def source(self, name: str) -> str:
        """The source's name of an input, state or output."""
        return self.sources.get(name, name)


def translation(description: Any, function: str | None = None) -> Translation:
    """That of a `ModelDescription`'s function, named as in the source. Raises ValueError when there is none."""
    names = read_source_names(description)
    interface = read_interface(description, names.identifier(function))
    sources = names.of(interface.function)
    taken = (feature.name for feature in (*interface.inputs, *interface.states))
    return Translation(interface, {sources.get(name, name): name for name in taken}, sources)


def _are_names(table: Any) -> bool:
    return isinstance(table, dict) and all(isinstance(v, str) for v in table.values())
