"""Branching models as PyTorch engineers write them: lambdas, `:=`, early returns, decoders, builtin functions."""

import functools
import math

import torch
from torch import nn

from tests.branching import rows


class Lambdas(nn.Module):
    """Decisions inside lambdas that are passed on, stored in a table, or closures."""

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
    """`:=` in tests, some of which are evaluated only sometimes, and in a loop's test."""

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
    """Returns from within `with` and `try`, on some paths."""

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
    """Loops that end only by `return` or `break`, one with a test of two parts, one nested."""

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
    """A loop over positions inside a loop that the data end; values bound anew in each iteration are not carried."""

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
    """A greedy decoder with early end and padding."""

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
    """A decoder that returns from within its loop."""

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
    """Functions of Python and `math` on numbers."""

    def forward(self, x):
        positive = x[x > 0.5]
        y = x * math.sqrt(abs(x[0, 0].item())) + math.floor(x.mean())
        if math.isnan(x.sum()) or math.isclose(x.max().item(), 1.0, abs_tol=0.3):
            y = y + round(x[0, 1].item())
        best = max(x, key=lambda row: row.sum())
        low, *_, high = sorted([v for v in x[0]], reverse=True)  # noqa: C416
        mean = positive.mean() if len(positive) else torch.tensor(0.0)
        return y, best, torch.tensor([low, high.item(), 0.5]), mean, max(v.sum() for v in x)


class Notes:
    """A plain object in which a model records values."""

    def __init__(self):
        self.rows, self.by_name, self.total = [], {}, 0.0

    def add(self, row):
        self.rows.append(row)
        self.total = self.total + row.sum()


class Noted(nn.Module):
    """Objects, lists, dictionaries and closures that one side changes, some through methods."""

    def lift(self, x):
        self.scale *= 2
        self.log.append(x.mean())
        return x * self.scale

    def forward(self, x):
        self.scale, self.log = 1.0, []
        notes, above, kept = Notes(), 0, []

        def visit(row):
            nonlocal above
            if row.sum() > 0:
                above += 1
                kept.append(row * 2)
            else:
                kept.append(row)

        for row in x:
            visit(row)
        if x.sum() > 0:
            notes.add(x[0])
            notes.by_name["k"] = x[1]
        else:
            notes.add(-x[1] * 3)
            notes.by_name["k"] = x[0]
        y = self.lift(x) if x.max() > 1 else self.lift(x - 1)
        if x.min() < -1:
            self.scale += 1
        return torch.stack(kept) * above, notes.rows[0] + notes.by_name["k"], notes.total, y * self.scale + self.log[0]


class Aliases(nn.Module):
    """In-place changes on one side, visible through all views and names, also those created on that side."""

    def forward(self, x):
        y, held = x.clone(), [x.clone(), x * 2]
        view, first, flat = y[0], held[0], y.view(-1)
        if x.sum() > 0:
            y += 1
            first.mul_(3)
            held[1].zero_()
        else:
            row = y[1]
            row[0] = 7.0
            flat[1:3] -= 2
            torch.nn.functional.relu(held[1], inplace=True)
            if x.max() > 1:
                flat.add_(first.sum())
        return y, view, held[0] + held[1]


class DeadArguments(nn.Module):
    """Indices, classes and divisors that are valid on one side only."""

    def forward(self, x, i):
        scatter = torch.zeros(4)
        first, loss = torch.tensor(-1), x.sum()
        if i.min() >= 0 and i.max() < 4:
            scatter = scatter.scatter_add(0, i, x[0, :2]).index_add(dim=0, index=i, source=x[0, :2])
            scatter[i] = 3.0
            loss = nn.functional.cross_entropy(x, i)
        large = (x > 1).nonzero()
        if large.shape[0] > 0:
            first = large[0, 1] + large[-1, 0]
        return scatter, first, loss


def some_indices():
    fitting = torch.randperm(4)[:2] if torch.rand(()) < 0.5 else torch.randint(-6, 60, (2,))
    return rows(2, 4), fitting


class Routed(nn.Module):
    """A mixture of experts as written for training; an input of zeros is a tie between all experts."""

    def __init__(self):
        super().__init__()
        self.gate = nn.Linear(4, 3, bias=False)
        self.experts = nn.ModuleList(nn.Linear(4, 4) for _ in range(3))

    def forward(self, x):
        weights, picked = torch.topk(self.gate(x).softmax(-1), 2)
        mask = nn.functional.one_hot(picked, 3).permute(2, 1, 0)
        y = torch.zeros_like(x)
        for k in range(3):
            place, row = torch.where(mask[k])
            if row.shape[0] == 0:
                continue
            y.index_add_(0, row, self.experts[k](x[row]) * weights[row, place, None])
        return y


class Counts(nn.Module):
    """Numbers for which torch accepts no tensors: the model is computed for each value."""

    def forward(self, x):
        scale, places = (2.0, 1) if x.mean() > 0 else (0.5, 2)
        width = 2 if x.max() > 1 else 1
        padded = nn.functional.pad(x, (width, 3 - width))
        return torch.roll(padded * scale, places)


STYLES = {
    "counts": (Counts, lambda: (rows(2, 4),)),
    "dead-arguments": (DeadArguments, some_indices),
    "routed": (Routed, lambda: (rows(3, 4),)),
    "noted": (Noted, lambda: (rows(2, 3),)),
    "aliases": (Aliases, lambda: (rows(2, 3),)),
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
