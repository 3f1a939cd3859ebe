"""Linear algebra and Fourier transforms: identities that the gradients keep, singular points, sentences of errors.

That each rule is right at ordinary points, to second order, complex, batched and in float32, test_ops.py holds.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygraph as tg
from tinygraph.testing import Case, check_op

RNG = np.random.default_rng(11)


def real(*shape):
    return RNG.standard_normal(shape)


def cplx(*shape):
    return real(*shape) + 1j * real(*shape)


def adjoint(a):
    return np.conj(np.swapaxes(a, -1, -2))


def hermitian(a):
    return (a + adjoint(a)) / 2


def definite(a):
    return a @ adjoint(a) + np.eye(a.shape[-1])


def gradient(f, *arrays):
    """The gradients of the real part of the sum of f's value."""
    leaves = [tg.tensor(a, requires_grad=True) for a in arrays]
    np.real(f(*leaves)).sum().backward()
    grads = [x.grad for x in leaves]
    return grads[0] if len(grads) == 1 else grads


def close(got, wanted, rtol=1e-10):
    np.testing.assert_allclose(got, wanted, rtol=rtol, atol=rtol * max(1.0, np.max(np.abs(wanted), initial=0)))


# --- factors multiplied again give the matrix, and its gradient -------------------------------------------------------

def of_qr(a):
    q, r = tg.linalg.qr(a)
    return q @ r


def of_complete_qr(a):
    q, r = tg.linalg.qr(a, "complete")
    return q @ r


def of_svd(a):
    u, s, vh = tg.linalg.svd(a, full_matrices=False)
    return (u * s[..., None, :]) @ vh


def of_eig(a):
    w, v = tg.linalg.eig(a)
    return (v * w[..., None, :]) @ tg.linalg.inv(v)


def of_eigh(a):
    w, v = tg.linalg.eigh(a)
    return (v * w[..., None, :]) @ adjoint(v)


def of_cholesky(a):
    factor = tg.linalg.cholesky(a)
    return factor @ adjoint(factor)


def of_upper_cholesky(a):
    factor = tg.linalg.cholesky(a, upper=True)
    return adjoint(factor) @ factor


def of_sqrtm(a):
    y = tg.scipy.linalg.sqrtm(a)
    return y @ y


ANY_SHAPE = [of_qr, of_complete_qr, of_svd]


@pytest.mark.parametrize("f", [*ANY_SHAPE, of_eig])
@pytest.mark.parametrize("make", [real, cplx])
@pytest.mark.parametrize("shape", [(4, 4), (5, 3), (3, 5), (2, 4, 3)])
def test_factors_multiplied_are_the_matrix(f, make, shape):
    if f is of_eig and shape[-1] != shape[-2]:
        shape = (2, 3, 3)
    a, weights = make(*shape), make(*shape)
    close(f(a), a)
    close(gradient(lambda a: f(a) * weights, a), weights, 1e-9)


@pytest.mark.parametrize("f", [of_eigh, of_cholesky, of_upper_cholesky])
@pytest.mark.parametrize("make", [real, cplx])
def test_factors_of_a_hermitian_matrix_share_the_gradient_among_both_triangles(f, make):
    a, weights = definite(make(2, 4, 4)), make(2, 4, 4)
    close(f(a), a)
    close(gradient(lambda a: f(a) * weights, a), hermitian(weights))


@pytest.mark.parametrize("make", [real, cplx])
def test_the_square_of_the_root_is_the_matrix(make):
    a, weights = definite(make(4, 4)), make(4, 4)
    close(gradient(lambda a: of_sqrtm(a) * weights, a), weights)


@pytest.mark.parametrize(("f", "symmetric"), [(of_qr, False), (of_svd, False), (of_eigh, True), (of_cholesky, True)])
def test_what_is_linear_has_no_second_derivative(f, symmetric):
    a, weights = real(3, 3), real(3, 3)
    a = definite(a) if symmetric else a
    second = tg.grad(lambda a: (tg.grad(lambda a: (f(a) * weights).sum())(a) ** 2).sum())(a)
    close(second, np.zeros((3, 3)), 1e-9)


@pytest.mark.parametrize("f", [
    lambda a: tg.log(tg.absolute(tg.linalg.det(a))),
    lambda a: tg.linalg.slogdet(a).logabsdet,
    lambda a: tg.sum(tg.log(tg.linalg.svdvals(a)), -1),
    lambda a: tg.sum(tg.log(tg.linalg.svd(a).S), -1),
    lambda a: tg.sum(tg.log(tg.absolute(tg.linalg.diagonal(tg.linalg.qr(a, "r")))), -1),
    lambda a: tg.sum(tg.log(tg.linalg.eigvalsh(a @ adjoint(a))), -1) / 2,
    lambda a: tg.sum(tg.log(tg.absolute(tg.linalg.eigvals(a))), -1),
    lambda a: tg.sum(tg.log(tg.real(tg.linalg.diagonal(tg.linalg.cholesky(a @ adjoint(a))))), -1),
])
@pytest.mark.parametrize("make", [real, cplx])
def test_every_way_to_log_abs_det_has_the_gradient_of_the_inverse(f, make):
    a = make(2, 3, 3)
    close(gradient(f, a), np.swapaxes(np.linalg.inv(a), -1, -2), 1e-8)


def test_second_derivative_of_log_det():
    a, x = definite(real(4, 4)), real(4, 4)
    found = tg.grad(lambda a: (tg.grad(lambda a: tg.linalg.slogdet(a)[1])(a) * x).sum())(a)
    inverse = np.linalg.inv(a)
    close(found, -(inverse @ x @ inverse).T)


def test_one_output_alone_is_enough():
    a = cplx(5, 3)
    onto_rows = gradient(lambda a: (w := tg.linalg.svd(a)[2][:1], adjoint(w) @ w * np.arange(9.0).reshape(3, 3))[1], a)
    onto_rows_too = gradient(
        lambda a: (v := tg.linalg.eigh(adjoint(a) @ a)[1][:, 2:], v @ adjoint(v) * np.arange(9.0).reshape(3, 3))[1], a)
    close(onto_rows, onto_rows_too, 1e-8)
    onto_columns = gradient(lambda a: (u := tg.linalg.svd(a)[0][:, 3:], (u @ adjoint(u))[:2, :2])[1], a)
    close(onto_columns, gradient(lambda a: -(a @ tg.linalg.pinv(a))[:2, :2], a), 1e-8)


def test_numpys_named_tuples_stay():
    a = tg.tensor(np.eye(2), requires_grad=True)
    assert np.linalg.svd(a).Vh.requires_grad
    assert np.linalg.eigh(a).eigenvectors.requires_grad
    assert type(tg.linalg.slogdet(np.eye(2))) is type(np.linalg.slogdet(np.eye(2)))
    assert np.linalg.qr(a)._fields == ("Q", "R")
    assert np.linalg.eig(a)._fields == ("eigenvalues", "eigenvectors")
    with tg.no_grad():
        assert np.linalg.qr(a)._fields == ("Q", "R")


def test_lists_are_matrices_too():
    close(tg.linalg.inv([[2.0, 0.0], [0.0, 4.0]]), np.diag([0.5, 0.25]))
    close(tg.linalg.solve(tg.tensor(np.eye(2)), [1.0, 2.0]).data, [1, 2])
    close(tg.einsum("i,i", [1.0, 2.0], [3.0, 4.0]), 11)


def test_tensors_may_stand_in_a_list_that_is_an_operand():
    x, y, a = real(), real(), real(2, 2)

    def check(f, g):
        for found, wanted in zip(gradient(f, x, y, a), gradient(g, x, y, a), strict=True):
            close(found, wanted)
    check(lambda x, y, a: tg.einsum("i,ij->j", [x, y], a) ** 2, lambda x, y, a: tg.matmul(tg.stack([x, y]), a) ** 2)
    check(lambda x, y, a: tg.einsum(a, [0, 0], [x, y], [0]) ** 2, lambda x, y, a: (x * a[0, 0] + y * a[1, 1]) ** 2)
    check(lambda x, y, a: tg.linalg.multi_dot([a, a, [x, y]]), lambda x, y, a: a @ (a @ tg.stack([x, y])))


# --- equal eigenvalues, zero norms, singular matrices -----------------------------------------------------------------

def test_equal_eigenvalues_have_the_gradient_of_their_power_sums():
    q = np.linalg.qr(real(4, 4))[0]
    for a in (np.eye(4), q @ np.diag([1.0, 1.0, 1.0, 3.0]) @ q.T):
        a = hermitian(a)
        close(gradient(lambda a: tg.linalg.eigvalsh(a) ** 3, a), 3 * a @ a)
        close(gradient(lambda a: tg.linalg.eigh(a).eigenvalues ** 3, a), 3 * a @ a)
        close(gradient(lambda a: tg.linalg.svd(a).S ** 2, a), 2 * a)


@pytest.mark.parametrize("f", [lambda a: tg.linalg.eigh(a)[1], lambda a: tg.linalg.svd(a)[0],
                               lambda a: tg.linalg.svd(a)[2], lambda a: tg.linalg.eig(a)[1]])
@pytest.mark.parametrize("a", [np.eye(3), np.zeros((3, 3)), np.diag([2.0, 2.0, 1.0])], ids=["1", "0", "2 2 1"])
def test_vectors_of_equal_values_have_a_finite_gradient(f, a):
    assert np.isfinite(gradient(lambda a: f(a) * np.arange(9.0).reshape(3, 3), a)).all()


def test_vectors_beside_a_pair_of_equal_values_have_their_own_gradient():
    """The third vector turns as it does where the other two are apart by next to nothing."""
    q = np.linalg.qr(real(3, 3))[0]

    def f(a):
        v = tg.linalg.eigh(a)[1][:, 2:]
        return v @ adjoint(v) * np.arange(9.0).reshape(3, 3)
    exact, near = (gradient(f, hermitian(q @ np.diag([1.0, second, 3.0]) @ q.T)) for second in (1.0, 1.0 + 1e-5))
    close(exact, near, 1e-4)


ORDERS = [None, 1, 2, 3, 1.5, np.inf, 0]


@pytest.mark.parametrize("ord", ORDERS)
def test_a_norm_has_gradient_0_at_0(ord):
    assert gradient(lambda x: tg.linalg.norm(x, ord), np.zeros(3)).tolist() == [0, 0, 0]
    assert gradient(lambda x: tg.linalg.norm(x, ord, axis=1), np.zeros((2, 3)) + 0j).tolist() == [[0, 0, 0]] * 2


@pytest.mark.parametrize("ord", ["fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf])
def test_a_matrix_norm_at_0_is_finite(ord):
    g = gradient(lambda x: tg.linalg.norm(x, ord), np.zeros((2, 3)))
    assert np.isfinite(g).all()
    if ord not in (2, -2):
        assert not g.any()


@pytest.mark.parametrize("p", [1.5, 3, 4.5])
def test_a_zero_element_counts_for_nothing_in_a_norm(p):
    g = gradient(lambda x: tg.linalg.norm(x, p), np.array([0.0, 3.0, -4.0]))
    assert g[0] == 0
    close(g[1:], gradient(lambda x: tg.linalg.norm(x, p), np.array([3.0, -4.0])))
    second = tg.grad(lambda x: tg.grad(lambda x: tg.linalg.norm(x, p))(x)[1])(np.array([0.0, 3.0, -4.0]))
    assert np.isfinite(second).all()


def test_what_ties_in_a_norm_shares_equally():
    x = np.array([[3.0, -3.0], [1.0, 3.0]])
    assert gradient(lambda x: tg.linalg.norm(x.ravel(), np.inf), x).tolist() == [[1 / 3, -1 / 3], [0, 1 / 3]]
    assert gradient(lambda x: tg.linalg.norm(x, -np.inf, axis=0), np.ones((2, 1))).tolist() == [[0.5], [0.5]]
    tied = np.array([[1.0, 2.0], [2.0, -1.0]])
    assert gradient(lambda x: tg.linalg.norm(x, 1), tied).tolist() == [[0.5, 0.5], [0.5, -0.5]]
    assert gradient(lambda x: tg.linalg.norm(x, np.inf), tied).tolist() == [[0.5, 0.5], [0.5, -0.5]]
    close(gradient(lambda x: tg.linalg.norm(x, 2), 3 * np.eye(4)), np.eye(4) / 4)
    close(gradient(tg.linalg.cond, 3 * np.eye(4)), np.zeros((4, 4)))


def test_the_nuclear_norm_at_a_lower_rank_leaves_out_what_is_zero():
    u, v = real(4, 1), real(1, 3)
    wanted = u @ v / np.linalg.norm(u) / np.linalg.norm(v)
    close(gradient(lambda x: tg.linalg.norm(x, "nuc"), u @ v), wanted)


def directional(f, a, *directions):
    """The derivative of f at a in each of several directions, one after the other."""
    if not directions:
        return f(a)
    return directional(lambda a: tg.sum(tg.grad(f)(a) * directions[0]), a, *directions[1:])


def det_of_sum(a, directions):
    """d/dt_1 ... d/dt_k det(a + Σ t_i x_i) at 0: the coefficient of t_1 ... t_k, by inclusion and exclusion.

    det(a + Σ t_i x_i) is a polynomial in each t_i; a fit at n + 1 points takes out the coefficient of t_i.
    """
    if not directions:
        return np.linalg.det(a)
    n = len(a)
    points = np.cos(np.pi * (np.arange(n + 1) + 0.5) / (n + 1))
    values = [det_of_sum(a + t * directions[0], directions[1:]) for t in points]
    return np.polynomial.Polynomial.fit(points, values, n).deriv()(0.0)


@pytest.mark.parametrize(("n", "rank"), [(3, 3), (3, 2), (3, 1), (3, 0), *((6, rank) for rank in range(1, 7))])
def test_derivatives_of_a_determinant_are_exact_at_any_rank(n, rank):
    a = real(n, rank) @ real(rank, n)
    for order in (1, 2, 3):
        directions = [real(n, n) / n for _ in range(order)]
        wanted = det_of_sum(a, directions)
        np.testing.assert_allclose(directional(tg.linalg.det, a, *directions), wanted, rtol=1e-7, atol=1e-7)


def test_the_determinant_of_zeros_and_of_a_large_matrix():
    for n in (1, 2, 5, 9):
        assert np.unique(gradient(tg.linalg.det, np.zeros((n, n)))).tolist() == [1 if n == 1 else 0]
    a = real(60, 60) / 5
    close(gradient(tg.linalg.det, a) / np.linalg.det(a), np.linalg.inv(a).T, 1e-9)


def test_a_determinant_with_a_zero_row_has_the_cofactors_of_that_row():
    a = real(6, 6)
    a[2] = 0
    wanted = np.zeros((6, 6))
    for j in range(6):
        wanted[2, j] = (-1) ** (2 + j) * np.linalg.det(np.delete(np.delete(a, 2, 0), j, 1))
    close(gradient(tg.linalg.det, a), wanted)


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (4, 4)])
@pytest.mark.parametrize("make", [real, cplx])
def test_least_squares_are_what_the_pseudo_inverse_gives(shape, make):
    a, b = make(*shape), make(shape[0], 2)
    for found, wanted in zip(gradient(lambda a, b: tg.linalg.lstsq(a, b)[0] ** 2, a, b),
                             gradient(lambda a, b: (tg.linalg.pinv(a) @ b) ** 2, a, b), strict=True):
        close(found, wanted, 1e-7)


def test_the_residuals_of_least_squares_are_differentiable():
    a, b = cplx(5, 2), cplx(5, 3)
    found = gradient(lambda a, b: tg.linalg.lstsq(a, b)[1], a, b)
    wanted = gradient(lambda a, b: tg.absolute(b - a @ (tg.linalg.pinv(a) @ b)) ** 2, a, b)
    for f, w in zip(found, wanted, strict=True):
        close(f, w, 1e-8)


def test_a_rank_that_stays_has_the_gradient_of_its_manifold():
    """Of lower rank, as long as one moves along matrices of that rank, which a product of thin ones is."""
    left, right, b = real(5, 2), real(2, 4), real(5)
    found = gradient(lambda left, right: (tg.linalg.lstsq(left @ right, b, rcond=1e-10)[0] ** 2), left, right)
    wanted = gradient(
        lambda left, right: (tg.linalg.pinv(right) @ (tg.linalg.pinv(left) @ b)) ** 2, left, right)
    for f, w in zip(found, wanted, strict=True):
        close(f, w, 1e-8)


# --- functions of matrices --------------------------------------------------------------------------------------------

@pytest.mark.parametrize("make", [real, cplx])
def test_the_trace_of_exp_has_the_gradient_exp(make):
    a = make(2, 4, 4)
    close(gradient(lambda a: tg.linalg.trace(tg.scipy.linalg.expm(a)), a),
          np.swapaxes(tg.scipy.linalg.expm(a), -1, -2))


@pytest.mark.parametrize("n", [-2, -1, 0, 1, 2, 7])
def test_powers_are_products(n):
    a, weights = real(3, 3), real(3, 3)

    def product(a):
        a = tg.linalg.inv(a) if n < 0 else a
        y = np.eye(3)
        for _ in range(abs(n)):
            y = y @ a
        return y * weights + 0 * a
    close(gradient(lambda a: tg.linalg.matrix_power(a, n) * weights, a), gradient(product, a), 1e-8)


@pytest.mark.parametrize("lower", [False, True])
def test_the_other_triangle_is_not_looked_at(lower):
    a, b = real(4, 4) + 4 * np.eye(4), real(4, 2)
    other = np.triu(np.ones((4, 4)), 1).T if not lower else np.triu(np.ones((4, 4)), 1)
    ga = gradient(lambda a: tg.scipy.linalg.solve_triangular(a, b, lower=lower), a)
    assert not ga[other == 1].any()
    full = np.tril(a) if lower else np.triu(a)
    close(ga, np.where(other == 1, 0, gradient(lambda a: tg.linalg.solve(a, b), full)))
    unit = gradient(lambda a: tg.scipy.linalg.solve_triangular(a, b, lower=lower, unit_diagonal=True), a)
    assert not np.diag(unit).any()


def test_solving_with_stacks_beside_scipys_one_by_one():
    a, b = real(3, 4, 4) + 4 * np.eye(4), real(3, 4, 2)
    together = gradient(lambda a, b: tg.scipy.linalg.solve_triangular(a, b), a, b)
    for i, j in itertools.product(range(2), range(3)):
        close(together[i][j], gradient(lambda a, b: tg.scipy.linalg.solve_triangular(a, b), a[j], b[j])[i])


# --- einsum -----------------------------------------------------------------------------------------------------------

@given(st.data())
def test_einsum_whatever_the_subscripts(data):
    """Any labels, repeated or not, in any operands, some of size 1, any result, as a string or as lists."""
    sizes = {"a": 2, "b": 3, "c": 1}
    rng = np.random.default_rng(0)
    terms = data.draw(st.lists(st.text("abc", max_size=3), min_size=1, max_size=3))
    present = sorted(set("".join(terms)))
    output = "".join(data.draw(st.permutations(data.draw(st.lists(st.sampled_from(present), unique=True)))
                               if present else st.just([])))
    small = [data.draw(st.sets(st.sampled_from(sorted(set(term)))) if term else st.just(set())) for term in terms]
    arrays = [rng.uniform(0.5, 1.5, [1 if label in ones else sizes[label] for label in term])
              for term, ones in zip(terms, small, strict=True)]
    if data.draw(st.booleans()):
        operands = [",".join(terms) + "->" + output, *arrays]
    else:
        operands = [part for a, term in zip(arrays, terms, strict=True) for part in (a, ["abc".index(x) for x in term])]
        operands.append(["abc".index(x) for x in output])
    check_op("einsum", [Case(*operands, optimize=data.draw(st.booleans()))])


@pytest.mark.parametrize(("subscripts", "shapes", "said"), [
    ("ij,jk->ik", [(2, 3), (4, 2)], r"'ij,jk->ik' for \(2, 3\), \(4, 2\): j is 3 in one place and 4 in another"),
    ("ij,jk->ik", [(2, 3)], r"2 operands are named, and 1 given"),
    ("ijk->i", [(2, 3)], r"ijk names 3 axes of \(2, 3\)"),
    ("ij->k", [(2, 3)], r"the result has k, which no operand has"),
    ("ij->ii", [(2, 3)], r"the result has i twice"),
    ("...i->i", [(2, 3)], r"the axes that the dots cover must be in the result"),
    ("i#", [(2, 3)], r"they do not fit"),
])
def test_einsum_says_which_subscript_does_not_fit(subscripts, shapes, said):
    operands = [tg.tensor(np.ones(shape)) for shape in shapes]
    with pytest.raises(tg.ShapeError, match=rf"^einsum: .*{said} \(test_linalg\.py:\d+\)$"):
        tg.einsum(subscripts, *operands)


def test_einsum_with_numbers_in_lists_says_so_too():
    with pytest.raises(tg.ShapeError, match=r"these lists of labels for \(2,\), \(3,\): 0 is 2 in one place and 3"):
        tg.einsum(tg.tensor(np.ones(2)), [0], np.ones(3), [0])


def test_the_cost_of_einsum_is_that_of_its_combinations():
    a, b = tg.tensor(real(2, 3), requires_grad=True), real(3, 4)
    node = tg.einsum("ij,jk->ik", a, b).node
    assert node.op.flops(node.value, *[getattr(p, "value", p) for p in node.parents],
                         **node.op.filled(node.params, (a.data, b))) == 2 * 2 * 3 * 4


def test_products_are_einsums():
    pairs = [
        (tg.matmul, "aij,jk->aik", (4, 2, 3), (3, 2)), (tg.inner, "aj,bj->ab", (2, 3), (4, 3)),
        (tg.outer, "i,j->ij", (2,), (3,)), (tg.matvec, "aij,aj->ai", (4, 2, 3), (4, 3)),
        (lambda a, b: tg.tensordot(a, b, ([0, 2], [1, 0])), "iaj,jib->ab", (2, 3, 4), (4, 2, 5)),
        (lambda a, b: tg.vecmat(np.conj(a), b), "ai,aij->aj", (4, 3), (4, 3, 2)),
        (lambda a, b: tg.vecdot(np.conj(a), b), "ai,ai->a", (4, 3), (4, 3)),
        (lambda a, b: tg.linalg.multi_dot([a, b, b.T]), "ij,jk,lk->il", (2, 3), (3, 4)),
    ]
    for product, subscripts, left, right in pairs:
        a, b = cplx(*left), cplx(*right)
        weights = cplx(*product(a, b).shape)

        def by_einsum(a, b, subscripts=subscripts):
            return tg.einsum(subscripts, a, b, *[b] * (subscripts.count(",") - 1))
        found, wanted = (gradient(lambda a, b, f=f, w=weights: f(a, b) * w, a, b) for f in (product, by_einsum))
        for f, w in zip(found, wanted, strict=True):
            close(f, w)


# --- Fourier transforms -----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("n", [1, 2, 5, 8])
def test_a_transform_and_its_inverse_pass_the_gradient_through(n):
    x, weights = real(3, n), real(3, n)
    z, complex_weights = cplx(3, n), cplx(3, n)
    for k in ({}, {"norm": "ortho"}, {"norm": "forward"}):
        for there_and_back in (
                lambda x, k=k: tg.fft.irfft(tg.fft.rfft(x, **k), n, **k),
                lambda x, k=k: tg.fft.hfft(tg.fft.ihfft(x, **k), n, **k),
                lambda x, k=k: tg.fft.irfftn(tg.fft.rfftn(x, **k), (3, n), (0, 1), **k)):
            close(gradient(lambda x, f=there_and_back: f(x) * weights, x), weights)
        close(gradient(lambda z, k=k: tg.fft.ifft(tg.fft.fft(z, **k), **k) * complex_weights, z), complex_weights)
    close(gradient(lambda x: tg.fft.ifftshift(tg.fft.fftshift(x)) * weights, x), weights)


def test_parseval():
    z = cplx(4, 6)
    close(gradient(lambda z: tg.absolute(tg.fft.fft(z)) ** 2, z), 2 * 6 * np.conj(z))
    close(gradient(lambda z: tg.absolute(tg.fft.fftn(z, norm="ortho")) ** 2, z), 2 * np.conj(z))


def test_a_convolution_is_a_product_of_transforms():
    x, h, weights = real(9), real(4), real(12)
    found = gradient(lambda x, h: tg.fft.irfft(tg.fft.rfft(x, 12) * tg.fft.rfft(h, 12), 12) * weights, x, h)
    wanted = [np.correlate(weights, h, "valid"), np.correlate(weights, x, "valid")]
    for f, w in zip(found, wanted, strict=True):
        close(f, w)


def test_what_is_cut_off_has_no_gradient_and_zeros_added_take_none():
    x = real(6)
    g = gradient(lambda x: tg.real(tg.fft.fft(x, 4)) ** 2, x)
    assert g.shape == (6,)
    assert not g[4:].any()
    assert gradient(lambda x: tg.real(tg.fft.rfft(x, 11)) ** 2, x).shape == (6,)


# --- the affine layer -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_tall_matrix_gives_what_its_rows_give(dtype):
    x, w, b = real(1500, 30).astype(dtype), real(30, 7).astype(dtype), real(7).astype(dtype)
    y, rtol = tg.affine(x, w, b), 1e-4 if dtype is np.float32 else 1e-10
    assert y.dtype == dtype
    close(y, np.concatenate([tg.affine(x[i:i + 500], w, b) for i in (0, 500, 1000)]), rtol)

    def squared(x, w, b):
        return (tg.affine(x, w, b) ** 2).sum()
    for found, wanted in zip(gradient(squared, x, w, b), (2 * y @ w.T, 2 * x.T @ y, 2 * y.sum(0)), strict=True):
        assert found.dtype == dtype
        close(found, wanted, rtol)


# --- names and errors -------------------------------------------------------------------------------------------------

def test_the_namespaces_have_all_of_numpys_names():
    assert set(tg.linalg.__all__) == set(np.linalg.__all__)
    assert set(tg.fft.__all__) == set(np.fft.__all__)
    assert tg.fft.fftfreq(4, 0.5).tolist() == np.fft.fftfreq(4, 0.5).tolist()


SINGULAR = np.ones((2, 2))


@pytest.mark.parametrize(("call", "said"), [
    (lambda t: np.linalg.inv(t), r"inv\(float64 \(2, 2\)\): Singular matrix"),
    (lambda t: tg.linalg.solve(t, np.ones(2)), r"solve\(float64 \(2, 2\), float64 \(2,\)\): Singular matrix"),
    (lambda t: tg.linalg.cholesky(-t), r"cholesky\(float64 \(2, 2\)\): Matrix is not positive definite"),
    (lambda t: tg.linalg.matrix_power(t, -2), r"matrix_power\(float64 \(2, 2\), n=-2\): Singular matrix"),
    (lambda t: tg.linalg.slogdet(t)[1].backward(), r"inv\(float64 \(2, 2\)\): Singular matrix"),
    (lambda t: tg.linalg.inv(t[:1]), r"inv\(float64 \(1, 2\)\): Last 2 dimensions .* must be square"),
    (lambda t: tg.linalg.eigh(t[0]), r"eigh\(float64 \(2,\)\): 1-dimensional array given"),
    (lambda t: tg.linalg.tensorsolve(t[:1], np.ones(1)), r"tensorsolve\(.*2 unknowns and 1 equations"),
    (lambda t: tg.scipy.linalg.solve_triangular(0 * t, np.ones(2)), r"solve_triangular\(.*singular matrix"),
])
def test_a_matrix_that_will_not_do_is_named_with_the_users_line(call, said):
    with pytest.raises(tg.linalg.LinAlgError, match=rf"^{said}.* \(test_linalg\.py:\d+\)$") as caught:
        call(tg.tensor(SINGULAR, requires_grad=True))
    assert isinstance(caught.value, np.linalg.LinAlgError)
    assert isinstance(caught.value, tg.TinygraphError)


@pytest.mark.parametrize(("call", "kind", "said"), [
    (lambda t: tg.linalg.solve(t, np.ones(3)), tg.ShapeError, r"\(2, 2\) x = \(3,\): 2 unknowns, and 3 numbers"),
    (lambda t: tg.linalg.solve(tg.stack([t] * 3), np.ones((4, 2, 2))), tg.ShapeError,
     r"\(3, 2, 2\) x = \(4, 2, 2\): the leading axes do not broadcast"),
    (lambda t: tg.linalg.qr(t, "raw"), tg.UnsupportedError, r"mode='raw' has no derivative rule; use 'reduced'"),
    (lambda t: tg.linalg.norm(t, 3), tg.ShapeError, r"norm\(.*Invalid norm order"),
    (lambda t: tg.linalg.outer(t, t), tg.ShapeError, r"linalg\.outer\(.*both must have one axis"),
    (lambda t: tg.linalg.cross(t, t), tg.ShapeError, r"linalg\.cross\(.*3 elements along axis -1"),
    (lambda t: tg.linalg.multi_dot([t, np.ones((3, 2))]), tg.ShapeError,
     r"multi_dot\(\[float64 \(2, 2\), float64 \(3, 2\)\]\): .*not aligned"),
    (lambda t: tg.linalg.tensorinv(t, 0), tg.ShapeError, r"ind=0 must be at least 1"),
    (lambda t: tg.fft.fft(t, norm="none"), tg.ShapeError, r"Invalid norm value none"),
    (lambda t: tg.fft.rfft(t + 0j), tg.UnsupportedError, r"rfft\(complex128 \(2, 2\)"),
    (lambda t: np.fft.fft(t, out=np.ones(2)), tg.UnsupportedError, r"fft: out= would overwrite"),
])
def test_what_does_not_fit_is_told_in_one_sentence(call, kind, said):
    with pytest.raises(kind, match=rf"{said}.* \(test_linalg\.py:\d+\)$"):
        call(tg.tensor(SINGULAR, requires_grad=True))


def test_arguments_by_position_reach_the_ops_through_numpys_protocol():
    t = tg.tensor(definite(real(3, 3)), requires_grad=True)
    for call in (lambda a: np.linalg.svd(a, False), lambda a: np.linalg.eigh(a, "U"), lambda a: np.linalg.norm(a, 2, 0),
                 lambda a: np.linalg.matrix_power(a, 2), lambda a: np.fft.fft(a, 4, 0), lambda a: np.einsum("ij->j", a),
                 lambda a: np.linalg.tensordot(a, a, axes=1), lambda a: np.linalg.vecdot(a, a, axis=0)):
        found, wanted = call(t), call(t.data)
        for f, w in zip(found, wanted, strict=True) if isinstance(found, tuple) else [(found, wanted)]:
            assert f.requires_grad
            close(f.data, w)
    assert not np.linalg.matrix_rank(t).requires_grad
