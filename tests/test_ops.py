"""Every op against the shared suite; the suite against ops with a fault; and the rules for kinks, ties and zeros."""

from __future__ import annotations

import inspect
import math
import re

import numpy as np
import pytest
from cases import CASES
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygraph as tg
from tinygraph.core import backward
from tinygraph.core.kinds import Constant
from tinygraph.core.op import BY_NUMPY, COMPOSED, OPS
from tinygraph.testing import PROPERTIES, Case, StandIn, check_op
from tinygraph.testing.trial import Trial, several, weighted_sum

OURS = {name: op for name, op in (OPS | COMPOSED).items()
        if op.function.__module__.split(".")[0] in ("tinygraph", "numpy")}
UFUNCS = sorted(name for name, op in OURS.items() if not isinstance(op, Constant) and name != "divmod"
                and any(isinstance(f, np.ufunc) and f.signature is None for f in op.numpy))


def test_every_op_has_cases():
    assert set(CASES) == set(OURS)


@pytest.mark.parametrize("name", sorted(OURS))
def test_every_op_is_held_against_something(name):
    assert OURS[name].numpy or any(case.reference for case in CASES[name])


@pytest.mark.parametrize("name", sorted(CASES))
def test_op(name):
    check_op(name, CASES[name])


@pytest.mark.parametrize("name", sorted(CASES))
def test_forward_mode(name):
    """jvp, which is the vjp of the vjp, gives what the gradients say of the same direction."""
    case = min(CASES[name], key=lambda case: sum(a.size for a in case.arrays) or math.inf)
    trial = Trial(OURS[name], case)

    def f(*xs):
        given = list(trial.arrays)
        for i, x in zip(trial.wrt, xs, strict=True):
            given[i] = x
        return weighted_sum(several(trial.call(given)), trial.seeds)
    if trial.wrt:
        xs, vs = [trial.arrays[i] for i in trial.wrt], [trial.like(trial.arrays[i]) for i in trial.wrt]
        _, along = tg.jvp(f, tuple(xs), tuple(vs))
        _, gradients = trial.gradients(trial.arrays, trial.seeds)
        trial.close("jvp", along, sum(np.sum(np.real(c * v)) for c, v in zip(gradients, vs, strict=True)), 1e-12)


@pytest.mark.parametrize("name", sorted(name for name, op in OURS.items() if not isinstance(op, Constant)))
def test_signature_is_numpys(name):
    """The same names in the same order, though some may be missing; what only goes by position may have any name."""
    for function in OURS[name].numpy:
        if isinstance(function, np.ufunc):
            assert len(OURS[name].inputs or inspect.signature(OURS[name]).parameters) == function.nin
            continue
        theirs = [p.name for p in inspect.signature(function).parameters.values() if p.kind is not p.POSITIONAL_ONLY]
        skipped = len(inspect.signature(function).parameters) - len(theirs)
        ours = list(inspect.signature(OURS[name]).parameters)[skipped:]
        if "kwargs" in theirs:  # of np.einsum, whose other keywords only its documentation names
            ours = ours[:len(theirs) - 1]
        assert ours == [parameter for parameter in theirs if parameter in ours]


@given(st.data(), st.sampled_from(UFUNCS))
def test_ufuncs_broadcast_whatever_the_shapes(data, name):
    case = next(case for case in CASES[name] if all(a.size for a in case.arrays))
    n = len(case.arrays)
    shapes = data.draw(hnp.mutually_broadcastable_shapes(num_shapes=n, max_dims=3, max_side=3, min_side=0))
    check_op(name, [case.replaced(map(np.resize, case.arrays, shapes.input_shapes))])


@given(st.data(), hnp.array_shapes(min_dims=1, max_dims=3, max_side=4))
def test_indexing_whatever_the_index(data, shape):
    index = data.draw(st.one_of(
        hnp.basic_indices(shape, allow_newaxis=True),
        hnp.integer_array_indices(shape),
        hnp.arrays(bool, shape),
        st.integers(-shape[0], shape[0] - 1).map(lambda i: [i, i]),
    ))
    x = np.random.default_rng(0).standard_normal(shape)
    check_op("getitem", [Case(x, index).against(lambda x, index: x[index])])
    assume(np.size(x[index]))
    v = np.array(x[index])
    check_op("setitem", [Case(x, index, 2 * v)])
    check_op("scatter_add", [Case(v, index, shape)])


# --- the suite finds what is wrong ------------------------------------------------------------------------------------

@pytest.fixture
def registry():
    """Ops registered in a test are gone after it."""
    ops, by_numpy = dict(OPS), dict(BY_NUMPY)
    yield
    for registered, before in ((OPS, ops), (BY_NUMPY, by_numpy)):
        registered.clear()
        registered.update(before)


def _writing(g, y, x):
    g *= 2
    return g


def _writing_input(g, y, x):
    x += 0
    return g * 2


def _saved_aside(g, y, x):
    return g * np.cos(x.data if isinstance(x, tg.Tensor) else x)


@tg.op(vjp=(lambda g, y, x: -g * np.sin(x.data if isinstance(x, tg.Tensor) else x),))
def cosine(x):
    return np.cos(x)


del OPS["cosine"]  # so that it is no op of ours; its second derivative is lost


def _in_memory_order(g, y, x):
    return np.reshape(x.ravel(order="K") if isinstance(x, np.ndarray) else x, x.shape) * 2 * g


FAULTS = {
    "value": ({"numpy": np.copy}, lambda x: 2 * x, lambda g, y, x: 2 * g),
    "card": ({"flops": lambda y, x: 0.5}, lambda x: 2 * x, lambda g, y, x: 2 * g),
    "strides": ({}, lambda x: x * x, _in_memory_order),
    "stand-in": ({}, lambda x: np.asarray(x) * 2, lambda g, y, x: 2 * g),
    "first order": ({}, lambda x: x * x, lambda g, y, x: g * x),
    "linear in g": ({}, lambda x: 2 * x, lambda g, y, x: g * g * 2),
    "float32": ({}, lambda x: x * np.float64(2), lambda g, y, x: 2 * g),
    "second order": ({}, np.sin, _saved_aside),
    "third order": ({}, np.sin, lambda g, y, x: g * cosine(x)),
}


@pytest.mark.usefixtures("registry")
@pytest.mark.parametrize("fault", FAULTS)
def test_the_suite_finds(fault):
    card, forward, rule = FAULTS[fault]

    @tg.op(vjp=(rule,), **card)
    def wrong(x):
        return forward(x)
    with pytest.raises(tg.TinygraphError, match=rf"case 0 .*: {fault}: "):
        check_op(wrong, [Case(np.array([[0.5, -1.5, 2.5], [1.0, -0.25, 0.75]]))])


@pytest.mark.usefixtures("registry")
@pytest.mark.parametrize("rule", [_writing, _writing_input])
def test_the_suite_finds_a_rule_that_writes(rule):
    @tg.op(vjp=(rule,))
    def wrong(x):
        return 2 * x
    with pytest.raises(tg.GradientError, match=r"first order: writes into an array that it was given"):
        check_op(wrong, [Case(np.ones((2, 2)))])


@pytest.mark.usefixtures("registry")
@pytest.mark.parametrize(("rule", "shapes"), [
    (lambda g, y, a, b: g * b * (1 if np.shape(a) == np.shape(y) else 2), "(float64 (3,), float64 (2, 1))"),
    (lambda g, y, a, b: np.swapaxes(np.swapaxes(g, 0, -1), 0, -1) * b, "(array(1.), array(1.))"),
    (lambda g, y, a, b: g * b + 0 * np.max(g), "(float64 (2, 0), float64 (2, 0))"),
])
def test_the_suite_finds_a_rule_that_is_wrong_for_shapes_that_no_case_has(rule, shapes):
    @tg.op(vjp=(rule, lambda g, y, a, b: g * a), numpy=np.multiply)
    def wrong(a, b):
        return np.multiply(a, b)
    with pytest.raises(tg.GradientError, match=rf"case \d {re.escape(shapes)}: first order: "):
        check_op(wrong, [Case(np.ones(2), np.ones(2))])


@pytest.mark.usefixtures("registry")
def test_the_suite_finds_an_op_that_numpy_does_not_reach():
    @tg.op(vjp=(lambda g, y, x: g,), numpy=np.fix)
    def fixed(x):
        return np.fix(x)
    del BY_NUMPY[np.fix]
    with pytest.raises(tg.TinygraphError, match=r"tensors: raised UnsupportedError: .*fix has no op"):
        check_op(fixed, [Case(np.array([1.5]))])


def test_the_suite_finds_gradients_that_share_memory(monkeypatch):
    monkeypatch.setattr(backward, "_own", lambda c: c)
    with pytest.raises(tg.GradientError, match=r"own gradient: .*shares memory"):
        check_op("add", [Case(np.ones(2), np.ones(2))])


def test_the_report_names_the_input_and_says_by_how_much(registry):
    @tg.op(vjp=(lambda g, y, a, b: g * b, lambda g, y, a, b: g * a * 1.001))
    def times(a, b):
        return a * b
    with pytest.raises(tg.GradientError) as caught:
        check_op(times, [Case(np.array([1.0, 2.0]), np.array([3.0, 4.0]))])
    first = next(line for line in str(caught.value).splitlines() if "first order" in line)
    assert "times fails" in str(caught.value)
    assert "input 1 (b, float64 (2,))" in first
    assert "differ by" in first


def test_a_case_is_not_tried_for_what_it_says():
    report = check_op("exp", [Case(np.ones(2)).without("second order")])
    assert "second order" not in report.worst
    with pytest.raises(tg.ArgumentError, match="no such properties"):
        check_op("exp", [Case(1.0).without("fourth order")])
    assert str(report).startswith("exp: 3 cases")
    assert str(check_op("add", [Case(np.ones(2), np.ones(2))])).startswith("add: 4 cases")


def test_an_op_without_cases_is_an_error():
    with pytest.raises(tg.TinygraphError, match=r"a case is a tinygraph\.testing\.Case\(x, \.\.\.\), and not float64"):
        check_op("exp", np.ones((1, 2)))
    with pytest.raises(tg.TinygraphError, match="exp needs at least one case"):
        check_op("exp", [])


def test_a_stand_in_is_strict():
    s = StandIn(np.ones(2))
    for leave in (np.asarray, bool, lambda s: np.add(s, np.ones(2)), lambda s: np.stack([s, np.ones(2)])):
        with pytest.raises(TypeError, match="StandIn"):
            leave(s)


def test_the_properties_have_names_that_the_design_lists():
    assert list(PROPERTIES) == ["value", "tensors", "card", "strides", "stand-in", "first order", "linear in g",
                                "own gradient", "float32", "second order", "third order"]


# --- kinks, ties, zeros: one written rule each ------------------------------------------------------------------------

def gradient(f, *arrays):
    leaves = [tg.tensor(np.array(a, float), requires_grad=True) for a in arrays]
    f(*leaves).sum().backward()
    grads = [x.grad.tolist() for x in leaves]
    return grads[0] if len(grads) == 1 else grads


def test_relu_and_absolute_have_derivative_0_at_0():
    assert gradient(tg.relu, [-1, 0, 2]) == [0, 0, 1]
    assert gradient(tg.absolute, [-1, 0, 2]) == [-1, 0, 1]
    z = tg.tensor([0j, 3 + 4j], requires_grad=True)
    tg.absolute(z).sum().backward()
    np.testing.assert_allclose(z.grad, [0, 0.6 - 0.8j])


@pytest.mark.parametrize("f", [tg.max, tg.min])
def test_an_extreme_is_shared_equally_among_ties(f):
    assert gradient(f, [2, 2, 2, 2]) == [0.25] * 4
    assert gradient(lambda x: f(x, axis=1), [[1, 1, 1], [0, 0, 0]]) == [[1 / 3] * 3] * 2
    assert gradient(lambda x: f(x, axis=0), [[5, 1], [5, 1]]) == [[0.5, 0.5], [0.5, 0.5]]


@pytest.mark.parametrize("f", [tg.maximum, tg.minimum])
def test_of_two_that_tie_each_has_half(f):
    assert gradient(f, [1, 5], [1, 5]) == [[0.5, 0.5], [0.5, 0.5]]


def test_clip_passes_the_gradient_at_its_bounds():
    assert gradient(lambda x: tg.clip(x, 0, 1), [-0.5, 0, 0.5, 1, 1.5]) == [0, 1, 1, 1, 0]


@pytest.mark.parametrize("f", [
    tg.linalg.norm, tg.linalg.vector_norm, tg.std, lambda x: tg.hypot(x[0], x[1]), lambda x: tg.arctan2(x[0], x[1]),
    lambda x: tg.absolute(x[0] + 1j * x[1]), lambda x: tg.linalg.norm(x + 0j)])
def test_lengths_and_angles_at_zero_have_derivatives_0(f):
    assert gradient(f, [0, 0]) == [0, 0]
    np.testing.assert_array_equal(tg.hessian(f)(np.zeros(2)), np.zeros((2, 2)))


@pytest.mark.parametrize("size", [1e-200, 1e200])
def test_the_angle_of_a_point_near_or_far_keeps_its_derivative(size):
    np.testing.assert_allclose(gradient(tg.arctan2, size, size), [0.5 / size, -0.5 / size])


def test_the_square_root_at_zero_is_infinite_and_no_division_error():
    with np.errstate(divide="ignore"):
        assert tg.grad(tg.sqrt)(0.0) == np.inf
        assert gradient(tg.sqrt, 0.0) == np.inf


def test_powers_at_zero():
    assert gradient(lambda x: x ** 2, 0.0) == 0
    assert gradient(lambda x: x ** 1, 0.0) == 1
    assert gradient(lambda x: x ** 0, 0.0) == 0
    assert gradient(lambda x, p: x ** p, [0, 0, 0], [2, 1, 0]) == [[0, 1, 0], [0, 0, 0]]


def test_where_leaks_nothing_from_the_branch_not_taken():
    x = tg.tensor([-1.0, 0.0, 4.0], requires_grad=True)
    with np.errstate(all="ignore"):
        tg.where(x > 0, tg.sqrt(tg.where(x > 0, x, 1)), 0).sum().backward()
    assert x.grad.tolist() == [0, 0, 0.25]


@pytest.mark.parametrize(("x", "wanted"), [([2, 3, 4], [12, 8, 6]), ([0, 3, 4], [12, 0, 0]), ([0, 0, 4], [0, 0, 0])])
def test_prod_is_exact_with_zeros(x, wanted):
    assert gradient(tg.prod, x) == wanted


@pytest.mark.parametrize("zeros", [(), (0,), (1, 3), (0, 1, 2)])
def test_prod_and_cumprod_are_exact_with_zeros_to_second_order(zeros):
    """Products are polynomials: their second derivatives are products of what is left, whole numbers here."""
    x = np.array([2.0, 3.0, 5.0, 7.0])
    x[list(zeros)] = 0
    n = len(x)
    for f, parts in ((tg.prod, [n]), (lambda t: tg.cumprod(t).sum(), range(1, n + 1))):
        for i in range(n):
            row = tg.grad(lambda t, f=f, i=i: tg.grad(f)(t)[i])(x)
            for j in range(n):
                left = [np.prod([x[k] for k in range(m) if k not in (i, j)]) for m in parts if max(i, j) < m and i != j]
                assert row[j] == sum(left)


def test_a_long_running_product_has_the_derivative_of_its_definition(rng):
    x = rng.uniform(0.5, 1.5, 37)
    x[[5, 20]] = 0
    g = rng.standard_normal(37)
    wanted = [sum(g[j] * np.prod(np.delete(x[:j + 1], i)) for j in range(i, 37)) for i in range(37)]
    _, pull = tg.vjp(tg.cumprod, x)
    np.testing.assert_allclose(pull(g)[0], wanted, rtol=1e-12, atol=1e-14)


def test_gathering_an_element_twice_adds_its_gradients():
    assert gradient(lambda x: x[[0, 0, 2]], [1, 2, 3]) == [2, 0, 1]
    assert gradient(lambda x: tg.take(x, [[1, 1], [1, 0]]), [1, 2, 3]) == [1, 3, 0]


def test_writing_an_element_twice_leaves_the_last_writer_alone():
    def f(x, v):
        return tg.setitem(x, [0, 0], v)
    assert gradient(f, [1, 2], [7, 8]) == [[0, 1], [0, 1]]


def test_a_part_of_a_split_that_nobody_uses_has_gradient_0():
    assert gradient(lambda x: tg.split(x, 3)[1], [1, 2, 3]) == [0, 1, 0]
    assert isinstance(tg.split(tg.tensor([1.0]), 1), list)


def test_batched_matmul_sums_over_broadcast_axes():
    grads = gradient(lambda a, b: a @ b, np.ones((5, 2, 3)), np.ones((3, 4)))
    assert np.shape(grads[1]) == (3, 4)
    assert np.unique(grads[1]).tolist() == [10]


def test_a_list_of_tensors_is_an_array():
    def f(x):
        return (tg.linalg.norm([x, x + 2]) + tg.average([[x, 1.0]], weights=[[1, x]]) + (tg.ones(2) * x + [x, 1]).sum()
                + tg.append([x, x * x], 3.0).prod() + tg.cross([x, 1, 2], [[3, x, 1]]).sum())
    tg.check_grads(f, 0.5, modes=("rev", "fwd"))


def test_join_takes_tensors_within_lists():
    a, b = tg.tensor(1.0, requires_grad=True), tg.tensor(2.0, requires_grad=True)
    tg.concatenate([[a, b], np.zeros(2)])[:2].sum().backward()
    assert (a.grad, b.grad) == (1, 1)


@pytest.mark.parametrize("big", [1e4, -1e4])
def test_log_sum_exp_stays_finite(big):
    # exp(x - y) keeps the rounding of y, which is 1e-12 at this size.
    np.testing.assert_allclose(gradient(tg.logsumexp, [big, big]), [0.5, 0.5], rtol=1e-12)
    np.testing.assert_allclose(gradient(tg.logaddexp, big, big), [0.5, 0.5], rtol=1e-12)


@pytest.mark.parametrize("f", [tg.logaddexp, tg.logaddexp2])
def test_the_shares_of_a_logarithmic_sum_are_exact_where_it_is_rounded(f):
    assert gradient(f, [1e20, np.inf, -np.inf, np.inf], [1e20, 1.0, 1.0, np.inf]) == [
        [0.5, 1, 0, 0.5], [0.5, 0, 1, 0.5]]


def test_log_sum_exp_of_nothing():
    assert gradient(tg.logsumexp, [-np.inf, -np.inf]) == [0, 0]
    assert gradient(tg.logaddexp, -np.inf, -np.inf) == [0, 0]


def test_variance_of_too_few_is_nan_as_in_numpy():
    x = tg.tensor([1.0], requires_grad=True)
    with np.errstate(all="ignore"), pytest.warns(RuntimeWarning):
        y = tg.var(x, ddof=1)
    assert np.isnan(y.data)


@pytest.mark.parametrize("call", [
    lambda x: tg.log(x), lambda x: 1 / x, lambda x: x / np.zeros(2), lambda x: tg.sum(1 / x),
    lambda x: tg.scipy.stats.norm.logpdf(x, scale=1 / x)])
def test_a_warning_that_is_an_error_stays_what_it_is(call):
    x = tg.tensor([0.0, 1.0], requires_grad=True)
    with pytest.raises(RuntimeWarning, match="divide by zero"):
        call(x)
    with np.errstate(all="raise"), pytest.raises(FloatingPointError, match="divide by zero"):
        call(x)


@pytest.mark.parametrize("call", [
    lambda a: tg.astype(a, int), lambda a: a.astype(bool), lambda a: tg.linalg.lstsq(a, a)[2],
    lambda a: tg.frexp(a)[1], lambda a: tg.sum(a, dtype=int), lambda a: tg.linspace(a, a + 3, 4, dtype=int),
    lambda a: tg.unique(a, return_index=True)[1], lambda a: a // 1, lambda a: tg.argsort(a)])
def test_whole_numbers_carry_no_gradient(call):
    y = call(tg.tensor([[0.5, 1.5], [2.5, 0.2]], requires_grad=True))
    assert not y.requires_grad
    assert y.is_leaf


def test_out_and_unknown_keywords_are_refused_by_name():
    x = tg.tensor(np.ones(3))
    with pytest.raises(tg.UnsupportedError, match=r"sum: out= would overwrite .*test_ops\.py"):
        np.sum(x, out=np.zeros(()))
    with pytest.raises(tg.UnsupportedError, match=r"dot: out= would overwrite .*test_ops\.py"):
        np.dot(x, x, out=np.zeros(()))
    assert tg.dot(x, x, out=None).data == 3
    with pytest.raises(tg.UnsupportedError, match=r"exp.*where.*it takes exp\(x"):
        np.exp(x, where=np.ones(3, bool))
