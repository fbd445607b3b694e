"""Models as people break them: each ends in words of edgec's, at the line and the module, with what to do."""

import inspect
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from edgec.diag import EdgecError
from edgec.frontend.dispatch import import_source
from edgec.frontend.imported import SourceId
from edgec.frontend.request import SourceRequest
from edgec.frontend.torch.importer import capture_model

X = torch.ones(1, 3, 8, 8)


class Calls(nn.Module):
    """Computes what it is given; the layer is `inner.0`."""

    def __init__(self, function: Callable[..., object], layer: nn.Module | None = None) -> None:
        super().__init__()
        self.function, self.inner = function, nn.Sequential(*([layer] if layer is not None else []))

    def forward(self, x: torch.Tensor) -> object:
        return self.function(self, x)


class TwoInputs(nn.Module):
    def forward(self, x, y):
        return x + y


class NoForward(nn.Module):
    pass


def assigned(module: nn.Module, x: torch.Tensor) -> torch.Tensor:
    module.inner[0].weight += 1
    return module.inner(x)


def raising(module: nn.Module, x: torch.Tensor) -> torch.Tensor:
    raise ValueError("only odd widths " + "are supported " * 50)


def recursing(module: nn.Module, x: torch.Tensor) -> torch.Tensor:
    return recursing(module, x)


LINEAR = nn.Linear(10, 2)
BROKEN: dict[str, tuple[nn.Module, object, str, str]] = {
    "a wrong shape": (Calls(lambda m, x: m.inner(x.flatten(1)), LINEAR), X, "E0201", "`--input NAME=SHAPE` gives"),
    "channels": (Calls(lambda m, x: m.inner(x), nn.Conv2d(4, 4, 3)), X, "E0201", "`x` float32 [1, 3, 8, 8]"),
    "a missing attribute": (Calls(lambda m, x: m.head(x)), X, "E0201", "has no attribute `head`"),
    "an element type": (Calls(lambda m, x: m.inner(x.long()), nn.Linear(8, 8)), X, "E0201", "NAME=SHAPE:DTYPE"),
    "a GPU": (Calls(lambda m, x: x + torch.ones(1, device="cuda")), X, "E0201", "device=x.device"),
    "a file": (Calls(lambda m, x: x + float(Path("none.txt").read_text())), X, "E0201", "relative paths begin in"),
    "an index": (Calls(lambda m, x: m.inner(x.long() + 9), nn.Embedding(4, 4)), X, "E0201", "--range NAME=LOW..HIGH"),
    "an assertion": (Calls(raising), X, "E0201", "only odd widths are supported"),
    "no end": (Calls(recursing), X, "E0201", "RecursionError"),
    "too few inputs": (TwoInputs(), (X,), "E0107", "it takes `x`, `y`; 1 given by position"),
    "too many inputs": (TwoInputs(), (X, X, X), "E0107", "too many positional arguments"),
    "an input of another name": (TwoInputs(), {"x": X, "z": X}, "E0107", "`x`, `z` by name"),
    "a text": (Calls(lambda m, x: x), ("hello",), "E0107", "contain no tensor, but a `str`"),
    "an array": (Calls(lambda m, x: x), (X.numpy(),), "E0107", "`torch.from_numpy(array)`"),
    "no forward": (NoForward(), (X,), "E0103", "`NoForward` defines no `forward`"),
    "None": (Calls(lambda m, x: None), X, "E0202", "the model returns None, which contains no tensor"),
    "a generator": (Calls(lambda m, x: (x for _ in [1])), X, "E0202", "a `generator`, which contains no tensor"),
    "a text output": (Calls(lambda m, x: {"y": x, "name": "cat"}), X, "E0202", "`output['name']` is `'cat'`, a text"),
    "a number": (Calls(lambda m, x: (x, 3)), X, "E0202", "`output[1]` is `3`, a Python number"),
    "complex": (Calls(lambda m, x: torch.fft.fft(x)), X, "E0202", "pass the real and the imaginary part"),
    "no ONNX": (Calls(lambda m, x: torch.special.bessel_y1(x)), X, "E0202", "has no ONNX equivalent"),
    "sizes of data": (Calls(lambda m, x: torch.linalg.lstsq(x, x).solution), X, "E0202", "depend on the data"),
    "a parameter": (Calls(assigned, nn.Conv2d(3, 3, 1)), X, "E0219", "`register_buffer`"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_told_at_its_line_with_what_to_do(what: str) -> None:
    module, inputs, code, said = BROKEN[what]
    request = SourceRequest("model")
    with pytest.raises(EdgecError) as caught:
        capture_model(module.eval(), inputs, request, SourceId("python", "model", ""))
    (found,) = caught.value.diagnostics
    text = " ".join([found.message, *found.notes, *found.help]).replace("'head'", "`head`")
    assert found.code == code
    assert said in text
    assert len(text) < 800
    if what not in ("a text", "an array"):
        assert found.place is not None
        assert found.place.file == __file__
    if what in ("a wrong shape", "channels", "an element type", "an index"):
        assert found.place.module == "inner.0"


def test_the_line_is_that_of_a_function_that_the_forward_calls() -> None:
    lines, start = inspect.getsourcelines(unknown)
    with pytest.raises(EdgecError) as caught:
        capture_model(Calls(unknown), X, SourceRequest("model"), SourceId("python", "model", ""))
    place = caught.value.diagnostics[0].place
    assert (place.file, place.line) == (__file__, start + len(lines) - 1)


def unknown(module: nn.Module, x: torch.Tensor) -> torch.Tensor:
    y = x + 1
    return torch.special.bessel_y1(y)


def test_a_missing_package_names_how_to_install_it(tmp_path) -> None:
    (tmp_path / "net.py").write_text("import no_such_package_at_all\n")
    with pytest.raises(EdgecError) as caught:
        import_source(SourceRequest(f"{tmp_path / 'net.py'}:model"))
    (found,) = caught.value.diagnostics
    assert "-m pip install no_such_package_at_all" in found.help[0]
    assert (found.place.file, found.place.line) == (str(tmp_path / "net.py"), 1)
