"""The options of a Core ML target: the oldest system, and the interface for the app."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

from edgec.spec.reader import Checker, Table

SYSTEMS = ("iOS15", "iOS16", "iOS17", "iOS18")
COLORS = {"rgb": 3, "bgr": 3, "grayscale": 1}
"""Channels of each color layout."""


@dataclass(frozen=True)
class Image:
    """An input or output that is an 8-bit image for the app.

    For an input the model gets `pixel * scale + bias`, pixels from 0 to 255. For an output the app gets
    `value * scale + bias`, rounded and clamped to 0 to 255. `color` is the order of the model's channels. `scale` and
    `bias` have one number for all channels or one for each, in that order.
    """

    name: str
    color: str = "rgb"
    scale: tuple[float, ...] = (1.0,)
    bias: tuple[float, ...] = (0.0,)


@dataclass(frozen=True)
class Classifier:
    """The output (1, classes) with a score for each label; the app gets the best label and all scores."""

    output: str
    labels: tuple[str, ...]
    label_output: str = "classLabel"


@dataclass(frozen=True)
class Metadata:
    """The metadata that Xcode shows; `features` describes inputs and outputs by name."""

    author: str = ""
    license: str = ""
    version: str = ""
    description: str = ""
    features: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class CoreMLOptions:
    """`minimum_deployment_target` is iOS15 to iOS18 (macOS follows); `compute_units` is recorded for the app.

    `states`: with `native` the package keeps them itself from iOS 18 on; before that, and with `interface`, they are
    inputs and outputs that the app passes from one run to the next. `neural_engine` gives transformers the layout that
    the neural engine prefers, channels-first tokens: `on`, `off`, or `auto` (if it is predicted to pay).
    """

    minimum_deployment_target: str = "iOS17"
    compute_units: str = "all"
    states: str = "native"
    neural_engine: str = "off"
    images: tuple[Image, ...] = ()
    output_images: tuple[Image, ...] = ()
    classifier: Classifier | None = None
    metadata: Metadata = field(default_factory=Metadata)

    def is_before(self, version: str) -> bool:
        """Whether the model must also run on systems older than `version` (iOS15 to iOS18)."""
        return self.minimum_deployment_target < version

    def image(self, name: str) -> Image | None:
        """The image that an input is, or None."""
        return next((image for image in self.images if image.name == name), None)

    def output_image(self, name: str) -> Image | None:
        """The image that an output is, or None."""
        return next((image for image in self.output_images if image.name == name), None)


def coreml_options(c: Checker, table: Table) -> CoreMLOptions:
    """Read `[options]`; mistakes are reported to the checker."""
    c.known(table, [f.name for f in fields(CoreMLOptions)], "options.")
    return CoreMLOptions(
        c.choice(table, "minimum_deployment_target", SYSTEMS, "iOS17"),
        c.choice(table, "compute_units", ("all", "cpu_only", "cpu_and_gpu", "cpu_and_ne"), "all"),
        c.choice(table, "states", ("native", "interface"), "native"),
        c.choice(table, "neural_engine", ("off", "on", "auto"), "off"),
        _images(c, table, "images"),
        _images(c, table, "output_images"),
        _classifier(c, c.table(table, "classifier")) if "classifier" in table else None,
        _metadata(c, c.table(table, "metadata")),
    )


def _images(c: Checker, table: Table, key: str) -> tuple[Image, ...]:
    images = c.table(table, key)
    return tuple(_image(c, name, c.table(images, name), f"options.{key}.{name}.") for name in images)


def _image(c: Checker, name: str, table: Table, where: str) -> Image:
    c.known(table, ("color", "scale", "bias"), where)
    color = c.choice(table, "color", tuple(COLORS), "rgb")
    scale, bias = (c.numbers(table, key, default) for key, default in (("scale", 1.0), ("bias", 0.0)))
    for key, numbers in (("scale", scale), ("bias", bias)):
        if len(numbers) not in (1, COLORS[color]):
            c.problem(
                f"`{key}` of image `{name}` has {len(numbers)} numbers, but {color} has {COLORS[color]} channels", key
            )
    if 0.0 in scale:
        c.problem(f"`scale` of image `{name}` is 0, which erases the image", "scale")
    return Image(name, color, scale, bias)


def _classifier(c: Checker, table: Table) -> Classifier:
    c.known(table, ("output", "labels", "label_output"), "options.classifier.")
    file = c.string(table, "labels")
    labels = c.labels(file)
    if len(set(labels)) != len(labels):
        double = next(label for label in labels if labels.count(label) > 1)
        c.problem(f"the label `{double}` is repeated in `{file}`", "labels")
    return Classifier(c.string(table, "output"), labels, c.string(table, "label_output", "classLabel"))


def _metadata(c: Checker, table: Table) -> Metadata:
    c.known(table, ("author", "license", "version", "description", "features"), "options.metadata.")
    features = c.table(table, "features")
    return Metadata(
        author=c.string(table, "author", ""),
        license=c.string(table, "license", ""),
        version=c.string(table, "version", ""),
        description=c.string(table, "description", ""),
        features=tuple((name, c.string(features, name)) for name in features),
    )
