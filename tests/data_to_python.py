"""Every way from a tensor's data to a Python value, one function a way: what decides must be a selection, or refused.

`RIGHT` are computed as Python does, on every input; `REFUSED` are, with the label (or none for "cannot be rewritten")
and the line on which `# here` stands.
"""

import collections
import contextlib
import copy
import dataclasses
import enum
import fractions
import functools
import itertools
import json
import logging
import math
import operator
import pickle
import struct
import sys

import numpy as np
import torch

SCALES = {1: 2.0, 2: 4.0}
NAMED = {"a1": 2.0, "a2": 4.0}
RIGHT, REFUSED = {}, {}


class Mode(enum.IntEnum):
    A = 1
    B = 2


@dataclasses.dataclass(frozen=True)
class Point:
    k: int


@dataclasses.dataclass
class Pair:
    k: int
    other: int


@functools.lru_cache
def cached(n):
    return 2.0 if n == 1 else 5.0


def right(function):
    RIGHT[function.__name__] = function
    return function


def refused(label):
    def note(function):
        REFUSED[function.__name__] = (function, label)
        return function

    return note


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


@refused("text")
def part_of_text(self, x, k):
    return x * 2 if str(int(k)) in "12" else x * 5  # here


@refused("text")
def text_of_tensor(self, x, k):
    return x * 2 if str(k) == "tensor(1)" else x * 5  # here


@refused("text")
def text_begins(self, x, k):
    return x * 2 if str(int(k)).startswith("1") else x * 5  # here


@refused("text")
def text_of_float(self, x, k):
    return x * float(f"{x.mean().item():.2f}")  # here


@refused("text")
def length_of_text(self, x, k):
    return x * len(str(int(k)))  # here


@refused("key")
def hashed(self, x, k):
    return x * (hash(k.item()) % 3)  # here


@refused("key")
def hashed_in_a_tuple(self, x, k):
    return x * (hash((int(k), 2)) % 3)  # here


@refused("key")
def dict_set_default(self, x, k):
    return x * {1: 2.0}.setdefault(k.item(), 5.0)  # here


@refused("key")
def dict_pop(self, x, k):
    return x * {1: 2.0}.pop(int(k), 5.0)  # here


@refused("key")
def dict_made(self, x, k):
    return x * {int(k): 2.0}.get(1, 5.0)  # here


@refused("key")
def unbound_get(self, x, k):
    return x * dict.get(SCALES, int(k), 5.0)  # here


@refused("key")
def set_made(self, x, k):
    return x * len({k.item(), 1})  # here


@refused("key")
def counted(self, x, k):
    return x * collections.Counter([int(k), 1])[1]  # here


@refused("key")
def enumeration_looked_up(self, x, k):
    return x * 2 if Mode(int(k) - 1) is Mode.A else x * 5  # here


@refused("key")
def frozen_dataclass_as_key(self, x, k):
    return x * {Point(1): 2.0}.get(Point(int(k)), 5.0)  # here


@refused("key")
def function_cache(self, x, k):
    return x * cached(int(k))  # here


@refused("numpy")
def to_numpy(self, x, k):
    return x * float(k.numpy())  # here


@refused("numpy")
def as_array(self, x, k):
    return x * 2 if np.asarray(k) == 1 else x * 5  # here


@refused("numpy")
def array_of_numbers(self, x, k):
    return x * float(np.sqrt(k.item()))  # here


@refused("pickle")
def pickled(self, x, k):
    return x * pickle.loads(pickle.dumps(k))  # here


@refused("")
def as_json(self, x, k):
    return x * 2 if json.dumps(k.item()) == "1" else x * 5  # here


@refused("")
def packed(self, x, k):
    return x * struct.pack("b", int(k))[0]  # here


@refused("")
def character(self, x, k):
    return x * 2 if chr(65 + int(k)) == "B" else x * 5  # here


@refused("")
def character_of_text(self, x, k):
    return x * 2 if "abcd"[int(k)] == "b" else x * 5  # here


@refused("")
def complex_number(self, x, k):
    return x * complex(k).real  # here


@refused("")
def method_of_number(self, x, k):
    return x * int(k).bit_length()  # here


@refused("")
def operator_index(self, x, k):
    return x * operator.index(k)  # here


@refused("")
def typed_tensor(self, x, k):
    return x * torch.FloatTensor([k.item(), 1, 2, 3])  # here


@refused("")
def repeated_list(self, x, k):
    return x * len([1] * int(k))  # here


@(right if sys.version_info >= (3, 13) else refused(""))  # from 3.13 on fields are compared, before that tuples of them
def compared_dataclasses(self, x, k):
    return x * 2 if Point(int(k)) == Point(1) else x * 5  # here


@refused("")
def compared_dataclasses_of_two_fields(self, x, k):
    return x * 2 if Pair(int(k), 2) == Pair(1, 2) else x * 5  # here


@right
def largest_of_a_tensor(self, x, k):
    return x * max(x[0]) - min(x[1])


@right
def negative_power(self, x, k):
    return x * 2 ** -int(k) + 3 ** k.item()


@right
def type_as_a_key(self, x, k):
    return x * {int: 2.0, float: 3.0}[type(k.item())]


@refused("value")
def text_in_another_base(self, x, k):
    return x * int(str(int(k)), 8)  # here


@refused("value")
def calls_itself(self, x, k):
    def halved(n, y):
        return y if n <= 0 else halved(n - 1, y / 2)  # here

    return halved(int(k), x)


@refused("value")
def fraction(self, x, k):
    return x * float(fractions.Fraction(int(k)))  # here


@refused("value")
def part_of_an_iterator(self, x, k):
    return x * sum(itertools.islice([1.0, 2.0, 3.0], k.item()))  # here


@refused("")
def suppressed(self, x, k):
    scale = 7.0
    with contextlib.suppress(KeyError):  # here
        scale = {3: 2.0}[int(k)]
    return x * scale


class Quiet:
    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        return kind is not None and issubclass(kind, LookupError)


@refused("")
def ended_by_a_context(self, x, k):
    scale = 7.0
    with Quiet():  # here
        scale = {3: 2.0}[k.item()]
    return x * scale
