"""Each decomposition of torch's operators is in one table, and the tables have no call in common."""

import pytest
import torch

from edgec.frontend.torch.decompositions.base import Decomposition
from edgec.frontend.torch.decompositions.table import DECOMPOSITIONS, NODE_DECOMPOSITIONS, _joined


def test_an_operator_of_two_tables_is_a_mistake() -> None:
    row = {"aten.relu.default": Decomposition(torch.relu)}
    with pytest.raises(ValueError, match=r"two decompositions of aten\.relu\.default"):
        _joined(row, row)


def test_what_is_decomposed_node_by_node_is_left_alone_by_the_table() -> None:
    """If both contain an operator, the table takes only some of its calls, by its `applies`."""
    always = Decomposition(torch.relu).applies
    both = [DECOMPOSITIONS[str(target)] for target in NODE_DECOMPOSITIONS if str(target) in DECOMPOSITIONS]
    assert [row for row in both if row.applies is always] == []


@pytest.mark.parametrize("kinds", [(torch.int32, torch.int64), (torch.float32, torch.int32)])
def test_angles_of_integers_are_floats(kinds: tuple[torch.dtype, torch.dtype]) -> None:
    y, x = (torch.tensor([-3, 0, 2, 0], dtype=kinds[0]), torch.tensor([1, -2, 0, 0], dtype=kinds[1]))
    found = DECOMPOSITIONS["aten.atan2.default"].compute(y, x)
    torch.testing.assert_close(found, torch.atan2(y, x))
