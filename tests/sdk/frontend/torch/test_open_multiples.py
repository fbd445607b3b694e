"""Open sizes for which one trace is not enough: multiples, another example, or one refusal with the line."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from edgec.compiler.options import BuildOptions
from edgec.compiler.stages import prepare_imported
from edgec.diag import EdgecError
from edgec.frontend.dynamic import parse_dynamics
from edgec.frontend.imported import SourceId
from edgec.frontend.torch.export import export_module
from edgec.frontend.torch.request import ExportRequest
from edgec.ir.dims import dim_ranges


class Joined(nn.Module):
    def forward(self, x):
        half = F.max_pool2d(x, 2)
        back = F.interpolate(F.max_pool2d(half, 2), scale_factor=2.0)
        return F.interpolate(torch.cat([back, half], 1), scale_factor=2.0)


class RoundedUp(nn.Module):
    def forward(self, x):
        return F.max_pool2d(x[..., 1:, 1:], 3, 2, ceil_mode=True)


class Windowed(nn.Module):
    """Takes different branches at the example's size and at multiples of 16."""

    def forward(self, x):
        if x.shape[2] % 16 or x.shape[3] % 16:
            return F.pad(x, (0, -x.shape[3] % 16, 0, -x.shape[2] % 16))[..., : x.shape[2], : x.shape[3]] * 2
        return x + 1


class Fixed(nn.Module):
    def __init__(self):
        super().__init__()
        self.places = nn.Parameter(torch.randn(1, 3, 24, 24))

    def forward(self, x):
        y = torch.relu(x)
        return y + self.places


class Square(nn.Module):
    def forward(self, x):
        return x @ x


def prepared(module, text="x:2=h:16..64,3=w:16..64"):
    call = (torch.randn(1, 3, 24, 24),)
    request = ExportRequest("m", SourceId("module", "t", ""), module, call, dynamic=parse_dynamics([text]))
    return prepare_imported(export_module(request), BuildOptions(), lambda step: None)


def test_maps_that_are_joined_again():
    found = prepared(Joined())
    assert [(d.code, "multiples of 4" in d.message) for d in found.imported.warnings] == [("E0220", True)] * 2
    assert found.imported.warnings[0].place.file == __file__
    assert {s.inputs["x"].shape[2] for s in found.samples} >= {16, 24, 52}
    assert all(size % 4 == 0 for s in found.samples for size in s.inputs["x"].shape[2:])
    assert str(found.model.graph.outputs[0].shape) == "[1,6,h,w]"
    assert dim_ranges(found.model) == {"h": (16, 64), "w": (16, 64)}


def test_what_is_said_is_not_told():
    assert not prepared(Joined(), "x:2=h:16..64/4,3=w:16..64/8").imported.warnings


def test_what_torch_cannot_prove_holds_at_every_size():
    found = prepared(RoundedUp())
    assert not found.imported.warnings
    assert any(s.inputs["x"].shape[2] % 2 for s in found.samples)


def test_another_example_where_the_given_one_fits_no_other_size():
    found = prepared(Windowed())
    assert ["multiples of 16" in d.message for d in found.imported.warnings] == [True] * 2
    assert {s.inputs["x"].shape[2] for s in found.samples} >= {16, 32}


def test_listed_sizes_are_all_that_must_hold():
    assert not prepared(Joined(), "x:2..3=[24,32,40]").imported.warnings


@pytest.mark.parametrize(
    ("kind", "line", "label", "help_"),
    [
        (Fixed, "return y + self.places", "dimension-fixed", "leave it fixed"),
        (Square, "return x @ x", "dimensions-equal", "one name"),
    ],
)
def test_one_refusal_with_the_line(kind, line, label, help_):
    with pytest.raises(EdgecError) as caught:
        prepared(kind())
    (told,) = caught.value.diagnostics
    assert (told.code, told.notes) == ("E0202", (f"rejected by `{label}`",))
    assert help_ in told.help[0]
    with open(__file__) as source:
        assert line in source.read().splitlines()[told.place.line - 1]


class PaddedToWindows(nn.Module):
    """Pads to multiples of 7, by nothing at some sizes, where it takes another branch with the same result."""

    def forward(self, x):
        below, right = -x.shape[2] % 7, -x.shape[3] % 7
        if below > 0:
            x = F.pad(x, (0, 0, 0, below))
        if right > 0:
            x = F.pad(x, (0, right))
        return F.avg_pool2d(x, 7)


def test_sizes_at_which_nothing_is_padded_are_verified_by_themselves():
    found = prepared(PaddedToWindows(), "x:2=h:16..48,3=w:16..48")
    assert not found.imported.warnings
    shapes = {s.inputs["x"].shape[2:] for s in found.samples}
    assert (21, 21) in shapes
    assert len({height for height, _ in shapes}) > 3


class Enlarged(nn.Module):
    """Requires multiples of 4, and the size of its table to use it unchanged."""

    def __init__(self):
        super().__init__()
        self.table = nn.Parameter(torch.randn(1, 3, 6, 6))

    def forward(self, x):
        places = self.table
        if x.shape[2] != 24 or x.shape[3] != 24:
            places = F.interpolate(self.table, (x.shape[2] // 4, x.shape[3] // 4), mode="bilinear", align_corners=False)
        y = x.unflatten(3, (-1, 4)).mean(-1).unflatten(2, (-1, 4)).mean(3)
        return y + places


def test_multiples_at_which_the_source_runs_and_the_way_of_most_of_them():
    found = prepared(Enlarged())
    assert ["multiples of 4" in d.message for d in found.imported.warnings] == [True] * 2
    assert {s.inputs["x"].shape[2] for s in found.samples} >= {16, 24}


class Wide(nn.Module):
    """Takes another branch, with another result, for images that are wider than the example."""

    def forward(self, x):
        return x * 2 if x.shape[3] > 30 else x + 1


def test_a_refusal_says_how_far_the_sizes_go():
    with pytest.raises(EdgecError) as caught:
        prepared(Wide(), "x:2=h:16..40,3=w:16..40")
    (told,) = caught.value.diagnostics
    assert "from 16 to 30" in told.message
    assert "x:3=w:16..30" in told.help[0]


class Whole(nn.Module):
    """Converts its sizes to integers."""

    def forward(self, x):
        height, width = int(x.shape[2]), int(x.shape[3] / 2)
        y = F.interpolate(x, (height + int(float(height) / 2), width), mode="nearest")
        return y.reshape(x.shape[0], int(x.shape[1]) * width, -1)


def test_whole_numbers_of_open_sizes_stay_open():
    found = prepared(Whole())
    assert not found.imported.warnings
    assert len({s.inputs["x"].shape[2:] for s in found.samples}) > 2
