"""The module to be exported, and options of the export."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from edgec.frontend.dynamic import DynamicDim
from edgec.frontend.extensions import Extension
from edgec.frontend.imported import SourceId
from edgec.frontend.samples.inputs import InputSpec
from edgec.frontend.torch.autograph.replacement import Rewritten
from edgec.frontend.torch.open_sizes.attempt import Attempt


@dataclass(frozen=True)
class ExportRequest:
    """A module with its example inputs (None if `specs` describe them).

    `input_names` names the tensors among the inputs if the module's signature does not.
    """

    name: str
    source: SourceId
    module: torch.nn.Module
    inputs: Any
    specs: Sequence[InputSpec] = ()
    rewritten: Rewritten = field(default_factory=Rewritten)
    input_names: tuple[str, ...] = ()
    dynamic: tuple[DynamicDim, ...] = ()
    extension: Extension = field(default_factory=Extension)
    attempt: Attempt = field(default_factory=Attempt)
