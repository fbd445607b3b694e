"""The interface of a local rewrite rule: a name, root operators, examples, and one method."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import OPSET


@dataclass(frozen=True)
class Example:
    """A rewrite in ONNX's textual format, which serves as documentation, golden test and numeric test.

    `inputs` declares the inputs (`float[2, 3] x`), `before` and `after` are node lists whose last output is `y`,
    `constants` are initializers (`float[2] w = {1, 2}`). A negative case has `after` None: the rule must not fire.
    `opset` is given for operators newer than the working opset.
    """

    inputs: str
    before: str
    after: str | None
    constants: str = ""
    output: str = "float"
    opset: int = OPSET


@dataclass(frozen=True)
class Miss:
    """Why a rule did not fire on one of its root operators. `near`: it almost did, so the reason becomes a remark."""

    reason: str
    near: bool = True


NOT_HERE = Miss("the surrounding operators differ", near=False)

Replacement = Sequence[ir.Value]
"""One value for each output of the root."""


class Rule(ABC):
    """A local rewrite of one root node and its neighbours. Rules are stateless.

    `apply` either returns the values that replace the root's outputs, whose nodes it built with `g`, or the reason why
    it does not fire. It never changes existing nodes.
    """

    name: str
    roots: tuple[str, ...]
    examples: tuple[Example, ...]

    @abstractmethod
    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        """Rewrite `node`, or return why not."""

    @classmethod
    def summary(cls) -> str:
        """The first line of the docstring: "Replaces A with B"."""
        return (cls.__doc__ or "").strip().splitlines()[0]
