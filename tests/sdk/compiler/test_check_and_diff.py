"""Artifacts pass `check`, do not differ from themselves, and agree with other formats of the same model."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest

from edgec.artifact.manifest import read_manifest
from edgec.compiler.build import build
from edgec.compiler.check import Budget, Execution, check_artifact
from edgec.compiler.diff import compare_artifacts
from edgec.compiler.options import BuildOptions
from edgec.diag import EdgecError
from edgec.frontend.dynamic import parse_dynamic
from edgec.frontend.request import SourceRequest

MODELS = '''
import torch
from torch import nn
import torch.nn.functional as F


class Animals(nn.Module):
    """(1, 3, H, W) to a score for each of four labels, and a map."""

    def __init__(self):
        super().__init__()
        self.stem, self.second = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 3, 3)
        self.head = nn.Linear(3, 4)

    def forward(self, x):
        map = self.second(F.gelu(self.stem(x)))
        return {"scores": self.head(F.relu(map).mean((2, 3))).softmax(-1), "map": map}


class Remembering(nn.Module):
    """Keeps its last four vectors, and a mean of all."""

    def __init__(self):
        super().__init__()
        self.mix = nn.Linear(8, 8)
        self.register_buffer("past", torch.zeros(1, 4, 8))

    def forward(self, x):
        self.past.copy_(torch.cat([self.past[:, 1:], self.mix(x)[:, None]], 1))
        return self.past.mean(1) + x


class Doubling(nn.Module):
    """Ends when its data say; values inside the loop have one name in every step."""

    def forward(self, x):
        y = x.abs().sum() + 0.125
        steps = torch.zeros(1)
        while y < 40:
            y = y * 1.5 + torch.sin(y)
            steps = steps + 1
        return y * x, steps


class Attending(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)

    def forward(self, x):
        return self.layer(x)


class Quantizing(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x):
        x = torch.fake_quantize_per_tensor_affine(x, 0.05, 0, -128, 127)
        return torch.fake_quantize_per_tensor_affine(self.conv(x), 0.05, 3, -128, 127)


class Stepping(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(6, 5, batch_first=True, bidirectional=True)

    def forward(self, x):
        return self.lstm(x)[0]


class Looking(nn.Module):
    """Whole numbers in, rows and their places out."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(9, 4)

    def forward(self, tokens, keep):
        rows = self.table(tokens) * keep[..., None]
        return rows, rows.argmax(-1), keep.any()


def animals(): return Animals(), (torch.randn(1, 3, 12, 16),)
def remembering(): return Remembering(), (torch.randn(1, 8),)
def doubling(): return Doubling(), (torch.randn(3),)
def attending(): return Attending(), (torch.randn(1, 5, 16),)
def quantizing(): return Quantizing(), (torch.randn(1, 3, 8, 8),)
def stepping(): return Stepping(), (torch.randn(1, 7, 6),)
def looking(): return Looking(), (torch.randint(0, 9, (2, 6)), torch.rand(2, 6) > 0.5)
def second(): return nn.Linear(8, 2), (torch.randn(1, 8),)
def changed():
    net, inputs = animals()
    net.second.weight.data[1] *= 1.25
    return net, inputs
'''

LABELLED = """
name = "labelled"
summary = "a classifier"
inherits = "iphone"
[options.classifier]
output = "scores"
labels = "labels.txt"
label_output = "animal"
"""
APP = f"""{LABELLED.replace("labelled", "app")}
[options.images.x]
scale = [0.0171, 0.0175, 0.0174]
bias = [-2.118, -2.036, -1.804]
"""


@dataclass(frozen=True)
class Case:
    """A model with the options of its build; `tolerance` is between formats, some of which compute in float16."""

    model: str
    targets: tuple[str, ...] = ("iphone", "android", "rtx")
    options: BuildOptions = field(default_factory=BuildOptions)
    dynamic: str = ""
    tolerance: float = 2e-2


NHWC = BuildOptions(io_layout=("nhwc",))
IOS18 = BuildOptions(settings=("options.minimum_deployment_target=iOS18",))
CASES = {
    "animals": Case("animals", ("app", "iphone", "android", "rtx")),
    "animals, channels last": Case("animals", ("android",), NHWC),
    "animals, strict": Case("animals", ("iphone",), BuildOptions(settings=("accept.min_psnr_db=20",))),
    "animals, labelled": Case("animals", ("labelled",)),
    "animals, changed": Case("changed", ("android",)),
    "animals, open": Case("animals", dynamic="x:2=height:8..32"),
    "remembering": Case("remembering"),
    "remembering, in the package": Case("remembering", ("iphone",), IOS18),
    "doubling": Case("doubling"),
    "attending": Case("attending"),
    "quantizing": Case("quantizing", tolerance=0.2),
    "stepping": Case("stepping"),
    "looking": Case("looking"),
    "functions": Case("remembering", ("iphone",), IOS18),
}


@dataclass(frozen=True)
class Made:
    """An artifact's folder and its source."""

    case: str
    folder: Path
    source: SourceRequest
    function: str | None = None


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, list[Made]]]:
    """All artifacts of all cases."""
    root = tmp_path_factory.mktemp("made")
    (root / "targets").mkdir()
    (root / "targets/app.toml").write_text(APP)
    (root / "targets/labelled.toml").write_text(LABELLED)
    (root / "targets/labels.txt").write_text("cat\ndog\nowl\neel\n")
    (root / "models.py").write_text(MODELS)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        yield {name: list(_built(name, case, root)) for name, case in CASES.items()}


def _built(name: str, case: Case, root: Path) -> Iterator[Made]:
    request = SourceRequest(f"{root}/models.py:{case.model}")
    asked = replace(request, dynamic=parse_dynamic(case.dynamic)) if case.dynamic else request
    options = replace(case.options, out=root / name.replace(", ", "-"))
    if name == "functions":
        other = SourceRequest(f"{root}/models.py:second")
        options = replace(options, functions=(("second", other),))
    report = build(asked, case.targets, options, lambda _: None)
    assert not report.errors, report.errors
    for found in report.built:
        assert not found.failures, found.failures
        yield Made(name, found.folder, request)
    if name == "functions":
        yield Made(name, report.built[0].folder, other, "second")


@pytest.mark.parametrize("case", CASES)
def test_what_was_built_passes_its_check(case: str, made: dict[str, list[Made]]) -> None:
    for found in made[case]:
        way = Execution(found.function)
        report = check_artifact(found.folder, found.source, Budget(), way)
        assert not report.failures, (found, report.failures)
        report = check_artifact(found.folder, None, Budget(), way)
        assert not report.failures, (found, report.failures)


@pytest.mark.parametrize("case", CASES)
def test_nothing_differs_from_itself(case: str, made: dict[str, list[Made]]) -> None:
    for found in made[case]:
        same = compare_artifacts(found.folder, found.folder, [], 0.0)
        assert same.first is None, (found, same.lines())
        assert len(same.pairs) > 0


GROUPS = {case.model: [n for n, c in CASES.items() if c.model == case.model] for case in CASES.values()}


@pytest.mark.parametrize("model", GROUPS)
def test_formats_of_one_model_agree(model: str, made: dict[str, list[Made]]) -> None:
    """Apart from layouts, images, labels and who keeps a state, every output and state is compared."""
    artifacts = [found for name in GROUPS[model] for found in made[name] if found.function is None]
    for first in artifacts:
        for second in artifacts:
            tolerance = CASES[second.case].tolerance
            found = compare_artifacts(first.folder, second.folder, [], tolerance)
            assert found.first is None, (first, second, found.lines())
            manifests = [read_manifest(folder / "manifest.json") for folder in (first.folder, second.folder)]
            results = {t.name for m in manifests for t in m.outputs} | {s.output for m in manifests for s in m.states}
            assert {pair.name for pair in found.pairs} >= results


def test_the_first_difference_is_found_across_layouts(made: dict[str, list[Made]]) -> None:
    changed = made["animals, changed"][0].folder
    for found in (*made["animals"], *made["animals, channels last"]):
        report = compare_artifacts(found.folder, changed, [], 2e-2)
        assert report.first is not None
        assert "gelu" not in report.first.name  # nothing before the second convolution
        assert {pair.name for pair in report.pairs if pair.difference.max_rel > 2e-2} >= {"map"}


def test_given_inputs_are_those_of_the_first_artifact(made: dict[str, list[Made]], tmp_path: Path) -> None:
    """Pixels for an image input; channels last if the file's input is."""
    app, iphone, android, _ = (m.folder for m in made["animals"])
    (last,) = (m.folder for m in made["animals, channels last"])
    pixels = np.random.default_rng(3).integers(0, 256, (1, 3, 12, 16)).astype(np.float32)
    np.save(tmp_path / "pixels.npy", pixels)
    np.save(tmp_path / "last.npy", np.moveaxis(pixels / 255, 1, -1))
    for first, file, second in ((app, "pixels", android), (last, "last", iphone), (last, "last", app)):
        found = compare_artifacts(first, second, [str(tmp_path / f"{file}.npy")], 2e-2)
        assert found.first is None, found.lines()


def test_files_without_a_manifest_are_compared(made: dict[str, list[Made]], tmp_path: Path) -> None:
    """Layouts are recognized by their shapes; open dimensions take the other file's sizes."""
    files = [next(made[n][i].folder.glob(f"*.{s}")) for n, i, s in FOREIGN]
    for i, file in enumerate(files):
        if file.is_dir():
            copytree(file, tmp_path / f"{i}{file.suffix}")
        else:
            (tmp_path / f"{i}{file.suffix}").write_bytes(file.read_bytes())
    bare = [tmp_path / f"{i}{file.suffix}" for i, file in enumerate(files)]
    for first in bare:
        for second in bare[:-1]:  # two files with open dimensions tell no size
            found = compare_artifacts(first, second, [], 2e-2)
            assert found.first is None, (first, second, found.lines())


FOREIGN = (
    ("animals", 1, "mlpackage"),
    ("animals", 2, "tflite"),
    ("animals", 3, "onnx"),
    ("animals, channels last", 0, "tflite"),
    ("animals, open", 1, "tflite"),
)


def test_inputs_that_do_not_fit_are_refused(made: dict[str, list[Made]]) -> None:
    with pytest.raises(EdgecError, match="does not fit"):
        compare_artifacts(made["remembering"][0].folder, made["animals"][0].folder, [], 1e-3)


def test_a_classifier_without_a_manifest_is_compared(made: dict[str, list[Made]], tmp_path: Path) -> None:
    (found,) = made["animals, labelled"]
    package = next(found.folder.glob("*.mlpackage"))
    copytree(package, tmp_path / package.name)
    (other,) = made["animals, changed"]
    for source, right in ((found.source, True), (other.source, False)):
        text = check_artifact(tmp_path / package.name, source, Budget()).checks["accuracy"]
        assert (float(text.split("rel ")[1].split(",")[0]) < 1e-2) == right, text
