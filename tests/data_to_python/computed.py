"""Ways that are computed as in Python, on every input."""

import collections
import copy
import logging
import math

import torch

from tests.data_to_python.base import NAMED, SCALES, Mode, right


@right
def dict_get(self, x, k):
    return x * SCALES.get(int(k), 5.0)


@right
def dict_get_of_item(self, x, k):
    return x * SCALES.get(k.item(), 5.0)


@right
def dict_get_none(self, x, k):
    found = SCALES.get(k.item())
    return x if found is None else x * found


@right
def dict_subscript(self, x, k):
    return x * SCALES[int(k)] if int(k) in SCALES else x


@right
def tuple_as_key(self, x, k):
    return x * {(1, 2): 2.0, (2, 2): 3.0}.get((int(k), 2), 5.0)


@right
def default_dict(self, x, k):
    return x * collections.defaultdict(lambda: 5.0, SCALES)[int(k)]


@right
def chain_map(self, x, k):
    return x * collections.ChainMap({1: 2.0}, {2: 3.0}).get(int(k), 5.0)


@right
def in_dict(self, x, k):
    return x * 2 if k.item() in SCALES else x * 5


@right
def in_set(self, x, k):
    return x * 2 if k.item() in {1, 2} else x * 5


@right
def in_range(self, x, k):
    return x * 2 if int(k) in range(0, 4, 2) else x * 5


@right
def in_list_of_text(self, x, k):
    return x * 2 if str(int(k)) in ("1", "2") else x * 5


@right
def text(self, x, k):
    return x * 2 if str(k.item()) == "1" else x * 5


@right
def text_unequal(self, x, k):
    return x * 2 if repr(k.item()) != "1" else x * 5


@right
def text_of_truth(self, x, k):
    return x * 2 if str(bool(k == 1)) == "True" else x * 5


@right
def text_formatted(self, x, k):
    return x * 2 if format(int(k), "03d") == "001" else x * 5


@right
def f_string(self, x, k):
    return x * NAMED.get(f"a{k.item()}", 5.0)


@right
def percent(self, x, k):
    return x * NAMED.get("a%d" % k.item(), 5.0)  # noqa: UP031


@right
def format_method(self, x, k):
    return x * NAMED.get("a{}".format(k.item()), 5.0)  # noqa: UP032


@right
def concatenated(self, x, k):
    return x * NAMED.get("a" + str(int(k)), 5.0)


@right
def joined(self, x, k):
    return x * {"a_1": 2.0}.get("_".join(["a", str(k.item())]), 5.0)


@right
def is_true(self, x, k):
    return x * 2 if (int(k) == 1) is True else x * 5


@right
def is_true_of_item(self, x, k):
    return x * 2 if (k.item() == 1) is True else x * 5


@right
def is_not_false(self, x, k):
    return x * 2 if (k == 1).item() is not False else x * 5


@right
def is_instance(self, x, k):
    return x * k.item() if isinstance(k.item(), int) else x * 5


@right
def type_is(self, x, k):
    n = k.item()
    return x * n if type(n) is int else x * 5


@right
def equal_tuples(self, x, k):
    return x * 2 if (k.item(), 1) == (1, 1) else x * 5


@right
def equal_lists(self, x, k):
    return x * 2 if x[0, :2].gt(0).tolist() == [True, True] else x * 5


@right
def equal_dictionaries(self, x, k):
    return x * 2 if {"a": int(k)} == {"a": 1} else x * 5


@right
def list_index(self, x, k):
    return x * [3, 2, 1, 0].index(int(k))


@right
def list_count(self, x, k):
    return x * (1 + [3, 2, 1, 1].count(k.item()))


@right
def list_element(self, x, k):
    return x * [1, 2, 3, 5][k]


@right
def tolist(self, x, k):
    a, b, *_ = x[0].tolist()
    return x * a + b


@right
def deep_copy(self, x, k):
    return x * copy.deepcopy({"a": [k, x]})["a"][0]


@right
def shallow_copy(self, x, k):
    return x * copy.copy(k)


@right
def tensors_of_numbers(self, x, k):
    n = k.item()
    return x * torch.tensor(int(k)) + torch.as_tensor([n, 1, 2, 3]) + x.new_tensor([n, 0.5, 2, 3]) + torch.full((4,), n)


@right
def rounded(self, x, k):
    return x * round(x.sum().item()) + math.sqrt(k.item())


@right
def quotient_and_rest(self, x, k):
    a, b = divmod(k.item(), 2)
    return x * a + b


@right
def enumeration_member(self, x, k):
    return x * 2 if int(k) == Mode.A else x * 5


@right
def match_values(self, x, k):
    match int(k):
        case 1:
            return x * 2
        case 2 | 3:
            return x * 3
    return x * 5


@right
def match_type(self, x, k):
    match k.item():
        case int():
            return x * 2
    return x * 5


@right
def sorted_and_extreme(self, x, k):
    return x * sorted([int(k), 2])[0] + max([1, 2, 3], key=lambda v: -abs(v - int(k)))


@right
def attribute_by_name(self, x, k):
    return x * getattr(self, f"s{int(k)}", 5.0)


@right
def shown_and_logged(self, x, k):
    print("k", k, f"{x.mean()}")
    logging.getLogger(__name__).debug(f"k {x.mean().item():.2f}")
    return x * k


@right
def largest_of_a_tensor(self, x, k):
    return x * max(x[0]) - min(x[1])


@right
def negative_power(self, x, k):
    return x * 2 ** -int(k) + 3 ** k.item()


@right
def type_as_a_key(self, x, k):
    return x * {int: 2.0, float: 3.0}[type(k.item())]
