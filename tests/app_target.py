"""A target as an app writes it: TFLite's metadata for an image and for labels."""

from __future__ import annotations

from pathlib import Path

LABELS = ("cat", "dog", "owl", "eel")
_TARGET = """
name = "app"
summary = "app"
inherits = "android"
[graph]
control_flow = "{control_flow}"
[options]
io_layout = "{layout}"
[options.metadata.inputs.x]
color = "rgb"
mean = 127.5
std = 127.5
[options.metadata.outputs.output]
labels = "labels.txt"
"""


def write_app_target(folder: Path, *, layout: str = "source", control_flow: str = "where") -> None:
    """Put the target `app` and its labels into the folder's `targets`."""
    (folder / "targets").mkdir(parents=True)
    (folder / "targets/app.toml").write_text(_TARGET.format(layout=layout, control_flow=control_flow))
    (folder / "targets/labels.txt").write_text("\n".join(LABELS) + "\n")
