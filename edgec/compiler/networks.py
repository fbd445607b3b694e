"""Builds networks by the constructors in latency tables; only listed libraries and literal arguments are allowed."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Callable, Mapping
from typing import Any

from edgec.diag import error
from edgec.latency.tables import Network

_LIBRARIES = frozenset({"torchvision", "timm", "transformers"})
_REPARAMETERIZED = ("mobileone", "repvit", "ghostnetv3", "fastvit", "mci")
"""Architectures that were measured in their reparameterized form for inference."""


def built(network: Network) -> tuple[Any, tuple[Any, ...]]:
    """The module with random weights, and example inputs. Raises `EdgecError` E0103 for an unknown constructor."""
    if network.library not in _LIBRARIES:
        raise error(
            "E0103",
            f"networks of `{network.library}` are not built",
            help=[f"known are {', '.join(sorted(_LIBRARIES))}"],
        )
    if network.library == "transformers":
        return _transformer(network)
    sizes = _sizes(network.input)
    module = _called(network) if "(" in network.constructor else _named(network, sizes[-1])
    return module, (_random(sizes),)


def _sizes(text: str) -> list[int]:
    """`1x3x224x224`, or the size of an image: `224`, `224x224`."""
    numbers = [int(part) for part in text.split("x")]
    return numbers if len(numbers) > 2 else [1, 3, numbers[-1], numbers[-1]]


def _random(sizes: list[int]) -> Any:
    import torch

    return torch.randn(*sizes)


def _named(network: Network, side: int) -> Any:
    """`mobilenetv2_100` of timm, `resnet18` of torchvision, with keyword arguments as a dictionary literal."""
    arguments = ast.literal_eval(network.arguments or "{}")
    if network.library == "torchvision":
        models = importlib.import_module("torchvision.models")
        return models.get_model(network.constructor, weights=None, **arguments)
    timm = importlib.import_module("timm")
    name = network.constructor
    for extra in _timm_options(name, side, backbone=network.backbone):
        try:
            module = timm.create_model(name, pretrained=False, **arguments, **extra)
        except (TypeError, RuntimeError, AttributeError, ValueError):
            continue
        if any(word in name for word in _REPARAMETERIZED):
            module = importlib.import_module("timm.utils").reparameterize_model(module.eval())
        return module
    raise error("E0103", f"timm has no `{name}` that can be built")


def _timm_options(name: str, side: int, *, backbone: bool) -> list[dict[str, Any]]:
    """Arguments to try in order: only some architectures have an image size or return features."""
    sized: dict[str, Any] = {"img_size": side} if side != 224 and ("vit" in name or "former" in name) else {}
    if backbone:
        bare = {"num_classes": 0}
        return [{"features_only": True, **sized}, {"features_only": True}, {**bare, **sized}, bare]
    return [sized, {}]


def _called(network: Network) -> Any:
    """`torchvision.models.resnet18(weights=None)`: a function of the library with literal arguments."""
    call = ast.parse(network.constructor, mode="eval").body
    if not isinstance(call, ast.Call):
        raise error("E0103", f"`{network.constructor}` is not a constructor")
    path = ast.unparse(call.func).split(".")
    if path[0] != network.library or not all(part.isidentifier() for part in path):
        raise error("E0103", f"`{network.constructor}` is not of {network.library}")
    found: Any = importlib.import_module(path[0])
    for part in path[1:]:
        found = getattr(found, part)
    arguments = [ast.literal_eval(argument) for argument in call.args]
    module = found(*arguments, **{k.arg: ast.literal_eval(k.value) for k in call.keywords if k.arg})
    return _Segmentation.of(module) if "segmentation" in path else module


class _Segmentation:
    """torchvision's segmentation networks return a dictionary."""

    @staticmethod
    def of(module: Any) -> Any:
        """The module that returns only the main output."""
        import torch

        class Main(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.module = module

            def forward(self, x: Any) -> Any:
                return self.module(x)["out"]

        return Main()


def _transformer(network: Network) -> tuple[Any, tuple[Any, ...]]:
    """A class of transformers with the configuration of its published weights."""
    library = importlib.import_module("transformers")
    name = network.constructor.partition("(")[0]
    if name not in _TRANSFORMERS:
        raise error("E0103", f"the configuration of `{name}` is not known")
    settings, names, output = _TRANSFORMERS[name]
    configuration = settings(library)
    return _Positional.of(getattr(library, name)(configuration), names, output), _inputs(network, names)


def _inputs(network: Network, names: tuple[str, ...]) -> tuple[Any, ...]:
    import torch

    sizes = [int(part) for part in network.input.split("x")] if "x" in network.input else [1, 3, 224, 224]
    tokens = sizes if len(sizes) == 2 else [1, 77]
    made: Mapping[str, Callable[[], Any]] = {
        "input_ids": lambda: torch.randint(0, 1000, tuple(tokens)),
        "attention_mask": lambda: torch.ones(*tokens, dtype=torch.long),
        "pixel_values": lambda: torch.randn(*sizes),
    }
    return tuple(made[name]() for name in names)


class _Positional:
    """A module of transformers called with positional arguments, which returns some of its outputs."""

    @staticmethod
    def of(module: Any, names: tuple[str, ...], outputs: tuple[str, ...]) -> Any:
        """The module that takes `names` in order and returns `outputs`."""
        import torch

        class Called(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.module = module

            def forward(self, *values: Any) -> Any:
                found = self.module(**dict(zip(names, values, strict=True)))
                shown = tuple(found[name] for name in outputs)
                return shown[0] if len(shown) == 1 else shown

        return Called()


def _resnet_backbone(t: Any) -> dict[str, Any]:
    config = t.ResNetConfig(out_features=["stage4"])
    return {"use_timm_backbone": False, "use_pretrained_backbone": False, "backbone": None, "backbone_config": config}


def _depth_anything(t: Any) -> Any:
    stages = ["stage9", "stage10", "stage11", "stage12"]
    backbone = t.Dinov2Config(
        hidden_size=384,
        num_attention_heads=6,
        image_size=518,
        patch_size=14,
        out_features=stages,
        reshape_hidden_states=False,
        apply_layernorm=True,
    )
    return t.DepthAnythingConfig(
        backbone_config=backbone,
        reassemble_hidden_size=384,
        neck_hidden_sizes=[48, 96, 192, 384],
        fusion_hidden_size=64,
    )


def _clip(t: Any) -> Any:
    return t.CLIPConfig(text_config={"eos_token_id": 2}, vision_config={"patch_size": 16}, projection_dim=512)


def _albert(t: Any) -> Any:
    return t.AlbertConfig(
        embedding_size=128, hidden_size=768, num_hidden_layers=12, num_attention_heads=12, intermediate_size=3072
    )


_TEXT, _IMAGE = ("input_ids", "attention_mask"), ("pixel_values",)
_TRANSFORMERS: Mapping[str, tuple[Callable[[Any], Any], tuple[str, ...], tuple[str, ...]]] = {
    "AlbertForMaskedLM": (_albert, _TEXT, ("logits",)),
    "BertForMaskedLM": (lambda t: t.BertConfig(), _TEXT, ("logits",)),
    "DistilBertForMaskedLM": (lambda t: t.DistilBertConfig(), _TEXT, ("logits",)),
    "MobileBertForMaskedLM": (lambda t: t.MobileBertConfig(), _TEXT, ("logits",)),
    "BeitForImageClassification": (
        lambda t: t.BeitConfig(
            num_labels=1000,
            use_relative_position_bias=True,
            use_absolute_position_embeddings=False,
            layer_scale_init_value=0.1,
        ),
        _IMAGE,
        ("logits",),
    ),
    "DetrForObjectDetection": (lambda t: t.DetrConfig(**_resnet_backbone(t)), _IMAGE, ("logits", "pred_boxes")),
    "ConditionalDetrForObjectDetection": (
        lambda t: t.ConditionalDetrConfig(**_resnet_backbone(t)),
        _IMAGE,
        ("logits", "pred_boxes"),
    ),
    "DepthAnythingForDepthEstimation": (_depth_anything, _IMAGE, ("predicted_depth",)),
    "CLIPModel": (_clip, ("pixel_values", "input_ids"), ("logits_per_image",)),
    "VideoMAEForVideoClassification": (
        lambda t: t.VideoMAEConfig(num_labels=400, use_mean_pooling=True),
        _IMAGE,
        ("logits",),
    ),
}
"""For each class its configuration, the inputs that it is called with, and the outputs that it returns."""
