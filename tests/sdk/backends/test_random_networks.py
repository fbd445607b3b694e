"""A few random networks, and a check that the comparison detects wrong ones."""

import copy

import pytest
import torch

from tests.random_networks import compare
from tests.random_networks.network import random_network
from tests.random_networks.operators import OPERATORS

TARGETS = ("android", "iphone")


@pytest.mark.parametrize("seed", [1, 2])
def test_built_and_right(seed: int) -> None:
    found = list(compare.outcomes(random_network(seed, OPERATORS, largest=6), TARGETS))
    assert [outcome.target for outcome in found] == list(TARGETS)
    assert {outcome.kind for outcome in found} <= {"built", "refused"}, found


def test_a_seed_is_one_network() -> None:
    first, second = (random_network(7, OPERATORS) for _ in range(2))
    assert first.operators == second.operators
    with torch.no_grad():
        for a, b in zip(first.network(*first.example), second.network(*second.example), strict=True):
            torch.testing.assert_close(a, b, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("target", TARGETS)
def test_wrong_artifacts_are_seen(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The artifact of a network with slightly different weights."""
    subject = next(s for s in (random_network(i, OPERATORS, 4) for i in range(99)) if list(s.network.parameters()))
    judged = compare.judged

    def of_another(built: compare.Built, subject: compare.Subject) -> tuple[str, str]:
        other = copy.deepcopy(subject)
        with torch.no_grad():
            for parameter in other.network.parameters():
                parameter.mul_(1.2).add_(0.1)
        return judged(built, other)

    monkeypatch.setattr(compare, "judged", of_another)
    (found,) = compare.outcomes(subject, [target])
    assert found.kind == "wrong", found
