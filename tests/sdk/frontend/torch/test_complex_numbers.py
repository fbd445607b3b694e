"""Complex numbers inside a model: exported as real and imaginary parts, with any operators."""

from __future__ import annotations

import math

import onnx_ir as ir
import onnxruntime
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from edgec.frontend.torch.decompositions.splice import decompose
from edgec.frontend.torch.decompositions.table import COMPLEX_DECOMPOSITIONS
from edgec.frontend.torch.export import to_onnx


def rand(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


class Called(nn.Module):
    def __init__(self, function):
        super().__init__()
        self._function = function
        self.register_buffer("w", torch.view_as_complex(rand(4, 3, 2, seed=1)))

    def forward(self, x, i):
        found = self._function(torch.view_as_complex(x), self.w, i)
        found = found if isinstance(found, tuple) else (found,)
        return tuple(torch.view_as_real(t.resolve_conj()) if t.is_complex() else t for t in found)


class Diagonal(nn.Module):
    """A state-space layer as in S4D: its kernel by powers, applied by Fourier transforms."""

    def __init__(self) -> None:
        super().__init__()
        self.c = nn.Parameter(rand(4, 6, 2))
        self.step = nn.Parameter(rand(4, seed=1) - 3)
        self.decay, self.turn = nn.Parameter(rand(4, 6, seed=2)), nn.Parameter(math.pi * torch.arange(6).repeat(4, 1))

    def forward(self, u):
        length = u.shape[-1]
        a = -torch.exp(self.decay) + 1j * self.turn
        scaled = a * torch.exp(self.step).unsqueeze(-1)
        c = torch.view_as_complex(self.c) * (torch.exp(scaled) - 1.0) / a
        kernel = 2 * torch.einsum("hn,hnl->hl", c, torch.exp(scaled.unsqueeze(-1) * torch.arange(length))).real
        spectrum = torch.fft.rfft(u, n=2 * length) * torch.fft.rfft(kernel, n=2 * length)
        return torch.fft.irfft(spectrum, n=2 * length)[..., :length]


class Recurrent(nn.Module):
    """A linear recurrent unit: a complex diagonal state, step by step."""

    def __init__(self) -> None:
        super().__init__()
        self.size, self.turn = nn.Parameter(rand(5)), nn.Parameter(rand(5, seed=1))
        self.b, self.c = nn.Parameter(rand(5, 3, 2)), nn.Parameter(rand(3, 5, 2))

    def forward(self, u):
        keep = torch.exp(torch.complex(-torch.exp(self.size), torch.exp(self.turn)))
        driven = u.to(torch.complex64) @ torch.view_as_complex(self.b).T
        state, states = torch.zeros(2, 5, dtype=torch.complex64), []
        for t in range(u.shape[1]):
            state = keep * state + driven[:, t]
            states.append(state)
        return (torch.stack(states, 1) @ torch.view_as_complex(self.c).T).real


def _written(z, w, i):
    y = torch.zeros(3, 4, dtype=torch.complex64)
    y[:, 1] = z[:, 0]
    y[0] = 2
    y += z
    y[1, 1:3] *= 1j
    return y


CASES = {
    "with numbers": lambda z, w, i: (z * 2, z * (1 + 2j), z + 1, 1j - z, z / (2 - 1j), z - 2j),
    "with real tensors of fewer dimensions": lambda z, w, i: (z * z[0].real, z + z[:, :1].real, z.real / (z + 3)),
    "with a dimension more": lambda z, w, i: (z * w.T.unsqueeze(1), w + z[0].unsqueeze(1)),
    "functions": lambda z, w, i: (z.exp(), (z + 3).log(), z.sqrt(), z.sin(), z.cos(), z.tanh(), z.sgn(), 1 / z),
    "powers": lambda z, w, i: (z**3, z**0.5, z.abs(), z.angle(), z.abs().square().sum()),
    "einsum": lambda z, w, i: (
        torch.einsum("ab->ba", z),
        torch.einsum("ab,bc,cd->ad", z, w, w.mH),
        torch.einsum("ab,bc,cd,de->ae", z, w, w.mH, z.mH),
        torch.einsum("ab,b,bc->ac", z, w.real.sum(1).to(torch.complex64), w),
    ),
    "products": lambda z, w, i: (z @ w, torch.einsum("ab,bc->ac", z, w), torch.outer(z[0], z[1].conj()), z.mH),
    "picked": lambda z, w, i: (w[i], z.index_select(1, i), z.unbind(0)[1], z.chunk(2, 1)[1], z[:, 1:3], z.T),
    "moved": lambda z, w, i: (
        z.flip(0),
        z.roll(1, 1),
        z.reshape(2, 6),
        z.unsqueeze(1).expand(3, 2, 4),
        F.pad(z, (1, 1)),
    ),
    "joined": lambda z, w, i: (torch.cat([z, z.real.to(z.dtype)], 1), torch.stack([z, -z]), z.repeat(2, 1)),
    "chosen": lambda z, w, i: (torch.where(z.real > 0, z, z * 0), z.masked_fill(z.imag > 0, 1), z == z, torch.isnan(z)),
    "reduced": lambda z, w, i: (z.sum(-1), z.mean(0), z.cumsum(1)),
    "made": lambda z, w, i: (
        torch.zeros_like(z) + z,
        torch.full((2, 2), 1 + 1j),
        z.new_zeros(2, 2),
        torch.ones_like(z),
    ),
    "by parts": lambda z, w, i: (torch.polar(z.real.abs(), z.imag), torch.complex(z.imag, z.real), z.conj()),
    "transformed": lambda z, w, i: (torch.fft.fft(z), torch.fft.ifft(z).real, torch.fft.irfft(z, n=6)),
    "written into": _written,
}


def check(module: nn.Module, *inputs: torch.Tensor) -> None:
    module.eval()
    with torch.no_grad():
        program = torch.export.export(module, inputs, strict=False)
        expected = module(*inputs)
    decompose(program)
    session = onnxruntime.InferenceSession(ir.to_proto(to_onnx(program)).SerializeToString())
    given = dict(zip([i.name for i in session.get_inputs()], (t.numpy() for t in inputs), strict=False))
    found = session.run(None, given)
    for a, b in zip(expected if isinstance(expected, tuple) else (expected,), found, strict=True):
        torch.testing.assert_close(torch.from_numpy(b), a, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("case", CASES)
def test_operators(case: str) -> None:
    check(Called(CASES[case]), rand(3, 4, 2), torch.tensor([3, 0]))


def test_state_spaces() -> None:
    check(Diagonal(), rand(2, 4, 16))
    check(Recurrent(), rand(2, 6, 3))


def test_every_form_is_an_operators() -> None:
    for name in COMPLEX_DECOMPOSITIONS:
        assert hasattr(torch.ops.aten, name.removeprefix("aten.")), name


def test_the_angle_of_a_real_number() -> None:
    """π for a negative number; the exporter's own atan2 gives −π."""
    check(
        Called(lambda z, w, i: torch.complex(z.real, torch.zeros_like(z.real)).angle()),
        rand(3, 4, 2),
        torch.tensor([0]),
    )


def test_a_part_is_taken_without_the_other() -> None:
    module = Called(lambda z, w, i: (z.real + 1, z.imag.sin()))
    program = torch.export.export(module, (rand(3, 4, 2), torch.tensor([0])), strict=False)
    assert "Concat" not in {node.op_type for node in to_onnx(program).graph}
