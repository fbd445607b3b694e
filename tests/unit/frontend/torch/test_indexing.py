"""Reads and writes at positions given by tensors agree with Python's own indexing."""

import pytest
import torch

from edgec.frontend.torch.overrides.scalar_indices import get_item, set_item


def number(value):
    return torch.tensor(value)


X = torch.arange(2.0 * 5 * 3).reshape(2, 5, 3)

WRITES = {
    "one row": (lambda i: (slice(None), i), number(3), torch.ones(2, 3)),
    "from a computed start": (lambda i: (slice(None), slice(i, None)), number(3), -1.0),
    "to a computed end": (lambda i: (Ellipsis, slice(None, i)), number(2), 7),
    "between, each its own": (
        lambda i: (slice(None), slice(i, i + 2)),
        number(1),
        -torch.arange(12.0).reshape(2, 2, 3),
    ),
    "between, broadcast": (lambda i: (slice(None), slice(i, i + 3)), number(2), -torch.ones(2, 1, 3)),
    "one after the other, from the end": (lambda i: (1, slice(-i, None)), number(2), torch.ones(2, 3) * 9),
    "beyond the end": (lambda i: (0, slice(i, i + 9)), number(3), 5.0),
    "in the last dimension": (lambda i: (Ellipsis, slice(i, i + 1)), number(1), torch.ones(2, 5, 1)),
}


@pytest.mark.parametrize("name", WRITES)
def test_writes(name):
    key, place, value = WRITES[name]
    expected, found = X.clone(), X.clone()
    expected[key(int(place))] = value
    set_item(found, key(place), value)
    assert torch.equal(found, expected)


@pytest.mark.parametrize("key", [lambda i: (slice(None), i), lambda i: (..., i), lambda i: (1, slice(1, 4), i)])
def test_reads(key):
    assert torch.equal(get_item(X, key(number(2))), X[key(2)])
