"""Architectures of transformers in small configurations, built for every target.

    python -m tests.conformance.architectures [--only NAME,…] [--first COUNT] [--update]

Each base model that `AutoModel` knows is created with few layers and random weights, and called with token ids or an
image. Architectures that this does not create, or that do not run within seconds, are left out: they need another
configuration. Each artifact is compared with eager PyTorch on other inputs, by LiteRT, the MIL interpreter, or ONNX
Runtime on the engine's ONNX. `--update` writes the results into `docs/conformance/architectures.md`, keeping the rows
of other architectures.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from torch import nn

from edgec.compiler.build import compile_target
from edgec.compiler.canonical_model import CanonicalModel
from edgec.compiler.options import BuildOptions
from edgec.compiler.stages import prepare_imported
from edgec.diag import EdgecError
from edgec.frontend.imported import SourceId
from edgec.frontend.torch.export import export_module
from edgec.frontend.torch.request import ExportRequest
from edgec.runners.open import open_runner
from edgec.spec.target import load_target
from tests.conformance.arm import ROOT
from tests.conformance.open_images.models import First, randomized

PAGE = ROOT / "docs/conformance/architectures.md"
TARGETS = ("android", "iphone", "rtx")

_SMALL = {
    **dict.fromkeys(("hidden_size", "d_model", "n_embd", "dim", "embed_dim", "embedding_size", "emb_dim"), 32),
    **dict.fromkeys(("num_hidden_layers", "n_layer", "n_layers", "num_layers", "encoder_layers", "decoder_layers"), 2),
    **dict.fromkeys(("num_attention_heads", "n_head", "n_heads", "num_key_value_heads", "num_heads"), 4),
    **dict.fromkeys(("encoder_attention_heads", "decoder_attention_heads"), 4),
    **dict.fromkeys(("intermediate_size", "ffn_dim", "encoder_ffn_dim", "decoder_ffn_dim", "d_ff", "n_inner"), 64),
    **{"vocab_size": 100, "image_size": 64, "patch_size": 16, "head_dim": 8, "d_kv": 8, "max_position_embeddings": 64},
    **dict.fromkeys(("num_local_experts", "num_experts", "n_routed_experts"), 4),
    **{"num_experts_per_tok": 2, "moe_intermediate_size": 32, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2},
}
"""Names of sizes in the configurations of the families; those that a configuration has are set."""

_LIMIT = {"tflite": 2e-3, "engine": 2e-3, "mlpackage": 2e-2}
"""Relative to the largest magnitude, by format: float16 weights, TensorRT's ONNX in float32, float16 arithmetic."""

Inputs = tuple[torch.Tensor, ...]


class _Ids(First):
    """Token ids in, the last hidden states out, without a cache."""

    def forward(self, input_ids: torch.Tensor) -> tuple[torch.Tensor, ...]:  # type: ignore[override]
        return (self.model(input_ids, **self.more)[self.names[0]],)


@dataclass(frozen=True)
class Subject:
    """A model, its input's name, and a function that draws inputs."""

    module: nn.Module
    name: str
    draw: Callable[[], torch.Tensor]


def made(name: str) -> Subject:
    """The architecture in its small configuration. Raises whatever transformers raises if it cannot be created."""
    import transformers
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES
    from transformers.models.auto.modeling_auto import MODEL_MAPPING_NAMES

    config = getattr(transformers, CONFIG_MAPPING_NAMES[name])
    known = vars(config())
    small = config(**{key: value for key, value in _SMALL.items() if isinstance(known.get(key), int)})
    classes = MODEL_MAPPING_NAMES[name]
    model = getattr(transformers, classes if isinstance(classes, str) else classes[0])(small)
    if sum(parameter.numel() for parameter in model.parameters()) > _MOST_PARAMETERS:
        raise ValueError("not small")
    if model.main_input_name == "pixel_values":
        module: nn.Module = First(model, "last_hidden_state")
        return Subject(randomized(module), "image", lambda: torch.randn(1, 3, 64, 64))
    more = {"use_cache": False} if "use_cache" in known else {}
    return Subject(randomized(_Ids(model, "last_hidden_state", **more)), "input_ids", _ids)


_MOST_PARAMETERS = 3_000_000


def _ids() -> torch.Tensor:
    return torch.randint(3, 100, (1, 16))


def judge(name: str) -> tuple[str, list[str]]:
    """The architecture and the result of each target; empty if it is left out."""
    warnings.filterwarnings("ignore")
    torch.manual_seed(0)
    try:
        subject = made(name)
        with torch.no_grad():
            subject.module(subject.draw())
    except Exception:  # whatever transformers' configurations and models raise
        return name, []
    source = SourceId("module", name, "")
    try:
        imported = export_module(ExportRequest(name, source, subject.module, (subject.draw(),)))
        prepared = prepare_imported(imported, BuildOptions(), lambda step: None)
    except EdgecError as refused:
        return name, [_told(refused)] * len(TARGETS)
    with tempfile.TemporaryDirectory() as out:
        return name, [_worst(subject, prepared, target, Path(out)) for target in TARGETS]


def _told(refused: EdgecError) -> str:
    first = refused.diagnostics[0]
    return f"refused: {first.code} {'; '.join(first.notes[:1])}"


def _worst(subject: Subject, prepared: CanonicalModel, target: str, out: Path) -> str:
    try:
        built = compile_target(prepared, load_target(target), BuildOptions(out=out), lambda step: None)
    except EdgecError as refused:
        return _told(refused)
    form = built.manifest.format
    path = built.folder / built.manifest.artifact.path if form != "engine" else next(built.folder.glob("*.onnx"))
    worst = 0.0
    with open_runner(path) as runner:
        for _ in range(3):
            x = subject.draw()
            with torch.no_grad():
                (expected,) = subject.module(x)
            (found,) = runner.run({subject.name: x.numpy()}).values()
            error = float(np.abs(found - expected.numpy()).max() / expected.abs().max())
            worst = max(worst, error) if error == error else np.inf
    if worst > _LIMIT[form] or built.manifest.accuracy.status != "passed":
        return f"WRONG {worst:.0e}, its own check says {built.manifest.accuracy.status}"
    return f"right {worst:.0e}"


def results(names: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Each one in a separate process, so that a crash costs one row."""
    import transformers  # noqa: F401 once, for all processes

    for name in names:
        with ProcessPoolExecutor(1, get_context("fork")) as pool:
            try:
                yield pool.submit(judge, name).result()
            except BrokenProcessPool:
                yield name, ["crashed"] * len(TARGETS)


def page(rows: dict[str, str]) -> str:
    """The table, preceded by its counts."""
    counts = [sum(row.split(" | ")[i + 1].startswith("right") for row in rows.values()) for i in range(len(TARGETS))]
    said = ", ".join(f"{target} {count}" for target, count in zip(TARGETS, counts, strict=True))
    return "\n".join(
        [
            "# Architectures of transformers",
            "",
            "Written by `python -m tests.conformance.architectures --update`; do not edit.",
            "",
            "Base models with two layers and random weights, on 16 tokens or an image of 64 x 64: the largest",
            "difference from eager PyTorch on three other inputs, relative to the output's largest magnitude.",
            "",
            f"{len(rows)} architectures, of which right: {said}.",
            "",
            f"| architecture | {' | '.join(TARGETS)} |",
            "|---|" + "---|" * len(TARGETS),
            *(rows[name] for name in sorted(rows)),
            "",
        ]
    )


def main() -> int:
    """Build and compare; returns 1 if an artifact is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="")
    parser.add_argument("--first", type=int, default=None)
    parser.add_argument("--update", action="store_true")
    asked = parser.parse_args()
    from transformers.models.auto.modeling_auto import MODEL_MAPPING_NAMES

    names = asked.only.split(",") if asked.only else sorted(MODEL_MAPPING_NAMES)[: asked.first]
    lines = PAGE.read_text(encoding="utf-8").splitlines() if PAGE.is_file() else []
    rows = {line.split(" | ")[0].removeprefix("| "): line for line in lines if line.startswith("| ")}
    rows.pop("architecture", None)
    wrong = False
    for name, found in results(names):
        print(f"{name}: {' | '.join(found) or 'left out'}", flush=True)
        wrong |= any(each.startswith(("WRONG", "crashed")) for each in found)
        if found:
            rows[name] = f"| {name} | {' | '.join(found)} |"
        if asked.update and rows:
            PAGE.write_text(page(rows), encoding="utf-8")
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
