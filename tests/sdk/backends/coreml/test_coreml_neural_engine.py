"""Transformers on channels-first tokens: equal results, no moves inside a block, and a choice with its reasons."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import edgec
from edgec.artifact.manifest import Manifest
from edgec.backends.table import backend
from edgec.compiler.options import BuildOptions
from edgec.compiler.stages import prepare
from edgec.frontend.request import SourceRequest
from edgec.runners.mil import MilRunner
from edgec.spec.target import load_target
from tests import models

ON = "options.neural_engine=on"
SINGLE = (ON, "numerics.compute=float32", "accept.max_rel=1e-5")


def test_a_block_has_one_transpose_inside(golden) -> None:
    """It transposes the keys, as in Apple's reference; the other two are at the boundary."""
    source = SourceRequest(f"{models.__file__}:transformer_block")
    prepared = prepare(source, BuildOptions(), lambda _: None)
    target, chosen = load_target("iphone", [ON]), backend("coreml")
    program = chosen.lower(chosen.legalize(prepared.model, target).model, target)
    golden("iphone/neural_engine_block.txt", program.text())
    ops = [instr.op for instr in program.instrs]
    assert ops.count("transpose") == 3
    assert {"linear", "matmul", "gather"}.isdisjoint(ops)
    inner = program.instrs[ops.index("transpose") + 1 : len(ops) - ops[::-1].index("transpose") - 1]
    assert all(len(ref.type.shape) == 4 and 1 in ref.type.shape[:3] for i in inner for ref in i.outputs)


class Attends(nn.Module):
    """Attention with a mask of one kind, between projections."""

    def __init__(self, mask: str = "", heads: int = 2, width: int = 16) -> None:
        super().__init__()
        self.kind, self.heads = mask, heads
        self.q, self.k, self.v = (nn.Linear(width, width) for _ in range(3))
        self.register_buffer("fixed", torch.randn(heads, 7, 7) * 4)
        self.out = nn.Linear(width, width)

    def split(self, x: torch.Tensor) -> torch.Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def mask(self, keep: torch.Tensor) -> torch.Tensor | None:
        visible = keep[:, None, None, :] > 0
        if self.kind == "bool":
            return visible
        if self.kind == "pairs":
            return visible & visible.transpose(2, 3)
        if self.kind == "least":
            return (1.0 - visible.float()) * torch.finfo(torch.float32).min
        if self.kind == "ten-thousand":
            return (1.0 - visible.float()) * -10000.0
        if self.kind == "infinite":
            return torch.zeros(visible.shape).masked_fill(~visible, -torch.inf)
        return self.fixed[None] if self.kind == "fixed" else None

    def forward(self, x: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
        q, k, v = self.split(self.q(x)), self.split(self.k(x)), self.split(self.v(x))
        y = F.scaled_dot_product_attention(q, k, v, self.mask(keep), is_causal=self.kind == "causal")
        return self.out(y.transpose(1, 2).flatten(2)) + keep.sum()


def agrees(module: nn.Module, package: Path, *inputs: torch.Tensor) -> None:
    with MilRunner(package) as runner:
        (got,) = runner.run({f.name: x.numpy() for f, x in zip(runner.inputs, inputs, strict=True)}).values()
    expected = module(*inputs).detach().numpy()
    assert np.abs(got - expected).max() <= 2e-6 * np.abs(expected).max()


@pytest.mark.parametrize("kind", ["", "bool", "pairs", "least", "ten-thousand", "infinite", "fixed", "causal"])
@pytest.mark.parametrize("batch", [1, 3])
def test_masks_hide_what_they_hid(kind: str, batch: int, tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = Attends(kind).eval()
    keep = torch.tensor([[1, 1, 0, 1, 0, 0, 1], [1, 0, 0, 0, 0, 0, 0], [1] * 7])[:batch]
    inputs = (torch.randn(batch, 7, 16), keep)
    built = edgec.build(module, inputs, target="iphone", out=tmp_path, settings=SINGLE)
    assert built.manifest.accuracy.status == "passed", built.failures
    ops = built.manifest.graph.ops
    assert ops["einsum"] == 4
    assert "matmul" not in ops
    package = built.folder / built.manifest.artifact.path
    agrees(module, package, *inputs)
    if kind not in ("bool", "pairs", "infinite"):  # PyTorch itself gives NaN there on some versions; ONNX gives 0
        agrees(module, package, inputs[0], torch.zeros_like(keep))


class Image(nn.Module):
    """A ConvNeXt block: an image's tokens between convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(8, 8, 7, padding=3, groups=8)
        self.norm, self.up, self.down = nn.LayerNorm(8), nn.Linear(8, 24), nn.Linear(24, 8)
        self.scale = nn.Parameter(torch.rand(8))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.depthwise(x).permute(0, 2, 3, 1)
        return x + (self.scale * self.down(F.gelu(self.up(self.norm(y))))).permute(0, 3, 1, 2)


class Windows(nn.Module):
    """Tokens of an image: rolled, partitioned into windows and back, padded, pooled; with a class token in front."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.head, self.token = nn.Linear(8, 8), nn.Linear(8, 5), nn.Parameter(torch.randn(1, 1, 8))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.roll(x, (1, 2), (1, 2))
        x = x.reshape(1, 3, 2, 3, 2, 8).permute(0, 1, 3, 2, 4, 5).reshape(9, 4, 8)
        x = F.softmax(self.inner(x), dim=-1) * x.amax(-1, keepdim=True)
        x = x.reshape(1, 3, 3, 2, 2, 8).permute(0, 1, 3, 2, 4, 5).reshape(1, 6, 6, 8)
        x = F.pad(x, (0, 0, 1, 0, 0, 2))[:, ::2, 1:]
        tokens = torch.cat([self.token, x.flatten(1, 2)], 1)
        return self.head(tokens[:, 0]) + self.head(tokens.mean(1)) + self.head(tokens).sum(1)


@pytest.mark.parametrize("precision", ["float32", "float16"])
@pytest.mark.parametrize("name", ["image", "windows"])
def test_tokens_of_an_image(name: str, precision: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = (Image() if name == "image" else Windows()).eval()
    inputs = (torch.randn(1, 8, 6, 6) if name == "image" else torch.randn(1, 6, 6, 8),)
    settings = SINGLE if precision == "float32" else (ON,)
    built = edgec.build(module, inputs, target="iphone", out=tmp_path, settings=settings)
    assert built.manifest.accuracy.status == "passed", built.failures
    ops = built.manifest.graph.ops
    assert "linear" not in ops
    assert ("transpose" in ops) == (name == "windows")


def built_block(folder: Path, *settings: str) -> Manifest:
    torch.manual_seed(0)
    return edgec.build(*models.transformer_block(), target="iphone", out=folder, settings=settings).manifest


def test_the_choice_is_told(tmp_path: Path) -> None:
    off, on, auto = (built_block(tmp_path, f"options.neural_engine={form}") for form in ("off", "on", "auto"))
    assert "neural_engine" not in off.decided
    asked, predicted = on.decided["neural_engine"], auto.decided["neural_engine"]
    assert (asked["taken"], asked["kind"], asked["other_copied_bytes"]) == (True, "asked", None)
    assert (predicted["taken"], predicted["kind"]) == (True, "predicted")
    assert predicted["copied_bytes"] == asked["copied_bytes"] < predicted["other_copied_bytes"]
    assert on.artifact.sha256 == auto.artifact.sha256 != off.artifact.sha256
    fired = {r.rule: r.count for r in auto.rewrites}
    assert fired["neural-engine-form"] > 10
    assert fired["attention-on-tokens"] == 1


@pytest.mark.parametrize("target", ["iphone-ios16", "iphone-ios18"])
def test_every_system_takes_the_form(target: str, tmp_path: Path) -> None:
    """From iOS 18 on there is fused attention, but a block in this form contains none."""
    torch.manual_seed(0)
    built = edgec.build(*models.transformer_block(), target=target, out=tmp_path, settings=SINGLE)
    assert built.manifest.accuracy.status == "passed", built.failures
    assert built.manifest.graph.ops["einsum"] == 4
    assert "scaled_dot_product_attention" not in built.manifest.graph.ops


class Cached(nn.Module):
    """Attention with a state for its keys: dynamic values and states keep their layout, projections change it."""

    def __init__(self) -> None:
        super().__init__()
        self.q, self.out = nn.Linear(8, 8), nn.Linear(8, 8)
        self.register_buffer("keys", torch.zeros(1, 4, 8))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.keys[:, :2] = x
        y = F.scaled_dot_product_attention(self.q(x)[:, None], self.keys[:, None], self.keys[:, None])
        return self.out(y[:, 0])


def test_states_stay_what_they_are(tmp_path: Path) -> None:
    torch.manual_seed(0)
    inputs = (torch.randn(1, 2, 8),)
    built = edgec.build(Cached().eval(), inputs, target="iphone-ios18", out=tmp_path, settings=[ON])
    assert built.manifest.accuracy.status == "passed", built.failures
    assert [s.kept for s in built.manifest.states] == ["artifact"]
    assert "linear" not in built.manifest.graph.ops


def test_without_the_engine_nothing_is_turned(tmp_path: Path) -> None:
    built = built_block(tmp_path, "options.neural_engine=auto", "options.compute_units=cpu_and_gpu")
    assert "neural_engine" not in built.decided
    assert "einsum" not in built.graph.ops


def test_what_copies_more_is_not_taken(tmp_path: Path) -> None:
    """A single projection between reshapes of its columns would only be transposed back and forth."""
    module = nn.Sequential(nn.Unflatten(1, (6, 10)), nn.Linear(10, 10), nn.Flatten())
    settings = ["options.neural_engine=auto"]
    built = edgec.build(module, (torch.randn(2, 60),), target="iphone", out=tmp_path, settings=settings).manifest
    decided = built.decided["neural_engine"]
    assert not decided["taken"]
    assert decided["copied_bytes"] < decided["other_copied_bytes"]
    assert "linear" in built.graph.ops
