"""Provenance of nodes: the Python line and module path, preserved through every rewrite.

torch's exporter writes both into a node's metadata. They never enter a hash or an artifact.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable

import onnx_ir as ir

from edgec.diag import Place

STACK_TRACE = "pkg.torch.onnx.stack_trace"
NAME_SCOPES = "pkg.torch.onnx.name_scopes"
RULE = "edgec.rule"
"""Metadata key: the rule or pass that created the node."""

_FRAME = re.compile(r'File "([^"]+)", line (\d+)')
_LIBRARY = re.compile(r"[/\\](?:site|dist)-packages[/\\]|[/\\]lib[/\\]python3")


def place_of(node: ir.Node) -> Place:
    """The innermost line of the user's code that created the node, and its module path."""
    file, line = frame_of(node.metadata_props.get(STACK_TRACE, ""))
    return Place(file, line, _module_path(node.metadata_props.get(NAME_SCOPES, "")), node.name or None)


def inherit(node: ir.Node, sources: Iterable[ir.Node], rule: str) -> None:
    """Give a new node the provenance of the nodes that it replaces; the last source takes precedence."""
    for source in reversed(list(sources)):
        for key in (STACK_TRACE, NAME_SCOPES):
            if key in source.metadata_props and key not in node.metadata_props:
                node.metadata_props[key] = source.metadata_props[key]
    node.metadata_props[RULE] = rule


def frame_of(trace: str) -> tuple[str | None, int | None]:
    """The last frame outside installed packages; the last frame of all if there is none."""
    frames = [(file, int(line)) for file, line in _FRAME.findall(trace)]
    own = [frame for frame in frames if not _LIBRARY.search(frame[0])]
    chosen = own or frames
    return chosen[-1] if chosen else (None, None)


def _module_path(scopes: str) -> str | None:
    """`['', 'features.0', 'features.0.conv', 'conv2d']` -> `features.0.conv`: the last entry is the operator."""
    try:
        names = ast.literal_eval(scopes) if scopes else []
    except (ValueError, SyntaxError):
        return None
    return str(names[-2]) or None if isinstance(names, list) and len(names) >= 2 else None
