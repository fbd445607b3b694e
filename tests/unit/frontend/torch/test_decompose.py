"""Each decomposition computes the same as its operator, and other operators are left alone."""

import copy
import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from edgec.diag import EdgecError
from edgec.frontend.torch.decompositions.splice import decompose
from edgec.frontend.torch.overrides.stable_sort import StableSorts
from edgec.frontend.torch.state.uninitialized_memory import check_initialized
from edgec.frontend.torch.weight_folding import fold_weights


class Called(nn.Module):
    def __init__(self, function):
        super().__init__()
        self._function = function

    def forward(self, *tensors):
        return self._function(*tensors)


def exported(function, *tensors):
    module = function if isinstance(function, nn.Module) else Called(function)
    with torch.no_grad():
        return torch.export.export(module.eval(), tensors, strict=False)


def operators(program):
    return {str(n.target) for n in program.graph.nodes if n.op == "call_function"}


def check(function, *tensors, gone=None, tolerance=1e-5):
    """Asserts that the program computes the same without the operator `gone`."""
    program = exported(function, *tensors)
    before = [str(n) for n in program.graph.nodes]
    decompose(program)
    assert [str(n) for n in program.graph.nodes] != before
    assert gone not in operators(program)
    with torch.no_grad():
        expected = function(*(t.clone() for t in tensors))
        found = program.module()(*tensors)
    for a, b in zip(*(r if isinstance(r, tuple) else (r,) for r in (expected, found)), strict=True):
        assert a.dtype == b.dtype
        torch.testing.assert_close(b, a, rtol=tolerance, atol=tolerance, equal_nan=True)


def rand(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


X = rand(3, 5)
TIES = torch.tensor([[1.0, 3.0, 3.0, 2.0, 3.0], [2.0, 2.0, math.nan, 5.0, 1.0]])
IMAGE = rand(2, 3, 7, 9)
VOLUME = rand(1, 2, 4, 5, 6)
ODD = torch.tensor([0.5, -0.0, 0.0, math.inf, -math.inf, math.nan, -3.25])
MATRICES = rand(2, 4, 4, seed=3)

CASES = {
    "var of nothing": (lambda x: x[:0].var(0), X),
    "std of one": (lambda x: x[:, :1].std(1), X),
    "var_mean of one": (lambda x: torch.var_mean(x[:, :1], 1), X),
    "var with a large correction": (lambda x: torch.var(x, 1, correction=9), X),
    "batch norm in training": (lambda x: F.batch_norm(x, None, None, training=True), X),
    "native batch norm": (lambda x: torch.native_batch_norm(x, None, None, None, None, True, 0.1, 1e-5), IMAGE),
    "log sigmoid of large numbers": (lambda x: F.logsigmoid(x * 40), X),
    "cross entropy with logits": (
        lambda x, t, p: F.binary_cross_entropy_with_logits(x * 30, t, pos_weight=p), X, X.abs(), X[0].abs()
    ),
    "soft margin loss": (lambda x: F.soft_margin_loss(x * 10, x.sign(), reduction="none"), X),
    "logcumsumexp": (lambda x: torch.logcumsumexp(x * 60, 1), X),
    "logcumsumexp of infinities": (lambda x: torch.logcumsumexp(x, 0), torch.tensor([-math.inf, -math.inf, 1.0, 2.0])),
    "logaddexp": (torch.logaddexp, ODD[:5], ODD[:5].flip(0)),
    "clamp between an integer and a float": (lambda x: x.clamp(-1, 0.5), X),
    "clamp of integers": (lambda x: (x * 3).int().clamp(-1.5, 2), X),
    "log_ndtr": (torch.special.log_ndtr, torch.linspace(-30, 6, 37)),
    "cumprod": (lambda x: x.cumprod(1), X),
    "cummax": (lambda x: torch.cummax(x, 1), TIES),
    "cummin": (lambda x: torch.cummin(x, 1), TIES),
    "kthvalue": (lambda x: torch.kthvalue(x, 2, 1, True), X),
    "median": (torch.median, X),
    "median with a NaN": (lambda x: torch.median(x, 1).values, TIES),
    "nanmedian": (lambda x: torch.nanmedian(x, 1, keepdim=True), TIES),
    "stable sort": (lambda x: torch.sort(x, stable=True, dim=1, descending=True), TIES[:1]),
    "searchsorted": (lambda e, x: torch.searchsorted(e, x), X[0].sort().values, X),
    "searchsorted from the right, by rows": (lambda e, x: torch.searchsorted(e, x, right=True), TIES[:1], TIES[:1]),
    "searchsorted of what is not sorted": (torch.searchsorted, X, X),
    "bucketize": (lambda x, e: torch.bucketize(x, e, right=True), X, torch.tensor([-1.0, 0.0, 0.5])),
    "scatter_reduce mean": (
        lambda x, i: x.scatter_reduce(0, i, x[:2] * 2, "mean", include_self=False), X, torch.tensor([[0] * 5, [0] * 5])
    ),
    "scatter add by its older name": (
        lambda x, i: torch.scatter(x, 0, i, 2.5, reduce="add"), X, torch.tensor([[0, 0, 1, 2, 1]])
    ),
    "index_reduce": (lambda x, i: x.index_reduce(0, i, x[:2], "amax"), X, torch.tensor([2, 2])),
    "number minus integers": (lambda x: 1.0 - x, torch.arange(4)),
    "mixed types by an older name": (torch.multiply, X[0], torch.arange(5)),
    "copysign": (torch.copysign, ODD.abs(), ODD),
    "fmax": (torch.fmax, ODD, ODD.flip(0)),
    "fmin": (torch.fmin, ODD, ODD.flip(0)),
    "hypot": (torch.hypot, ODD[:5] * 1e30, ODD[:5] * 2e30),
    "erfinv": (torch.erfinv, torch.tensor([-1.0, -0.999, -0.3, 0.0, 0.5, 0.99999, 1.0])),
    "lgamma": (torch.lgamma, torch.tensor([-2.5, -1.0, 0.1, 0.5, 1.0, 3.7, 40.0])),
    "digamma": (torch.digamma, torch.tensor([-2.5, 0.1, 0.5, 1.0, 3.7, 40.0])),
    "amax over everything": (lambda x: torch.amax(x, ()), X),
    "aminmax": (torch.aminmax, X),
    "addmm of nothing": (lambda x: torch.addmm(x, x[:, :0], x[:0], beta=0.5), X[:, :3].clone()),
    "average pool with a divisor": (lambda x: F.avg_pool2d(x, 3, 2, 1, ceil_mode=True, divisor_override=2), IMAGE),
    "adaptive average in three dimensions": (lambda x: F.adaptive_avg_pool3d(x, (3, 2, 5)), VOLUME),
    "adaptive maximum": (lambda x: F.adaptive_max_pool2d(x, (3, 4)), IMAGE),
    "adaptive maximum of even windows": (lambda x: F.adaptive_max_pool2d(x, (7, 3)), IMAGE),
    "a volume without bias": (
        lambda x, w: F.conv3d(x, w, stride=(1, 2, 2), padding=1, groups=2), VOLUME, rand(4, 1, 3, 3, 3)
    ),
    "cdist": (lambda x: torch.cdist(x, x[:2], p=1.0), X),
    "pdist": (F.pdist, X),
    "norm of everything": (lambda x: torch.linalg.norm(x, keepdim=True), IMAGE),
    "inverse": (torch.linalg.inv, MATRICES),
    "determinant": (torch.linalg.det, MATRICES),
    "slogdet": (lambda x: tuple(torch.linalg.slogdet(x)), MATRICES),
    "solve": (lambda a, b: torch.linalg.solve(a, b), MATRICES, rand(2, 4, 3)),
    "solve for a vector": (lambda a, b: torch.linalg.solve(a, b), MATRICES, rand(2, 4)),
    "cholesky": (lambda x: torch.linalg.cholesky(x @ x.mT + torch.eye(4)), MATRICES),
    "cholesky of the upper triangle": (
        lambda x: torch.linalg.cholesky_ex(torch.triu(x @ x.mT + torch.eye(4)), upper=True)[0], MATRICES
    ),
    "solve by triangles": (
        lambda x, b: torch.linalg.solve_triangular(x + 3 * torch.eye(4), b, upper=False, unitriangular=True),
        MATRICES, rand(2, 4, 3)
    ),
    "solve from the right by triangles": (
        lambda x, b: torch.linalg.solve_triangular(x + 3 * torch.eye(4), b, upper=True, left=False),
        MATRICES, rand(2, 3, 4)
    ),
    "solve by a factor": (
        lambda x, b: torch.cholesky_solve(b, x + 3 * torch.eye(4)), MATRICES, rand(2, 4, 3)
    ),
    "a rectifier of a random slope": (lambda x: F.rrelu(x, 0.1, 0.5), X),
    "whether all are true": (lambda x: torch.ops.aten._is_all_true(x < 9), X),
    "shift left": (lambda x, n: x << n, torch.arange(-9, 9), torch.arange(18) * 4),
    "shift right": (lambda x, n: torch.bitwise_right_shift(x, n), torch.arange(-9, 9) * 7**12, torch.arange(18) * 4),
    "shift bytes": (lambda x: (x << 3, x >> 2, x << 9), torch.arange(256).to(torch.uint8)),
    "shift small integers": (
        lambda x, n: (x >> n, x << n), torch.arange(-64, 64).to(torch.int8), torch.arange(128) % 9
    ),
    "cross entropy with smoothing": (
        lambda x, w: F.cross_entropy(x, torch.tensor([1, 4, -100]), w, label_smoothing=0.2), X, X[0].abs()
    ),
    "smoothed sum over positions": (
        lambda x: F.cross_entropy(x, torch.arange(7).expand(2, 7) % 3, reduction="sum", label_smoothing=0.1),
        IMAGE[..., 0]
    ),
    "angles at the axes": (
        torch.atan2,
        torch.tensor([0.0, 0.0, 1.0, -1.0, 0.0, 2.0, -2.0, -3.0, math.inf, math.nan]),
        torch.tensor([-1.0, 1.0, 0.0, 0.0, 0.0, -1.0, -1.0, 4.0, -math.inf, 1.0]),
    ),
    "fake quantization to four bits": (lambda x: torch.fake_quantize_per_tensor_affine(x, 0.1, 3, -8, 7), X),
    "fake quantization by channel": (
        lambda x, s: torch.fake_quantize_per_channel_affine(x, s, torch.tensor([0, 1, 2], dtype=torch.int32), 0, -8, 7),
        X, torch.tensor([0.1, 0.2, 0.3])
    ),
    "index_reduce in place": (lambda x, i: x.clone().index_reduce_(0, i, x[:2], "amax"), X, torch.tensor([2, 2])),
    "attention of three dimensions": (lambda x: F.scaled_dot_product_attention(x, x, x), rand(2, 4, 8)),
    "bilinear, corners aligned": (
        lambda x: torch.ops.aten._upsample_bilinear2d_aa(x, [4, 5], True, None, None), IMAGE
    ),
    "bicubic by a factor": (lambda x: torch.ops.aten._upsample_bicubic2d_aa(x, [3, 12], False, 0.4, 1.3), IMAGE),
    "a volume sampled": (lambda x, g: F.grid_sample(x, g, align_corners=False), VOLUME, rand(1, 2, 3, 4, 3)),
    "a volume sampled, reflected": (
        lambda x, g: F.grid_sample(x, g, padding_mode="reflection", align_corners=True), VOLUME, rand(1, 2, 3, 4, 3)
    ),
    "a volume sampled, nearest": (
        lambda x, g: F.grid_sample(x, g, mode="nearest", padding_mode="border", align_corners=False),
        VOLUME,
        rand(1, 2, 3, 4, 3),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_it_computes_the_same(case):
    function, *tensors = CASES[case]
    check(function, *tensors, tolerance=5e-5 if "volume" in case else 1e-5)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_an_lstm_with_a_projection(bidirectional):
    torch.manual_seed(0)
    layer = nn.LSTM(4, 6, 2, proj_size=3, bidirectional=bidirectional, batch_first=True)
    check(lambda x: layer(x)[0], rand(2, 5, 4), gone="aten.lstm.input")


@pytest.mark.parametrize("rows", [2, 9])
def test_experts_by_rows(rows):
    """With fewer rows than experts, their weights are gathered; with more, all experts are multiplied."""
    weight, x = rand(4, 5, 3), rand(rows, 5, seed=1)
    ends = torch.tensor([1, 1, 2, rows], dtype=torch.int32)
    from edgec.frontend.torch.decompositions.table import DECOMPOSITIONS

    found = DECOMPOSITIONS["transformers.grouped_mm_fallback.default"].compute(x, weight, ends)
    starts = [0, *ends.tolist()]
    expected = torch.cat([x[a:b] @ w for a, b, w in zip(starts, starts[1:], weight, strict=False)])
    torch.testing.assert_close(found, expected)


LEFT = {
    "var": lambda x: x.var(0),
    "batch norm": lambda x: F.batch_norm(x, x[0], x[0].abs(), training=False),
    "average pool": lambda x: F.avg_pool2d(x[None, None], 2),
    "norm of rows": lambda x: torch.linalg.norm(x, dim=1, keepdim=True),
    "attention": lambda x: F.scaled_dot_product_attention(x[None, None], x[None, None], x[None, None]),
    "resize": lambda x: F.interpolate(x[None, None], size=[2, 3], mode="bilinear", antialias=True),
    "sum of scatters": lambda x: x.scatter_reduce(0, torch.zeros(1, 5, dtype=torch.int64), x[:1], "sum"),
    "difference": lambda x: 1.0 - x,
    "image sampled": lambda x: F.grid_sample(x[None, None], x[:2, :2].reshape(1, 1, 2, 2), align_corners=False),
}


class Orthogonal(nn.Module):
    """A weight computed from another by a factorization."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(rand(12, 12, seed=5))
        self.register_buffer("steps", torch.zeros(1))
        self.register_buffer("drift", rand(12, 12, seed=6))

    def forward(self, x):
        self.drift += 1
        q, r = torch.linalg.qr(self.weight * 2)
        return (
            x @ q,
            torch.linalg.matrix_exp(self.weight * 0.1) @ r.T,
            torch.linalg.norm(self.drift),
            torch.fft.fftfreq(12) * x,
        )


def test_factors_of_weights_alone_are_computed_before():
    module, x = Orthogonal(), rand(2, 12)
    program = exported(module, x)
    fold_weights(program)
    named = operators(program)
    assert "aten.linalg_qr.default" not in named
    assert "aten.linalg_matrix_exp.default" not in named
    assert (
        "aten.linalg_norm.default" in named or "aten.linalg_vector_norm.default" in named
    )  # of what the model changes
    with torch.no_grad():
        expected = copy.deepcopy(module)(x)
        found = program.module()(x)
    for a, b in zip(expected, found, strict=True):
        torch.testing.assert_close(b, a)


@pytest.mark.parametrize("name", LEFT)
def test_what_the_exporter_gets_right_is_left_to_it(name):
    program = exported(LEFT[name], X)
    before = [str(n) for n in program.graph.nodes]
    decompose(program)
    assert [str(n) for n in program.graph.nodes] == before


def test_open_sizes_stay_open():
    program = torch.export.export(
        Called(lambda x: F.logsigmoid(x) + torch.copysign(x, -x)),
        (X,),
        dynamic_shapes={"tensors": ({0: torch.export.Dim("n", min=2, max=9)},)},
        strict=False,
    )
    decompose(program)
    other = rand(7, 5, seed=5)
    torch.testing.assert_close(program.module()(other), F.logsigmoid(other) + torch.copysign(other, -other))


def test_new_nodes_know_their_line():
    program = exported(lambda x: F.logsigmoid(x), X)
    decompose(program)
    assert all(__file__ in n.meta["stack_trace"] for n in program.graph.nodes if n.op == "call_function")


def test_a_large_matrix_is_refused():
    with pytest.raises(EdgecError, match="a matrix of 9 rows") as raised:
        decompose(exported(torch.linalg.inv, rand(9, 9)))
    assert "rejected by `matrix-too-large`" in raised.value.diagnostics[0].notes


def test_a_result_that_is_not_computed_is_refused():
    with pytest.raises(EdgecError) as raised:
        decompose(exported(lambda x: torch.embedding_bag(x, torch.tensor([0, 2]), torch.tensor([0]))[2], X))
    assert "rejected by `second-result`" in raised.value.diagnostics[0].notes


def test_unwritten_memory_is_refused_where_it_shows():
    def written(x):
        room = torch.empty(3)
        room[:] = x[0, :3]
        return room + x.new_empty(3).fill_(2.0)

    def shown(x):
        return x + x.new_empty(5)

    check_initialized(exported(written, X), lambda: [written(X)])
    with pytest.raises(EdgecError) as raised:
        check_initialized(exported(shown, X), lambda: [shown(X)])
    (told,) = raised.value.diagnostics
    assert "rejected by `unwritten-memory`" in told.notes
    assert told.place.line == Called.forward.__code__.co_firstlineno + 1


def test_sorts_keep_the_order_of_equals():
    x = torch.zeros(5000)
    order = torch.arange(5000)
    with StableSorts():
        assert torch.equal(torch.sort(x).indices, order)
        assert torch.equal(x.argsort(0, True), order)
        assert torch.equal(torch.argsort(x, dim=-1, descending=True), order)


@pytest.mark.parametrize("lead", [(2,), ()])
def test_a_convolution_of_volumes_without_bias(lead):
    conv = nn.Conv3d(4, 6, (3, 2, 3), stride=(1, 2, 1), padding=1, dilation=(1, 1, 2), groups=2, bias=False)
    check(conv, rand(*lead, 4, 5, 6, 7), gone="aten.conv3d.default")


@pytest.mark.parametrize("more", [{}, {"length": 140}, {"center": False}, {"win_length": 24, "normalized": True}])
def test_an_inverse_stft(more):
    window = torch.hamming_window(more.get("win_length", 32))
    spectrum = torch.stft(rand(2, 160), 32, 8, window=window, win_length=len(window), return_complex=True)
    check(lambda z: torch.istft(z, 32, 8, window=window, **more), spectrum, gone="aten.istft.default")
