"""MobileNetV2 with random weights: `edgec build examples/mobilenet.py:model --target iphone`."""

import torch
from transformers import MobileNetV2Config, MobileNetV2ForImageClassification


class Classifier(torch.nn.Module):
    """Logits for an image batch (1, 3, 224, 224)."""

    def __init__(self) -> None:
        super().__init__()
        self.net = MobileNetV2ForImageClassification(MobileNetV2Config(num_labels=1000))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.net(pixel_values=image).logits


def model() -> tuple[torch.nn.Module, tuple[torch.Tensor]]:
    """The module and example inputs, with batch-norm statistics that a trained network might have."""
    torch.manual_seed(0)
    module = Classifier().eval()
    for layer in module.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(layer.running_mean, std=0.1)
            torch.nn.init.uniform_(layer.running_var, 0.75, 1.25)
    return module, (torch.randn(1, 3, 224, 224),)
