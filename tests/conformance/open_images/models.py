"""The models: small ones and those of transformers from the tests' environment, others from a folder."""

from __future__ import annotations

import sys
from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

_TORCHVISION = (
    "resnet18 resnet50 mobilenet_v2 mobilenet_v3_small efficientnet_b0 shufflenet_v2_x1_0 squeezenet1_1 densenet121 "
    "googlenet inception_v3 mnasnet1_0 regnet_y_400mf convnext_tiny swin_t swin_v2_t maxvit_t vit_b_16 "
    "lraspp_mobilenet_v3_large deeplabv3_mobilenet_v3_large"
).split()
_TIMM = (
    "mobilenetv4_conv_small mobileone_s0 fastvit_t8 efficientformer_l1 mobilevit_s mobilevitv2_050 repvit_m0_9 "
    "edgenext_small ghostnet_100 mixnet_s lcnet_050 levit_128 poolformer_s12 tiny_vit_5m_224 efficientvit_b0 "
    "starnet_s1 coatnet_nano_rw_224 mixer_s16_224 xcit_nano_12_p16_224 pvt_v2_b0 twins_svt_small cait_xxs24_224 "
    "beit_base_patch16_224 eva02_tiny_patch14_336 hrnet_w18_small botnet26t_256 halonet26t lambda_resnet26t "
    "hiera_tiny_224 inception_next_tiny rexnet_100 res2net50_26w_4s"
).split()
_RESULTS = {"lraspp_mobilenet_v3_large": ("out",), "deeplabv3_mobilenet_v3_large": ("out",)}

Maker = Callable[[], nn.Module]


class First(nn.Module):
    """The named results of a model, or its only result, called with an image alone."""

    def __init__(self, model: nn.Module, *names: str, **more: bool) -> None:
        super().__init__()
        self.model, self.names, self.more = model, names, more

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, ...]:
        found = self.model(image, **self.more)
        return tuple(found[name] for name in self.names) if self.names else (found,)


class UNet(nn.Module):
    """Feature maps that are halved, enlarged by a transposed convolution and by interpolation, and concatenated."""

    def __init__(self) -> None:
        super().__init__()

        def block(inner: int, outer: int) -> nn.Module:
            return nn.Sequential(nn.Conv2d(inner, outer, 3, padding=1), nn.BatchNorm2d(outer), nn.SiLU())

        self.outer, self.middle, self.inner = block(3, 16), block(16, 32), block(32, 64)
        self.up, self.joined, self.last = nn.ConvTranspose2d(64, 32, 2, 2), block(64, 32), block(48, 16)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        outer = self.outer(image)
        middle = self.middle(F.max_pool2d(outer, 2))
        joined = self.joined(torch.cat([self.up(self.inner(F.max_pool2d(middle, 2))), middle], 1))
        enlarged = F.interpolate(joined, scale_factor=2, mode="bilinear", align_corners=False)
        return self.last(torch.cat([enlarged, outer], 1))


def _own() -> dict[str, Maker]:
    def espcn() -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(3, 32, 5, padding=2), nn.Tanh(), nn.Conv2d(32, 27, 3, padding=1), nn.PixelShuffle(3)
        )

    return {"unet": lambda: First(UNet()), "espcn": lambda: First(espcn())}


def _transformers() -> dict[str, Maker]:
    import transformers as t

    small = {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 96}
    layers = {"embedding_size": 16, "hidden_sizes": [16, 32, 48, 64], "depths": [1, 1, 1, 1]}
    none = {"use_timm_backbone": False, "use_pretrained_backbone": False, "backbone": None}
    heads = {"encoder_attention_heads": 4, "decoder_attention_heads": 4, "encoder_layers": 1, "decoder_layers": 1}

    def detr() -> nn.Module:
        backbone = t.ResNetConfig(**layers, out_features=["stage4"])
        wide = {"encoder_ffn_dim": 96, "decoder_ffn_dim": 96, "d_model": 48, "num_queries": 9}
        return t.DetrForObjectDetection(t.DetrConfig(backbone_config=backbone, **none, **heads, **wide))

    def dpt() -> nn.Module:
        inner = {"backbone_out_indices": [0, 1, 2, 3], "neck_hidden_sizes": [16, 32, 48, 48], "fusion_hidden_size": 16}
        config = t.DPTConfig(**small | {"num_hidden_layers": 4}, **inner, image_size=192, is_hybrid=False)
        return t.DPTForDepthEstimation(config)

    def yolos() -> nn.Module:
        return t.YolosForObjectDetection(t.YolosConfig(**small, image_size=[256, 256], num_detection_tokens=9))

    def clip() -> nn.Module:
        return t.CLIPVisionModel(t.CLIPVisionConfig(**small, patch_size=32, image_size=224))

    states = "last_hidden_state"
    return {
        "resnet": lambda: First(t.ResNetModel(t.ResNetConfig(**layers)), states),
        "mobilenet": lambda: First(t.MobileNetV2Model(t.MobileNetV2Config(tf_padding=False)), states),
        "mobilenet_same": lambda: First(t.MobileNetV2Model(t.MobileNetV2Config(tf_padding=True)), states),
        "convnext": lambda: First(t.ConvNextModel(t.ConvNextConfig(depths=[1, 1, 1, 1])), states),
        "vit": lambda: First(t.ViTModel(t.ViTConfig(**small)), states, interpolate_pos_encoding=True),
        "clip_vision": lambda: First(clip(), states, interpolate_pos_encoding=True),
        "dinov2": lambda: First(t.Dinov2Model(t.Dinov2Config(**small, mlp_ratio=2, patch_size=16)), states),
        "swin": lambda: First(t.SwinModel(t.SwinConfig(embed_dim=24, depths=[2, 2], num_heads=[2, 4])), states),
        "segformer": lambda: First(t.SegformerForSemanticSegmentation(t.SegformerConfig(num_labels=5)), "logits"),
        "detr": lambda: First(detr(), "logits", "pred_boxes"),
        "yolos": lambda: First(yolos(), "logits", "pred_boxes"),
        "dpt": lambda: First(dpt(), "predicted_depth"),
    }


def _declare() -> None:
    """Declare the names of torchvision's own kernels, without which it cannot be imported if its wheel lacks them."""
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms", "roi_align", "roi_pool", "ps_roi_align", "ps_roi_pool", "deform_conv2d"):
        for operator in (name, f"_{name}_backward"):
            if not hasattr(torch.ops.torchvision, operator):
                library.define(f"{operator}(Tensor input) -> Tensor")
    _KEPT.append(library)


_KEPT: list[torch.library.Library] = []


def models(folder: str | None) -> dict[str, Maker]:
    """All models by name, created with random weights when called; `folder` contains torchvision and timm."""
    found = _own() | _transformers()
    if folder is not None:
        sys.path.insert(0, folder)
        _declare()
        import timm  # type: ignore[import-not-found]
        import torchvision

        make = torchvision.models.get_model
        for name in _TORCHVISION:
            kept = _RESULTS.get(name, ())
            given = {"weights": None} | ({"weights_backbone": None} if kept else {})
            found[name] = lambda name=name, given=given, kept=kept: First(make(name, **given), *kept)  # type: ignore[misc]
        for name in _TIMM:
            found[name] = lambda name=name: First(timm.create_model(name, pretrained=False))  # type: ignore[misc]
    return found


def randomized(model: nn.Module) -> nn.Module:
    """Randomize all constant initializations, which would hide wrong numbers."""
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.is_floating_point() and parameter.numel() > 1 and float(parameter.std()) == 0:
                parameter.add_(torch.randn(parameter.shape) * 0.1)
        for module in model.modules():
            if isinstance(module, _BatchNorm) and module.running_mean is not None and module.running_var is not None:
                module.running_mean.normal_(0, 0.1)
                module.running_var.uniform_(0.75, 1.25)
    return model.eval()


def runs(model: nn.Module) -> bool:
    """Whether eager PyTorch runs images of 192 and 256."""
    try:
        with torch.no_grad():
            return all(model(torch.randn(1, 3, size, size)) is not None for size in (192, 256))
    except Exception:  # whatever the model's own code raises
        return False
