"""Models with loops whose trip count depends on data, as their authors would write them."""

import torch
from torch import nn


class Newton(nn.Module):
    """Square roots by Newton's iteration, until all are accurate."""

    def forward(self, x):
        y = x.clamp(min=1.0)
        while ((y * y - x).abs() / x).max() > 1e-5:
            y = (y + x / y) / 2
        return y


class Root(nn.Module):
    """A negative number has no root, and the loop does not end."""

    def forward(self, a):
        x = torch.ones_like(a)
        while (x * x - a).abs().max() > 1e-4:
            x = 0.5 * (x + a / x)
        return x


class Collatz(nn.Module):
    """The steps from a number to 1: halved if even, 3n + 1 if odd."""

    def forward(self, n):
        steps = 0
        while n > 1:
            if n % 2 == 0:
                n = n // 2
            else:
                n = 3 * n + 1
            steps += 1
        return torch.as_tensor(steps), n


class Greedy(nn.Module):
    """Greedy decoding into a buffer of fixed size, until the end token or the buffer's end."""

    def __init__(self, words=12, width=8, longest=10):
        super().__init__()
        self.embedding = nn.Embedding(words, width)
        self.cell = nn.GRUCell(width, width)
        self.head = nn.Linear(width, words)
        self.longest = longest

    def forward(self, state, token):
        tokens = torch.zeros(self.longest, dtype=torch.int64)
        count = torch.tensor(0)
        while count < self.longest and token[0] != 0:
            state = self.cell(self.embedding(token), state)
            token = self.head(state).argmax(-1)
            tokens = torch.where(torch.arange(self.longest) == count, token, tokens)
            count = count + 1
        return tokens, count


class Settles(nn.Module):
    """A while inside an if; its condition would never become false on the other side."""

    def forward(self, x):
        y = x.sum()
        if y > 0:
            while y < 100:
                y = y * 2
        else:
            y = y - 1
        return x * 0 + y


class Kinds(nn.Module):
    """States of several element types, one of them unchanged by the loop."""

    def forward(self, x, n):
        seen = x > 0
        count = torch.zeros(3, dtype=torch.int32)
        total = torch.zeros_like(x)
        scale = x.abs().mean() + 0.5
        for i in range(int(n)):
            total = total + x * scale
            seen = seen | (total > i)
            count = count + seen.to(torch.int32)
            x = x.roll(1)
        return total, seen, count, i if n > 100 else count.sum()


class Inside(nn.Module):
    """A nested loop; the inner one's length changes with the outer one's step."""

    def forward(self, x, n):
        total = torch.zeros_like(x)
        for i in range(int(n)):
            inner = x
            j = 0
            while inner.abs().max() > 0.5 and j <= i:
                inner = inner * 0.7
                j += 1
            total = total + inner
        return total


class Filters(nn.Module):
    """Convolutions, whose layout a backend assigns, inside a loop."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)

    def forward(self, x):
        x = self.conv(x)
        while x.abs().mean() > 0.05:
            x = torch.relu(self.norm(self.conv(x))) * 0.5
        return nn.functional.max_pool2d(x, 2)


class Ranges(nn.Module):
    """`range` with tensors as bounds and step."""

    def forward(self, x, start, stop):
        for i in range(int(start), int(stop), 2):
            x = x + i
        return x


class Endless(nn.Module):
    """`while True` with two exits, one of which depends on a number that becomes a tensor only in the loop."""

    def forward(self, x):
        n = 0
        while True:
            x = x * 1.3
            n += 1
            if x.norm() > 5:
                break
            if n >= 20:
                return -x
        return x + n


class Structured(nn.Module):
    """States in a dictionary, and a variable that is first bound in the loop."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x, n):
        state = {"h": x, "sums": [torch.zeros_like(x)]}
        for i in range(int(n) + 1):
            h = torch.tanh(self.layer(state["h"]))
            state = {"h": h, "sums": [state["sums"][0] + h * i]}
            last = h.sum()
        return state["sums"][0], last


class Buffer(nn.Module):
    """Written and read at positions counted by the loop."""

    def forward(self, x, n):
        rows = torch.zeros(6, 4)
        rows[0] = x
        i = 1
        while i <= n:
            rows[i, 1:] = rows[i - 1, 1:] * 0.5 + 10 // i
            i += 1
        return rows


class Bounded(nn.Module):
    """Branches in a loop with a large constant bound."""

    def forward(self, x):
        k = 0
        while x.abs().sum() > 1 and k < 50:
            if x.sum() > 0:
                x = x - 0.3 * x.abs()
            elif x[0, 0] < 0:
                x = x * 0.5
            else:
                x = -x * 0.9
            k += 1
        return x, torch.as_tensor(k)


def whole(low, high):
    return torch.randint(low, high, ())


MODELS = {
    "newton": (Newton, lambda: (torch.rand(5) * 100 + 0.5,)),
    "root": (Root, lambda: (torch.rand(3) + 0.5,)),
    "collatz": (Collatz, lambda: (whole(1, 30),)),
    "greedy": (Greedy, lambda: (torch.randn(1, 8) * 3, torch.randint(0, 12, (1,)))),
    "settles": (Settles, lambda: (torch.randn(3),)),
    "kinds": (Kinds, lambda: (torch.randn(3), whole(0, 6))),
    "inside": (Inside, lambda: (torch.randn(2, 3) * 2, whole(0, 5))),
    "filters": (Filters, lambda: (torch.randn(1, 4, 6, 6),)),
    "bounded": (Bounded, lambda: (torch.randn(2, 3),)),
    "endless": (Endless, lambda: (torch.randn(2, 3),)),
    "structured": (Structured, lambda: (torch.randn(2, 4), whole(0, 5))),
    "buffer": (Buffer, lambda: (torch.randn(4), whole(0, 6))),
    "ranges": (Ranges, lambda: (torch.randn(2, 3), whole(-3, 3), whole(-3, 9))),
}
