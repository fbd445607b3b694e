"""Models with decisions on their data, each using another construct of Python."""

import torch
from torch import nn


class Sides(nn.Module):
    """Two layers, one of which is selected by the sum of the input."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x):
        if x.sum() > 0:
            return self.a(x)
        return self.b(x)


class Nested(Sides):
    def forward(self, x):
        if x.sum() > 0:
            y = self.a(x)
            if y.max() > 1:
                y = y / y.max()
            elif y.min() < -1:
                return -y
        else:
            y = super().forward(x)
        z = y * 2
        return z + 1


class EarlyExits(nn.Module):
    def forward(self, x):
        if x.abs().max() > 3:
            return x.clamp(-3, 3)
        x = x * 2
        if x.mean() > 0:
            return x - x.mean()
        for scale in (1.0, 2.0, 4.0):
            x = x * scale
            if x.norm() > 4:
                return x / x.norm()
        return x


class Expressions(nn.Module):
    def forward(self, x):
        y = x if x[0, 0] > 0 else -x
        flag = x.sum() > 0 and not (x[0, 1] < 0 or x[0, 2] > 1)
        z = y * 2 if flag else y + 1
        largest = max(x.max(), -x.min(), torch.tensor(1.0))
        inside = 0 < x[0, 3] < 1
        return z / largest, y * 3 if inside else z


class Numbers(nn.Module):
    """Python numbers that depend on the data."""

    def forward(self, x):
        count = 0
        offset = 0.5
        other = count
        if x.mean() > 0:
            count += 1
            offset = 2
        if x[0, 0].item() > 0:
            count += 2
        if bool(x[0, 1] > 0) and int(x[0, 2] * 3) > 0:
            count -= 1
        return x + offset + count, x * other


class InPlace(nn.Module):
    def forward(self, x):
        y = x.clone()
        alias = y
        rows = [y]
        if x.sum() > 0:
            y[0] = 1.0
            rows.append(y * 2)
        else:
            y.mul_(3)
            rows.append(y - 1)
        return alias, rows[1]


class Attributes(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = 1.0

    def forward(self, x):
        self.scale = 1.0
        if x.sum() > 0:
            self.scale = 2.0
            self.__shift = 1
        else:
            self.__shift = -1
        return {"y": x * self.scale, "z": x + self.__shift}


class Loops(nn.Module):
    def __init__(self):
        super().__init__()
        self.step = nn.Linear(4, 4)

    def forward(self, x, n):
        total = torch.zeros_like(x)
        for i in range(int(n)):
            x = torch.tanh(self.step(x))
            if x.mean() > 0.2:
                continue
            total = total + x * i
        rounds = 0
        while total.norm() > 0.1:
            total = total * 0.5
            rounds += 1
        return total, torch.as_tensor(rounds)


class Breaks(nn.Module):
    def forward(self, x):
        for i in range(5):  # noqa: B007 - read after the loop
            x = x * 1.5
            if x.norm() > 6:
                break
        k = 0
        while x.norm() > 2 and k < 4:
            x = x / 2
            k = k + 1
        last = i * 1.0
        return x, x + last


class DeadIndex(nn.Module):
    """Each side would fail, divide by zero or index out of bounds if the other one is taken."""

    def __init__(self):
        super().__init__()
        self.table = nn.Parameter(torch.randn(5, 4))
        self.embedding = nn.Embedding(3, 4)

    def forward(self, i, n, x):
        y = self.table[i] if i.max() < 5 else x
        if n != 0:
            z = x / n + (i // n).unsqueeze(-1)
        else:
            z = torch.log(x.abs())
        if i.max() < 3:
            return y, z, self.embedding(i)
        return y, z, torch.gather(x, 1, (i.unsqueeze(-1) - 3).clamp(0, 3).expand(-1, 4))


def normalized(x, limit):
    """A function that decides for its caller, with an assertion on data."""
    assert x.abs().max() < 1e6
    if x.norm() > limit:
        return x / x.norm() * limit
    return x


class Calls(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Sequential(Sides(), nn.ReLU(), Sides())
        self.limit = 2.0

    def forward(self, x):
        def softened(y):
            return y * 0.5 if y.mean() > self.limit / 10 else y

        return softened(normalized(self.inner(x), self.limit))


class Otherwise(nn.Module):
    """`else` of a loop, a number divided by data, and an explicit call of `bool`."""

    def forward(self, x, n):
        for _ in range(4):
            x = x * 1.4
            if x.max() > 3:
                break
        else:
            x = -x
        if n != 0:
            x = x + 10 // n + 7 % n
        return x + 1 if torch.is_nonzero((x > 1).sum()) else x


class Depth(nn.Module):
    """More layers, indexed by number, than are unrolled at once, so that no loop of the graph can run them."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(18))

    def forward(self, x):
        for i in range(18):
            x = x + 0.3 * torch.tanh(self.layers[i](x))
            if x.norm() > 3:
                break
        return x


def rows(*shape):
    return torch.randn(*shape)


class Checks(nn.Module):
    """Checks that raise with the data in their messages; one is caught where it is raised."""

    def __init__(self):
        super().__init__()
        self.a = nn.Linear(4, 4)

    def forward(self, x):
        if torch.isnan(x).any():
            raise ValueError(f"not a number: {x.sum():.3f}")
        assert x.abs().max() < 1000, "too large"
        y = self.a(x)
        if y.sum() > 0:
            return y * 2
        elif y.sum() < -1e6:
            raise RuntimeError("too small")
        try:
            if x.size(0) > 1:
                raise KeyError("more than one row")
        except KeyError:
            y = y + 1
        if torch.equal(x[0], x[-1]) or torch.allclose(x, x.abs()):
            y = y * 3
        return y - 1


class Matching(nn.Module):
    """`match` on numbers computed from the data."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(3))

    def forward(self, x):
        match int(x.mean(0).argmax()):
            case 0:
                y = self.layers[0](x)
            case 1 | 2 if x[0, 0] > 0:
                y = self.layers[1](x)
            case 3:
                return x
            case other:
                y = self.layers[2](x) * other
        return y + 1


class Quantified(nn.Module):
    """`any`, `all`, `in` and sums over values selected by the data."""

    def forward(self, x, k):
        if any(row.sum() > 1 for row in x) and all(row.sum() > -3 for row in x if row[0] > 0):
            x = x + 1
        count = sum(1 for row in x if row.sum() > 0)
        total = sum(row * 2 for row in x if row[1] > 0 if row[2] < 1)
        if k in (1, 2):
            x = x * 2
        elif k not in [0, 3, x.size(1)]:
            x = x - k
        return x * count + total


class Chosen(nn.Module):
    """Layers, weights and tensors selected by the data from lists and dictionaries."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(3))
        self.scales = nn.ParameterList(torch.randn(4) for _ in range(4))
        self.gate = nn.Linear(4, 3)

    def forward(self, x):
        rows = [self.layers[self.gate(row).argmax().item()](row) for row in x]
        outs = []
        for row in x:
            k = self.gate(row).argmax()
            layer = self.layers[k]
            outs.append(layer(row) * {0: 1.0, 1: 2.0, 2: -1.0}[int(k)])
        act = torch.relu if x.sum() > 0 else torch.tanh
        if x[0, 0] > x[0, 1]:
            head = self.layers[0]
        else:
            head = lambda t: t.abs()  # noqa: E731
        x = head(act(x))
        i = int(x.mean(0).argmax())
        return torch.stack(outs) + self.scales[i - 1], [x, x * 2, x * 3, -x][i] + torch.stack(rows)


class Forked(nn.Module):
    """Sides without a common value: tensors of different shapes, and None; the results computed from them are alike."""

    def __init__(self):
        super().__init__()
        self.wide, self.narrow = nn.Linear(4, 6), nn.Linear(4, 2)

    def mask(self, x):
        found = x > 0.3
        if not found.any(dim=-1).all():
            found = None
        return found

    def forward(self, x):
        h = self.wide(x) if x.sum() > 0 else self.narrow(x)
        mask = self.mask(x)
        if mask is not None:
            x = x.clone()
            x[:, 0] += 1
            x = x.masked_fill(mask, 0.0)
        return h.mean(-1) + x.sum(-1)


class Experts(nn.Module):
    """Each row goes to its two best layers, which run only if any row selects them."""

    def __init__(self):
        super().__init__()
        self.gate = nn.Linear(4, 3)
        self.layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(3))

    def forward(self, x):
        weights, best = self.gate(x).softmax(-1).topk(2)
        y = torch.zeros_like(x)
        for k, layer in enumerate(self.layers):
            row, place = torch.where(best == k)
            if row.numel() > 0:
                y.index_add_(0, row, layer(x[row]) * weights[row, place, None])
        for k, layer in enumerate(self.layers):
            row, place = torch.where(best == k)
            if not row.shape[0] > 1:
                continue
            y = y.index_add(0, row, torch.tanh(layer(x[row])) * weights[row, place, None])
        return y


MODELS = {
    "experts": (Experts, lambda: (rows(2, 4) * 2,)),
    "forked": (Forked, lambda: (rows(2, 4),)),
    "sides": (Sides, lambda: (rows(2, 4),)),
    "nested": (Nested, lambda: (rows(2, 4) * 2,)),
    "early-exits": (EarlyExits, lambda: (rows(2, 4) * 1.2,)),
    "expressions": (Expressions, lambda: (rows(2, 4),)),
    "numbers": (Numbers, lambda: (rows(2, 4),)),
    "in-place": (InPlace, lambda: (rows(2, 4),)),
    "attributes": (Attributes, lambda: (rows(2, 4),)),
    "loops": (Loops, lambda: (rows(2, 4) * 3, torch.randint(0, 5, ()))),
    "breaks": (Breaks, lambda: (rows(2, 4),)),
    "dead-index": (DeadIndex, lambda: (torch.randint(0, 8, (3,)), torch.randint(-1, 2, ()), rows(3, 4))),
    "depth": (Depth, lambda: (rows(2, 4) * 0.8,)),
    "otherwise": (Otherwise, lambda: (rows(2, 4), torch.randint(-3, 4, ()))),
    "calls": (Calls, lambda: (rows(2, 4) * 2,)),
    "checks": (Checks, lambda: (rows(2, 4),)),
    "matching": (Matching, lambda: (rows(2, 4),)),
    "quantified": (Quantified, lambda: (rows(2, 4), torch.randint(-1, 6, ()))),
    "chosen": (Chosen, lambda: (rows(2, 4),)),
}
