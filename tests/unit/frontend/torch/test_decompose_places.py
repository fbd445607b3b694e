"""Values written at positions, counted, joined and pooled with indices: as in torch, for degenerate sizes too."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from edgec.diag import EdgecError
from edgec.frontend.torch.decompositions.composite import COMPOSITE
from edgec.frontend.torch.decompositions.splice import decompose
from edgec.frontend.torch.decompositions.table import DECOMPOSITIONS
from edgec.frontend.torch.overrides.covariance import corrcoef, cov
from edgec.frontend.torch.overrides.functions import Overrides
from tests.unit.frontend.torch.test_decompose import Called, check, exported, operators, rand

X = rand(4, 5, 3)
IDS = torch.tensor([0, 2, 2, 3, 0, 1])


def ints(*shape, below=3, seed=0):
    return torch.randint(0, below, shape, generator=torch.Generator().manual_seed(seed))


CASES = {
    "means of integers": (
        lambda x, i: (
            x.scatter_reduce(0, i, -x, "mean"),
            x.index_reduce(0, i[0], x[:2] - 5, "mean", include_self=False),
        ),
        ints(3, 2, below=9), torch.tensor([[0, 0], [2, 0]])
    ),
    "diagonal below": (lambda x, s: torch.diagonal_scatter(x, s, -2, 0, 1), X, rand(3, 2)),
    "diagonal of negative dimensions": (lambda x, s: torch.diagonal_scatter(x, s, 1, -1, -2), X, rand(4, 3)),
    "diagonal of nothing": (lambda x: torch.diagonal_scatter(x, x.new_zeros(4, 0), 9, 1, 2) + 1, X),
    "strided view": (lambda x, s: torch.as_strided_scatter(x, s, (2, 3), (15, 2), 1), X, rand(2, 3)),
    "put, counting from the end": (lambda x, s: x.put(torch.tensor([-1, 4]), s), X, rand(2)),
    "put, accumulated": (lambda x, s: x.put(torch.tensor([[7, 7], [7, -60]]), s, accumulate=True), X, rand(2, 2)),
    "sources of a mask": (lambda x, s: x.masked_scatter(x > 0.3, s), X, rand(70)),
    "sources of a mask of rows": (lambda x, m, s: x.masked_scatter(m, s), X, ints(4, 1, 1, below=2) > 0, rand(4, 15)),
    "sources of a mask in place": (lambda x, s: x.clone().masked_scatter_(x < 9, s), ints(3, 4), ints(12)),
    "take": (lambda x, i: torch.take(x, i), X, torch.tensor([[-1, 0], [59, -60]])),
    "take of a number": (lambda x, i: torch.take(x, i), torch.tensor(2.5), torch.tensor(0)),
    "scatter_add to a number": (lambda x, s: x.scatter_add(0, torch.tensor([0, 0]), s), torch.tensor(2.5), rand(2)),
    "mode": (lambda x: torch.mode(x), ints(4, 9)),
    "mode of one": (lambda x: torch.mode(x[:, :1], 1), ints(4, 9)),
    "mode, dimension kept": (lambda x: torch.mode(x, -2, True), ints(9, 4).float()),
    "mode of a number": (lambda x: torch.mode(x), torch.tensor(3.0)),
    "histogram": (lambda x: tuple(torch.histogram(x, 7)), X),
    "histogram of a range": (lambda x: tuple(torch.histogram(x, 4, range=(-0.5, 1.0), density=True)), X),
    "histogram of edges": (
        lambda x, e: tuple(torch.histogram(x, e, weight=x.abs())), X, torch.tensor([-1.0, 0.0, 0.1, 2.0])
    ),
    "histogram of equals": (lambda x: tuple(torch.histogram(x, 3)), torch.full((5,), 2.0)),
    "membership": (lambda x, y: (torch.isin(x, y), torch.isin(x, y, invert=True)), ints(3, 40, below=99), ints(90)),
    "repeated each": (
        lambda x, n: torch.repeat_interleave(x, n, 1, output_size=6), X, torch.tensor([0, 3, 1, 0, 2])
    ),
    "repeated as often": (
        lambda x, n: torch.repeat_interleave(x, n, output_size=8), rand(2, 2), torch.tensor([2])
    ),
    "bags of a sum": (
        lambda w, i, p: F.embedding_bag(i, w, torch.tensor([0, 2, 2]), mode="sum", per_sample_weights=p),
        rand(4, 3), IDS, rand(6)
    ),
    "bags of a mean": (
        lambda w, i: F.embedding_bag(i, w, torch.tensor([0, 4, 6]), include_last_offset=True), rand(4, 3), IDS
    ),
    "bags of a maximum": (
        lambda w, i: F.embedding_bag(i.reshape(2, 3), w, mode="max", padding_idx=-2), rand(4, 3), IDS
    ),
    "bags, padded": (lambda w, i: F.embedding_bag(i.reshape(3, 2), w, padding_idx=0), rand(4, 3), IDS),
    "stacked": (
        lambda x, y: (torch.hstack((x, y)), torch.vstack((x, y)), torch.dstack((x, y)), torch.column_stack((x, y))),
        rand(3), rand(3, seed=1)
    ),
    "at least": (lambda x: (*torch.atleast_2d(x, x[0]), *torch.atleast_3d(x)), X[0]),
    "nothing joined": (lambda x: torch.cat([x[:0, 0, 0], x[0, :0, 0].long()]), X),
    "powers": (lambda x: torch.linalg.vander(x, N=4), rand(3)),
    "inverse power": (lambda x: torch.linalg.matrix_power(x, -3), rand(2, 3, 3)),
    "inverse of a tensor": (lambda x: torch.linalg.tensorinv(x), rand(2, 3, 6)),
    "solution of tensors": (lambda x, y: torch.linalg.tensorsolve(x, y), rand(2, 3, 6), rand(2, 3)),
    "places of maxima": (lambda x: F.adaptive_max_pool2d(x, (3, 4), return_indices=True), rand(2, 3, 7, 9)),
    "places in a row": (lambda x: F.adaptive_max_pool1d(x, 4, return_indices=True), rand(2, 3, 7)),
    "places in a volume": (lambda x: F.adaptive_max_pool3d(x, (2, 3, 2), return_indices=True), rand(1, 2, 4, 5, 6)),
    "places of one": (lambda x: F.adaptive_max_pool2d(x, 1, return_indices=True), rand(3, 4, 4)),
    "transposed convolution of a sample": (
        lambda x, w: F.conv_transpose2d(x, w, stride=2, padding=1), rand(3, 4, 5), rand(3, 2, 3, 3)
    ),
    "probabilities": (
        lambda x, t, w: F.cross_entropy(x, t.softmax(1), w, label_smoothing=0.1),
        rand(2, 3, 4), rand(2, 3, 4), X[0, 0].abs()
    ),
    "probabilities of one sample": (lambda x, t: F.cross_entropy(x, t.abs(), reduction="sum"), rand(3), rand(3)),
    "a class of one sample": (lambda x: F.cross_entropy(x, torch.tensor(1)), rand(3)),
    "normalization with its moments": (
        lambda x: torch.native_batch_norm(x, None, None, x[0, :, 0], x[1, :, 0].abs(), False, 0.1, 1e-5), X
    ),
    "product of a number": (lambda x: x.prod(0, keepdim=True), torch.tensor(3)),
    "nothing squeezed": (lambda x: x.squeeze((0, 1)), X),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_it_computes_the_same(case):
    function, *tensors = CASES[case]
    check(function, *tensors)


@given(
    sizes=st.lists(st.integers(0, 4), min_size=0, max_size=3),
    wanted=st.integers(0, 7),
    fill=st.integers(-3, 3),
    seed=st.integers(0, 99),
)
@settings(max_examples=40, deadline=None, derandomize=True)
def test_places_of_what_is_not_zero(sizes, wanted, fill, seed):
    x = ints(*sizes, below=2, seed=seed)
    compute = DECOMPOSITIONS["aten.nonzero_static.default"].compute
    expected = torch.ops.aten.nonzero_static(x, size=wanted, fill_value=fill)
    torch.testing.assert_close(compute(x, size=wanted, fill_value=fill), expected)


@given(sizes=st.tuples(st.integers(1, 6), st.integers(1, 9)), dim=st.integers(-2, 1), keep=st.booleans())
@settings(max_examples=40, deadline=None, derandomize=True)
def test_the_most_frequent(sizes, dim, keep):
    x = ints(*sizes, seed=sizes[0])
    for a, b in zip(DECOMPOSITIONS["aten.mode.default"].compute(x, dim, keep), torch.mode(x, dim, keep), strict=True):
        torch.testing.assert_close(a, b)


@given(size=st.tuples(*[st.integers(1, 7)] * 2), out=st.tuples(*[st.integers(1, 5)] * 2), seed=st.integers(0, 9))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_pools_with_their_places(size, out, seed):
    x = ints(2, *size, below=4, seed=seed).float()  # with ties
    found = DECOMPOSITIONS["aten.adaptive_max_pool2d.default"].compute(x, out)
    for a, b in zip(found, F.adaptive_max_pool2d(x, out, return_indices=True), strict=True):
        torch.testing.assert_close(a, b)


WEIGHED = {
    "one variable": (rand(6), {}),
    "variables": (rand(3, 6), {"correction": 0}),
    "one observation": (rand(3, 1), {}),
    "frequencies": (rand(3, 6), {"fweights": ints(6)}),
    "importance": (rand(3, 6), {"aweights": rand(6).abs(), "correction": 2}),
    "both": (rand(3, 6), {"fweights": ints(6), "aweights": rand(6).abs()}),
    "too few": (rand(2, 2), {"correction": 3}),
}


@pytest.mark.parametrize("case", WEIGHED)
@pytest.mark.filterwarnings("ignore:cov")
def test_covariances(case):
    x, options = WEIGHED[case]
    torch.testing.assert_close(cov(x, **options), torch.cov(x, **options), equal_nan=True)
    torch.testing.assert_close(corrcoef(x), torch.corrcoef(x), equal_nan=True)


TRACED = {
    "covariance": (lambda x: torch.cov(x) + x.corrcoef(), rand(3, 7)),
    "pairs": (lambda x: torch.combinations(x), rand(4)),
    "triples with themselves": (lambda x: torch.combinations(x, 3, True), rand(3)),
    "no pairs": (lambda x: torch.combinations(x), rand(1)),
    "cut where the data says": (lambda x, n: (x.narrow(1, n, 2), torch.narrow(x, 0, 1, 2)), X, torch.tensor(-3)),
}


@pytest.mark.parametrize("case", TRACED)
def test_what_torch_cannot_trace(case):
    function, *tensors = TRACED[case]
    with Overrides():
        program = torch.export.export(Called(function), tuple(tensors), strict=False)
    torch.testing.assert_close(program.module()(*tensors), function(*tensors))


def test_each_composite_is_put_together_by_torch():
    """Otherwise the operator would be traced as itself, recursively."""
    implicit = torch._C.DispatchKey.CompositeImplicitAutograd
    own = {"aten.cat.default", "aten._linalg_check_errors.default"}
    for name in COMPOSITE.keys() - own:
        _, operator, overload = name.split(".")
        assert getattr(getattr(torch.ops.aten, operator), overload).has_kernel_for_dispatch_key(implicit), name


@pytest.mark.parametrize("function", [lambda x: x[:0] * 2 + 1, lambda x: F.pixel_unshuffle(x[:, :, None, :0], 1)])
def test_what_has_no_elements_is_not_computed(function):
    program = exported(function, X)
    decompose(program)
    assert operators(program) == {"aten.zeros.default"}
    assert program.module()(X).shape == function(X).shape


def test_a_view_that_overlaps_is_left():
    program = exported(lambda x, s: torch.as_strided_scatter(x, s, (2, 2), (1, 1)), X, rand(2, 2))
    decompose(program)
    assert operators(program) == {"aten.as_strided_scatter.default"}


def test_new_tensors_are_of_the_programs_own_mode():
    program = exported(
        lambda x: torch.linalg.solve(x, torch.ones(3)) * torch.searchsorted(x[0].contiguous(), x[1]), rand(3, 3)
    )
    decompose(program)
    modes = {id(n.meta["val"].fake_mode) for n in program.graph.nodes if isinstance(n.meta.get("val"), torch.Tensor)}
    assert len(modes) == 1


def test_the_places_of_a_number_stay_refused():
    with pytest.raises(EdgecError):
        decompose(exported(lambda x: x.nonzero() * math.pi, torch.tensor(1.0)))


def test_attention_that_drops_at_random_is_refused():
    with pytest.raises(EdgecError, match="random dropout") as raised:
        decompose(exported(lambda x: F.scaled_dot_product_attention(x, x, x, dropout_p=0.5), rand(1, 2, 3, 4)))
    assert "rejected by `random-numbers`" in raised.value.diagnostics[0].notes


@pytest.mark.parametrize("upper", [False, True])
@pytest.mark.parametrize("shift", [4.0, 0.5, -1.0])
def test_a_factor_says_where_it_failed(upper, shift):
    x = rand(6, 4, 4)
    x = x @ x.mT + (shift - 1) * torch.eye(4)
    found = DECOMPOSITIONS["aten.linalg_cholesky_ex.default"].compute(x, upper=upper)
    for a, b in zip(found, torch.linalg.cholesky_ex(x, upper=upper), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)
