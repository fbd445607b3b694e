"""Factorizations, singular values and exponentials of small matrices, and integer powers: the same as torch's own."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from edgec.frontend.torch.decompositions.splice import decompose
from edgec.frontend.torch.decompositions.table import DECOMPOSITIONS
from tests.unit.frontend.torch.test_decompose import check, exported, operators, rand

aten = torch.ops.aten
SIZES = [(1, 1), (2, 2), (3, 3), (2, 3, 5), (2, 5, 3), (8, 8), (7, 2), (2, 0, 3, 3), (0, 0), (3, 0)]


def compute(operator):
    return DECOMPOSITIONS[str(operator)].compute


def close(found, expected, tolerance=1e-4):
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("operator", [aten.linalg_lu_factor_ex.default, aten.linalg_lu.default, aten.geqrf.default])
def test_factors(operator, size):
    a = rand(*size)
    close(compute(operator)(a), operator(a))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mode", ["reduced", "complete", "r"])
def test_orthogonal_factors(size, mode):
    a = rand(*size)
    close(compute(aten.linalg_qr.default)(a, mode), aten.linalg_qr(a, mode))


def test_a_factor_of_a_singular_matrix_says_so():
    a = torch.tensor([[[1.0, 2.0], [2.0, 4.0]], [[1.0, 2.0], [2.0, 3.0]], [[0.0, 0.0], [0.0, 0.0]]])
    close(compute(aten.linalg_lu_factor_ex.default)(a), torch.linalg.lu_factor_ex(a))
    assert compute(aten.linalg_inv_ex.default)(a)[1].tolist() == torch.linalg.inv_ex(a).info.tolist() == [2, 0, 1]


@pytest.mark.parametrize("left", [False, True])
@pytest.mark.parametrize("turned", [False, True])
def test_solving_and_turning_by_factors(left, turned):
    a, b = rand(2, 4, 4), rand(2, 4, 3, seed=1)
    b = b if left else b.mT
    lu, pivots = torch.linalg.lu_factor(a)
    close([compute(aten.linalg_lu_solve.default)(lu, pivots, b, left=left, adjoint=turned)],
          [aten.linalg_lu_solve(lu, pivots, b, left=left, adjoint=turned)])  # fmt: skip
    packed, tau = torch.geqrf(a)
    close([compute(aten.ormqr.default)(packed, tau, b, left, turned)], [torch.ormqr(packed, tau, b, left, turned)])
    close(compute(aten.triangular_solve.default)(rand(2, 4, 3), a, left, turned),
          aten.triangular_solve(rand(2, 4, 3), a, left, turned), 1e-3)  # fmt: skip


@pytest.mark.parametrize("size", [s for s in SIZES if 0 not in s[-2:]])
def test_singular_values_and_vectors(size):
    a, k = rand(*size, seed=2), min(size[-2:])
    u, values, vh = compute(aten._linalg_svd.default)(a, False, True)
    close([values, (u * values.unsqueeze(-2)) @ vh], [torch.linalg.svdvals(a), a], 1e-5)
    close([u.mT @ u, vh @ vh.mT], [torch.eye(k).expand(*size[:-2], k, k)] * 2, 1e-5)
    close([compute(aten.linalg_pinv.atol_rtol_tensor)(a)], [torch.linalg.pinv(a)], 1e-3)


@pytest.mark.parametrize("triangle", ["L", "U"])
@pytest.mark.parametrize("size", [s for s in SIZES if s[-1] == s[-2] and s[-1]])
def test_eigenvalues(size, triangle):
    a = rand(*size, seed=3)
    values, v = compute(aten._linalg_eigh.default)(a, triangle)
    half = a.triu(1) if triangle == "U" else a.tril(-1)
    whole = half + half.mT + torch.diag_embed(torch.diagonal(a, 0, -2, -1))
    close([values, v * values.unsqueeze(-2) @ v.mT], [torch.linalg.eigvalsh(a, triangle), whole], 1e-5)


def test_values_that_meet():
    """The identity, zeros, a matrix of rank one, and two eigenvalues of equal size."""
    several = torch.stack([torch.eye(3), torch.zeros(3, 3), torch.ones(3, 3), torch.diag(torch.tensor([2.0, -2.0, 0]))])
    close(compute(aten._linalg_svd.default)(several)[1:2], [torch.linalg.svdvals(several)], 1e-6)
    close(compute(aten._linalg_eigh.default)(several)[:1], [torch.linalg.eigvalsh(several)], 1e-6)
    close([compute(aten.linalg_pinv.atol_rtol_tensor)(several)], [torch.linalg.pinv(several)], 1e-6)


@pytest.mark.parametrize("scale", [0.01, 1.0, 20.0])
def test_exponentials(scale):
    a = rand(2, 4, 4) * scale
    expected = torch.linalg.matrix_exp(a)
    found = compute(aten.linalg_matrix_exp.default)(a)
    assert (found - expected).abs().max() <= 2e-5 * expected.abs().max()


def test_a_rotation_nearest_to_a_matrix():
    """The product is unique, whatever the signs of the vectors."""

    def nearest(x):
        u, _, v = torch.svd(x)
        return u @ v.mT

    check(nearest, rand(4, 3, 3), gone="aten.svd.default", tolerance=1e-4)


DERIVED = {
    "condition": lambda x: torch.linalg.cond(x),
    "condition by another norm": lambda x: torch.linalg.cond(x, 1),
    "rank": lambda x: torch.linalg.matrix_rank(x @ x.mT),
    "nuclear norm": lambda x: torch.linalg.matrix_norm(x, "nuc"),
    "spectral norm": lambda x: torch.linalg.matrix_norm(x, -2),
    "pseudo-inverse": lambda x: torch.linalg.pinv(x, atol=0.3, rtol=0.1),
    "pseudo-inverse of a symmetric matrix": lambda x: torch.linalg.pinv(x @ x.mT, hermitian=True),
    "inverse of a factor": lambda x: torch.cholesky_inverse(x.tril() + 3 * torch.eye(3), False),
    "solution and whether it is one": lambda x: tuple(torch.linalg.solve_ex(x, x[:, :1].mT)),
}


@pytest.mark.parametrize("case", DERIVED)
def test_what_is_made_of_them(case):
    check(DERIVED[case], rand(2, 3, 3, seed=4), tolerance=1e-3)


def test_large_matrices_are_left():
    for function in (torch.linalg.svdvals, torch.linalg.eigvalsh, lambda x: torch.linalg.qr(x)[1]):
        program = exported(function, rand(9, 9))
        decompose(program)
        assert operators(program) & {"aten._linalg_svd.default", "aten._linalg_eigh.default", "aten.linalg_qr.default"}


@given(
    base=st.lists(st.integers(-2, 4), min_size=1, max_size=8),
    power=st.integers(-4, 63),
    kind=st.sampled_from([torch.int64, torch.int32, torch.int8]),
)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_powers_of_integers(base, power, kind):
    x, n = torch.tensor(base, dtype=kind), torch.tensor(power, dtype=kind)
    found = compute(aten.pow.Tensor_Tensor)(x, n)
    assert torch.equal(found, torch.pow(x, n))
    assert found.dtype == kind
    assert torch.equal(compute(aten.pow.Scalar)(base[0], n.reshape(1)), torch.pow(base[0], n.reshape(1)))


def test_angles_of_integers():
    x, y = torch.arange(-3, 4), torch.tensor([0, 1, -1, 0, 2, -2, 0])
    check(torch.angle, x)
    check(torch.angle, x > 0)
    check(torch.atan2, x, y, tolerance=1e-6)


def test_large_powers_of_what_stays_small():
    x, n = torch.tensor([0, 1, -1, -1]), torch.tensor([70, 99, 99, 100])
    assert torch.equal(compute(aten.pow.Tensor_Tensor)(x, n), torch.pow(x, n))


def test_sums_of_truths_and_negated_bytes():
    x = rand(3, 4) > 0
    check(lambda a: a + a[0], x, gone="aten.add.Tensor")
    check(lambda a: -a, torch.arange(256).to(torch.uint8), gone="aten.neg.default")
