"""What a local rewrite is: a class with a name, the operators it starts from, examples, and one method."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import OPSET


@dataclass(frozen=True)
class Example:
    """A rewrite in ONNX's own text: documentation, golden test and numeric test at once.

    `inputs` declares the inputs (`float[2, 3] x`), `before` and `after` are node lists whose last output is `y`,
    `constants` are initializers (`float[2] w = {1, 2}`). A negative case has `after` None: the rule must not fire.
    `opset` is given for operators that are newer than the working one.
    """

    inputs: str
    before: str
    after: str | None
    constants: str = ""
    output: str = "float"
    opset: int = OPSET


@dataclass(frozen=True)
class Miss:
    """The rule's operator is here but a condition does not hold. `near`: worth telling a person about."""

    reason: str
    near: bool = True


NOT_HERE = Miss("the surrounding operators differ", near=False)

Replacement = Sequence[ir.Value]
"""One value for each output of the root node."""


class Rule(ABC):
    """A local rewrite. It looks at one root node and its neighbours; it keeps no state.

    `apply` either returns the values that replace the root's outputs, having built their nodes with `g`, or says
    why it does not fire. It never changes existing nodes.
    """

    name: str
    roots: tuple[str, ...]
    examples: tuple[Example, ...]

    @abstractmethod
    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        """Rewrite `node`, or say why not."""

    @classmethod
    def summary(cls) -> str:
        """The first line of the docstring: "Replaces A with B"."""
        return (cls.__doc__ or "").strip().splitlines()[0]
