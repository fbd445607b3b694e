"""Small models for tests: real architectures with random weights and random statistics."""

import torch
import torch.nn.functional as F
from torch import nn


def randomized(module: nn.Module) -> nn.Module:
    """Randomize batch-norm statistics, zero biases and unit scales: constants hide wrong numbers."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.is_floating_point() and parameter.numel() > 1 and float(parameter.std()) == 0:
                parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.1)
        for layer in module.modules():
            if isinstance(layer, nn.modules.batchnorm._BatchNorm):
                layer.running_mean.copy_(torch.randn(layer.running_mean.shape, generator=generator) * 0.1)
                layer.running_var.copy_(torch.rand(layer.running_var.shape, generator=generator) * 0.5 + 0.75)
    return module.eval()


class Logits(nn.Module):
    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.net(pixel_values=image).logits


def mobilenet():
    from transformers import MobileNetV2Config, MobileNetV2ForImageClassification

    config = MobileNetV2Config(image_size=64, depth_multiplier=0.35, num_labels=10)
    return randomized(Logits(MobileNetV2ForImageClassification(config))), (torch.randn(1, 3, 64, 64),)


def resnet():
    from transformers import ResNetConfig, ResNetForImageClassification

    config = ResNetConfig(
        embedding_size=16, hidden_sizes=[16, 24], depths=[2, 2], layer_type="basic", num_labels=10, image_size=64
    )
    return randomized(Logits(ResNetForImageClassification(config))), (torch.randn(1, 3, 64, 64),)


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        from transformers import BertConfig, BertModel

        config = BertConfig(
            vocab_size=100, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64
        )
        self.net = BertModel(config)

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return self.net(input_ids=ids, attention_mask=mask).last_hidden_state


def bert():
    mask = torch.ones(1, 16, dtype=torch.long)
    mask[:, 12:] = 0
    return randomized(Encoder()), (torch.randint(0, 100, (1, 16)), mask)


class TransformerBlock(nn.Module):
    """A block of a vision transformer, with one projection for queries, keys and values."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(16), nn.LayerNorm(16)
        self.qkv, self.proj = nn.Linear(16, 48), nn.Linear(16, 16)
        self.up, self.down = nn.Linear(16, 32), nn.Linear(32, 16)

    def forward(self, x):
        b, s, c = x.shape
        q, k, v = self.qkv(self.norm1(x)).reshape(b, s, 3, 2, c // 2).permute(2, 0, 3, 1, 4).unbind(0)
        y = torch.nn.functional.scaled_dot_product_attention(q, k, v)
        x = x + self.proj(y.transpose(1, 2).reshape(b, s, c))
        return x + self.down(torch.nn.functional.gelu(self.up(self.norm2(x))))


def transformer_block():
    return randomized(TransformerBlock()).eval(), (torch.randn(1, 12, 16),)


class UNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()

        def block(inputs: int, outputs: int) -> nn.Module:
            return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.SiLU())

        self.down1, self.down2, self.middle = block(3, 8), block(8, 16), block(16, 32)
        self.up = nn.ConvTranspose2d(32, 16, 2, 2)
        self.up1, self.up2, self.head = block(32, 16), block(24, 8), nn.Conv2d(8, 2, 1)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        a = self.down1(x)
        b = self.down2(F.max_pool2d(a, 2))
        c = self.middle(F.max_pool2d(b, 2))
        d = self.up1(torch.cat([self.up(c), b], 1))
        d = F.interpolate(d, scale_factor=2, mode="bilinear", align_corners=False)
        masks = self.head(self.up2(torch.cat([d, a], 1))).softmax(1)
        return {"masks": masks, "score": masks.amax((2, 3))}


def unet():
    return randomized(UNet()), (torch.randn(1, 3, 32, 32),)


class Activations(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 16, 3, stride=2), nn.Linear(16, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = F.mish(F.hardswish(F.silu(self.conv(x))))
        return self.head(F.gelu(h.mean((2, 3))) + F.gelu(h.amax((2, 3)), approximate="tanh"))


def activations():
    return randomized(Activations()), (torch.randn(1, 3, 32, 32),)


class Float8(nn.Module):
    """Contains, in a submodule, an element type that no phone's runtime supports."""

    def __init__(self) -> None:
        super().__init__()
        self.neck = Rounder()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.neck(x).relu()


class Rounder(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.to(torch.float8_e4m3fn).float() * 2


def float8():
    return Float8().eval(), (torch.randn(1, 2, 8, 8),)


class NoInputs(nn.Module):
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image * 2


def broken():
    raise RuntimeError("the author's own mistake")


not_a_model = 3


class WindowAttention(nn.Module):
    """Attention on five dimensions: batch, windows, heads, length, width."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(16, 48)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = self.qkv(x).chunk(3, -1)
        heads = [t.unflatten(-1, (2, 8)).transpose(-2, -3) for t in (q, k, v)]
        return F.scaled_dot_product_attention(*heads)


def window_attention():
    return randomized(WindowAttention()), (torch.randn(1, 4, 6, 16),)


class Decoder(nn.Module):
    """RMS norms, rotary embeddings, grouped heads, soft-capped logits."""

    def __init__(self) -> None:
        super().__init__()
        from transformers import Gemma2Config, Gemma2ForCausalLM

        config = Gemma2Config(
            vocab_size=100, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=2, head_dim=8, sliding_window=8,
        )  # fmt: skip
        self.net = Gemma2ForCausalLM(config)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.net(input_ids=ids, use_cache=False).logits


def gemma2():
    return randomized(Decoder()), (torch.randint(0, 100, (1, 12)),)


class Tagger(nn.Module):
    """A label for each word, from a bidirectional recurrent layer."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.head = nn.Embedding(50, 12), nn.Linear(16, 5)
        self.layer = nn.LSTM(12, 8, batch_first=True, bidirectional=True)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.head(self.layer(self.words(ids))[0])


def tagger():
    return randomized(Tagger()), (torch.randint(0, 50, (1, 9)),)


class Heads(nn.Module):
    """The best boxes of a detector, by score."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(8, 9)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        found = self.head(x)
        scores, at = found[..., 4:].sigmoid().amax(-1).topk(5, 1)
        return scores, found[..., :4].gather(1, at.unsqueeze(-1).expand(-1, -1, 4))


def heads():
    return randomized(Heads()), (torch.randn(1, 30, 8),)
