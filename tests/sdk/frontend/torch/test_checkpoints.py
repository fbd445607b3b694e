"""Checkpoints that contain more than weights: averages, prefixes, counters of other types."""

from pathlib import Path

import pytest
import torch
from torch import nn

from edgec.diag import EdgecError, Severity
from edgec.frontend.request import Taken
from edgec.frontend.torch.weights import load_weights


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)


def state(value: float, prefix: str = "") -> dict[str, torch.Tensor]:
    return {f"{prefix}{n}": torch.full_like(t, value) for n, t in Net().state_dict().items()}


def saved(folder: Path, held: object) -> Path:
    torch.save(held, folder / "w.pt")
    return folder / "w.pt"


TWICE = {
    "beside": ({"model": state(1), "ema": state(2)}, ["model", "ema"]),
    "timm": ({"state_dict": state(1), "state_dict_ema": state(2), "epoch": 3}, ["state_dict", "state_dict_ema"]),
    "detectron": ({"model": state(1), "model_ema": state(2, "module.")}, ["model", "model_ema"]),
    "deeper": (
        {"model": state(1), "ema_state": {"module": state(2), "decay": 0.9}},
        ["model", "ema_state.module"],
    ),
    "lightning": (
        {"state_dict": {**state(1, "model."), **state(2, "ema_model.")}},
        ["state_dict.model", "state_dict.ema_model"],
    ),
    "at the top": ({**state(1), **state(2, "ema.")}, [".", "ema"]),
}


@pytest.mark.parametrize("form", TWICE)
def test_averages_beside_raw_weights_are_asked_about(form: str, tmp_path: Path) -> None:
    held, parts = TWICE[form]
    path = saved(tmp_path, held)
    with pytest.raises(EdgecError) as refused:
        load_weights(Net(), path)
    (told,) = refused.value.diagnostics
    assert told.code == "E0110"
    assert told.help == tuple(f"say which: `--weights {path}:{part}`" for part in parts)
    for value, part in enumerate(parts, 1):
        net = Net()
        load_weights(net, path, Taken(part))
        assert {float(t.detach().unique()) for t in net.state_dict().values()} == {value}


def test_a_part_that_is_not_there(tmp_path: Path) -> None:
    path = saved(tmp_path, {"model": state(1), "ema": state(2)})
    with pytest.raises(EdgecError) as refused:
        load_weights(Net(), path, Taken("emaa"))
    assert refused.value.diagnostics[0].help == ("did you mean `ema`?",)


def test_the_only_candidate_is_taken_and_told(tmp_path: Path) -> None:
    net = Net()
    optimizer = {"state": {0: {"exp_avg": torch.zeros(4)}}, "param_groups": [{"lr": 0.1}]}
    held = {"state_dict": state(1, "module."), "optimizer": optimizer, "ema": {"shadow": [torch.zeros(3)]}}
    (note,) = load_weights(net, saved(tmp_path, held))
    assert note.severity is Severity.NOTE
    assert "`state_dict`" in note.message
    assert note.notes == ("it also holds `ema.shadow`",)
    assert float(net.conv.weight.detach().unique()) == 1
    again = load_weights(net, saved(tmp_path, {"model": state(3), "ema": state(3)}))
    assert "`model`" in again[0].message
    assert load_weights(net, saved(tmp_path, state(2))) == ()


def test_extra_names_are_passed_over_where_that_is_asked_for_and_missing_ones_never(tmp_path: Path) -> None:
    held = {**state(1), "head.weight": torch.zeros(3, 3)}
    with pytest.raises(EdgecError) as refused:
        load_weights(Net(), saved(tmp_path, held))
    assert "--extra-weights ignore" in refused.value.diagnostics[0].help[0]
    (note,) = load_weights(Net(), tmp_path / "w.pt", Taken(ignores_extra=True))
    assert note.notes == ("head.weight",)
    del held["conv.bias"]
    with pytest.raises(EdgecError, match="1 names missing"):
        load_weights(Net(), saved(tmp_path, held), Taken(ignores_extra=True))


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float32, torch.int32])
def test_counters_of_another_type_are_taken(kind: torch.dtype, tmp_path: Path) -> None:
    held = {n: t.to(kind) if n.endswith("tracked") or kind.is_floating_point else t for n, t in state(1).items()}
    net = Net()
    load_weights(net, saved(tmp_path, held))
    assert float(net.norm.running_mean.unique()) == 1
    assert net.norm.num_batches_tracked.dtype == torch.int64


def test_a_layer_of_another_model_is_no_model(tmp_path: Path) -> None:
    """A single layer fits many positions in a large model: only entries named as a model count as one."""
    with pytest.raises(EdgecError) as refused:
        load_weights(
            nn.Linear(4, 2),
            saved(tmp_path, {f"{i}.{n}": t for i in (0, 2) for n, t in nn.Linear(4, 2).state_dict().items()}),
        )
    assert refused.value.diagnostics[0].code == "E0110"
