"""Ways that are refused, with their label."""

import collections
import contextlib
import fractions
import itertools
import json
import operator
import pickle
import struct
import sys

import numpy as np
import torch

from tests.data_to_python.base import SCALES, Mode, Pair, Point, cached, refused, right


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
