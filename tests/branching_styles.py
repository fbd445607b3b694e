"""Branching models as PyTorch engineers write them: lambdas, `:=`, early returns, decoders, Python's own functions."""

import functools
import math

import torch
from torch import nn

from tests.branching import rows


class Lambdas(nn.Module):
    """Decisions inside lambdas: passed on, kept in a table, closed over."""

    def __init__(self):
        super().__init__()
        self.squash = lambda v: v.tanh() if v.abs().max() > 2 else v

    def forward(self, x):
        low = x.min()
        lift = lambda v: v * 2 if v.sum() > low else v + low  # noqa: E731
        doubled = sum(map(lambda row: row * 2 if row.sum() > 0 else row * 0, x))  # noqa: C417
        larger = functools.reduce(lambda a, b: a if a.sum() > b.sum() else b, x)
        return lift(doubled), self.squash(larger)


class Bindings(nn.Module):
    """`:=` in tests, of which some are evaluated only at times, and in a loop's."""

    def forward(self, x):
        if (high := x.max()) > 1 and (low := x.min()) > -1:
            return x * high + low
        if -0.5 < (mean := x.mean()) < 0.5 or not (total := x.sum()) > 2:
            return x / 2 - mean
        while (spread := x.max() - x.min()) > 1:
            x = x / 2
        return x * total + spread


class Guards(nn.Module):
    def forward(self, x):
        match int(x[0].argmax()):
            case 0:
                return x * 2
            case k if k > 1 and x.sum() > 0:
                return x + k
            case other:
                return x - other


class Managed(nn.Module):
    """Returns out of `with` and `try`, on some paths."""

    def first(self, x):
        with torch.no_grad():
            if x.sum() > 0:
                return x * 2
            y = x - 1
        return y.clamp(max=1)

    def second(self, x):
        try:
            if x.max() > 1:
                return x / 2
            y = x - 1
        finally:
            self.seen = 1.0
        return y * 3

    def third(self, x):
        for row in x:
            with torch.no_grad():
                if row.sum() > 1:
                    return row * 10
        return x[0]

    def forward(self, x):
        return self.first(x) + self.second(x) * self.third(x)


class Endless(nn.Module):
    """Loops that only `return` or `break` leave, one with a test of two parts, one inside the other."""

    def rounds(self, x):
        k = 0
        while True:
            x = torch.sin(x) * 1.1
            k += 1
            if x.abs().sum() < 2 or k >= 12:
                return x * k

    def forward(self, x):
        total = torch.zeros(())
        for i in range(2):
            y, n = x[i, 0] * 5, 0
            while y > 1 and n < 20:
                y = y / 3
                n += 1
                if y > 2.5:
                    break
            total = total + y * n
        return self.rounds(x), total


class Bubbles(nn.Module):
    """A loop over places inside one that data end: what each round binds anew is not carried."""

    def forward(self, x):
        v = x[0].clone()
        swapped = True
        while swapped:
            swapped = False
            for j in range(v.shape[0] - 1):
                if v[j] > v[j + 1]:
                    lower = v[j + 1].clone()
                    v[j + 1] = v[j]
                    v[j] = lower
                    swapped = True
        return v


class Decoder(nn.Module):
    """A greedy decoder that ends early and fills up."""

    def __init__(self):
        super().__init__()
        self.embed, self.cell, self.head = nn.Embedding(6, 4), nn.GRUCell(4, 4), nn.Linear(4, 6)

    def forward(self, h):
        token, found = torch.zeros(h.shape[0], dtype=torch.long), []
        for _ in range(4):
            h = self.cell(self.embed(token), h)
            token = self.head(h * 3).argmax(-1)
            found.append(token)
            if (token == 2).any():
                break
        while len(found) < 4:
            found.append(torch.full_like(token, 2))
        return torch.stack(found, 1)


class Search(Decoder):
    """A decoder that returns out of its loop."""

    def forward(self, h):
        tokens = torch.zeros(h.shape[0], 1, dtype=torch.long)
        for _ in range(3):
            h = self.cell(self.embed(tokens[:, -1]), h)
            tokens = torch.cat([tokens, self.head(h * 3).argmax(-1, keepdim=True)], 1)
            if (tokens[:, -1] == 1).any():
                rest = torch.ones(h.shape[0], 4 - tokens.shape[1], dtype=torch.long)
                return torch.cat([tokens, rest], 1)
        return tokens


class Deletes(nn.Module):
    def forward(self, x):
        doubled, one_more = x * 2, x + 1
        if x.sum() > 0:
            y = doubled - 1
            del one_more
        else:
            y = one_more
            del doubled
        return y


class Functions(nn.Module):
    """What Python and `math` do with numbers."""

    def forward(self, x):
        positive = x[x > 0.5]
        y = x * math.sqrt(abs(x[0, 0].item())) + math.floor(x.mean())
        if math.isnan(x.sum()) or math.isclose(x.max().item(), 1.0, abs_tol=0.3):
            y = y + round(x[0, 1].item())
        best = max(x, key=lambda row: row.sum())
        low, *_, high = sorted([v for v in x[0]], reverse=True)  # noqa: C416
        mean = positive.mean() if len(positive) else torch.tensor(0.0)
        return y, best, torch.tensor([low, high.item(), 0.5]), mean, max(v.sum() for v in x)


STYLES = {
    "lambdas": (Lambdas, lambda: (rows(3, 4),)),
    "bindings": (Bindings, lambda: (rows(2, 3),)),
    "guards": (Guards, lambda: (rows(2, 4),)),
    "managed": (Managed, lambda: (rows(2, 3),)),
    "endless": (Endless, lambda: (rows(2, 3),)),
    "bubbles": (Bubbles, lambda: (rows(1, 4),)),
    "decoder": (Decoder, lambda: (rows(2, 4) * 3,)),
    "search": (Search, lambda: (rows(2, 4) * 3,)),
    "deletes": (Deletes, lambda: (rows(2, 3),)),
    "functions": (Functions, lambda: (rows(2, 3),)),
}
