"""Where an elementwise op or a reduction has no derivative, or none of its own: one written rule each."""

from __future__ import annotations

import numpy as np
import pytest

import tinygraph as tg


def gradient(f, *arrays):
    leaves = [tg.tensor(np.array(a, float), requires_grad=True) for a in arrays]
    f(*leaves).sum().backward()
    grads = [x.grad.tolist() for x in leaves]
    return grads[0] if len(grads) == 1 else grads


# --- elementwise ------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("f", [tg.fmax, tg.fmin])
def test_of_two_that_tie_each_has_half_and_a_number_wins_against_none(f):
    assert gradient(f, [1, np.nan, 3], [1, 2, np.nan]) == [[0.5, 0, 1], [0.5, 1, 0]]


def test_kinks_at_zero():
    assert gradient(tg.fabs, [-1, 0, 2]) == [-1, 0, 1]
    assert gradient(tg.copysign, [-1, 0, 2], [1, 1, -1]) == [[-1, 0, -1], [0, 0, 0]]
    assert gradient(tg.heaviside, [-1, 0, 2], [5, 5, 5]) == [[0, 0, 0], [0, 1, 0]]
    assert gradient(tg.scipy.special.i0e, [0]) == [0]
    with np.errstate(divide="ignore"):
        assert gradient(tg.cbrt, [0]) == [np.inf]


def test_the_angle_of_zero_has_derivative_0():
    z = tg.tensor([0j, 1j], requires_grad=True)
    tg.angle(z).sum().backward()
    np.testing.assert_allclose(z.grad, [0, -1])  # it falls as i turns towards 1
    assert gradient(tg.angle, [-1, 0, 1]) == [0, 0, 0]


def test_no_gradient_flows_where_a_number_was_put():
    assert gradient(lambda x: tg.nan_to_num(x, posinf=1.0, neginf=0.0), [1, np.nan, np.inf, -np.inf]) == [1, 0, 0, 0]
    with pytest.raises(tg.UnsupportedError, match=r"nan_to_num: copy=False would overwrite .*test_singular_points\.py"):
        np.nan_to_num(tg.tensor(1.0), copy=False)


def test_remainders_differentiate_as_they_were_rounded():
    """1.0 / 0.1 is 10 in floating point, but 0.1 goes into 1.0 nine times, and 0.09999999999999995 is left."""
    assert gradient(tg.fmod, [1.0, -1.0], [0.1, 0.1]) == [[1, 1], [-9, 9]]


def test_whole_and_fractional_parts():
    x = tg.tensor([5.25, -5.25], requires_grad=True)
    fraction, whole = np.modf(x)
    assert (fraction.data.tolist(), whole.data.tolist()) == ([0.25, -0.25], [5, -5])
    assert not whole.requires_grad
    mantissa, exponent = np.frexp(x)
    assert exponent.data.tolist() == [3, 3]
    mantissa.sum().backward()
    assert x.grad.tolist() == [0.125, 0.125]
    assert [np.modf(tg.tensor(np.inf))[0].item(), np.modf(tg.tensor(-np.inf))[1].item()] == [0, -np.inf]


# --- the keywords of a ufunc ------------------------------------------------------------------------------------------

def test_dtype_is_what_a_ufunc_computes_in():
    x = tg.tensor([0.1, 0.2], requires_grad=True)
    for y in (np.add(x, 1, dtype=np.float32), tg.add(x, 1, dtype=np.float32)):
        assert y.dtype == np.float32
        np.testing.assert_array_equal(y.data, np.add(x.data, 1, dtype=np.float32))
        y.sum().backward()
    assert x.grad.tolist() == [2, 2]
    assert np.exp(x, dtype=complex).dtype == complex
    assert np.add(x, [1, 2], dtype=None, where=True, casting="same_kind").dtype == float
    with pytest.raises(tg.DTypeError, match=r"add: dtype=int64 cannot hold what float64 holds .*singular_points\.py"):
        np.add(x, 1, dtype=np.int64)


@pytest.mark.parametrize(("keyword", "value"), [
    ("where", np.array([True])), ("casting", "unsafe"), ("order", "F"), ("subok", False)])
def test_other_keywords_of_a_ufunc_are_refused_by_name(keyword, value):
    for f in (np.add, tg.add):
        with pytest.raises(tg.UnsupportedError, match=rf"add: {keyword}= is not supported.*it takes add\(a, b\)"):
            f(tg.tensor([1.0]), 1, **{keyword: value})


@pytest.mark.parametrize(("ufunc", "function"), [
    (np.fmax, np.nanmax), (np.fmin, np.nanmin), (np.logaddexp, tg.logsumexp), (np.add, np.sum)])
def test_reducing_by_a_ufunc(ufunc, function):
    x = np.array([[0.5, 1.5], [2.5, -1.0]])
    t = tg.tensor(x, requires_grad=True)
    ufunc.reduce(t).sum().backward()
    np.testing.assert_allclose(t.grad, tg.grad(lambda t: function(t, axis=0).sum())(x), rtol=1e-14)
    np.testing.assert_allclose(ufunc.reduce(t, axis=1).data, ufunc.reduce(x, axis=1))


# --- reductions -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("f", [tg.nansum, tg.nanprod, tg.nanmean, tg.nanmax, tg.nanvar, tg.nancumsum, tg.nanmedian])
def test_what_is_no_number_has_gradient_0(f):
    assert gradient(f, [1, np.nan, 3])[1] == 0
    assert np.isfinite(gradient(f, [1, np.nan, 3])).all()


def test_the_mean_of_no_number_leaks_nothing():
    x = tg.tensor([[np.nan, np.nan], [1.0, 3.0]], requires_grad=True)
    with pytest.warns(RuntimeWarning, match="empty slice"):
        y = tg.nanmean(x, axis=1)
    y[1].backward()
    assert x.grad.tolist() == [[0, 0], [0.5, 0.5]]


def test_ties_of_nan_extremes_share():
    assert gradient(tg.nanmax, [2, np.nan, 2]) == [0.5, 0, 0.5]


def test_weights_that_sum_to_zero_and_weights_that_do_not_fit():
    x = tg.tensor(np.ones((2, 3)), requires_grad=True)
    with pytest.raises(tg.ArgumentError, match=r"average: the weights sum to zero.*test_singular_points\.py"):
        np.average(x, axis=1, weights=np.array([1.0, -1.0, 0.0]))
    with pytest.raises(tg.ShapeError, match=r"average: weights of shape \(2,\) .* axis=1: \(3,\) would fit"):
        np.average(x, axis=1, weights=np.ones(2))
    with pytest.raises(tg.ShapeError, match=r"average: weights of shape \(3,\) .* need an axis"):
        np.average(x, weights=np.ones(3))


def test_a_range_of_ties():
    assert gradient(np.ptp, [1, 1, 4]) == [-0.5, -0.5, 1]


def test_a_running_sum_of_many_axes_needs_one():
    with pytest.raises(tg.ArgumentError, match=r"cumulative_sum: .*shape \(2, 2\) has several axes.*\.py"):
        tg.cumulative_sum(tg.tensor(np.ones((2, 2))))


# --- quantiles --------------------------------------------------------------------------------------------------------

def test_a_median_belongs_to_the_middle_elements():
    assert gradient(np.median, [5, 1, 3]) == [0, 0, 1]
    assert gradient(np.median, [5, 1, 3, 4]) == [0, 0, 0.5, 0.5]
    assert gradient(np.nanmedian, [5, np.nan, 1]) == [0.5, 0, 0.5]
    assert gradient(np.nanmedian, [[np.nan], [2]]) == [[0], [1]]


def test_among_ties_a_quantile_belongs_to_the_first():
    assert gradient(np.median, [2, 2, 2]) == [0, 1, 0]
    assert gradient(lambda x: np.quantile(x, 0.0), [2, 2, 2]) == [1, 0, 0]
    assert sum(gradient(lambda x: np.quantile(x, 0.3), [2, 2, 2, 2])) == 1


def test_where_q_falls_on_an_element_its_slope_is_that_to_the_next():
    x = np.array([10.0, 0.0, 30.0])
    slopes = [tg.grad(lambda q: np.quantile(x, q))(q) for q in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert slopes == [20, 20, 40, 40, 40]
    assert tg.grad(lambda q: np.percentile(x, q))(25.0) == 0.2
    assert tg.grad(lambda q: np.quantile(x, q, method="nearest"))(0.4) == 0


def test_an_array_of_q_puts_its_axes_in_front():
    x, q = np.arange(12.0).reshape(3, 4), np.array([[0.1], [0.5]])
    t = tg.tensor(x, requires_grad=True)
    y = tg.quantile(t, q, axis=0, keepdims=True)
    assert y.shape == (2, 1, 1, 4)
    y.sum().backward()
    np.testing.assert_allclose(t.grad, np.repeat([[0.8], [1.2], [0]], 4, axis=1))
    assert tg.quantile(t, [0.1, 0.5]).shape == (2,)


def test_a_quantile_by_an_unknown_method_is_refused():
    with pytest.raises(tg.TinygraphError, match=r"quantile\(.*method='cubic'.*\): 'cubic' is not a valid method"):
        tg.quantile(tg.tensor([1.0, 2.0]), 0.5, method="cubic")


def test_nothing_is_written_by_a_median_that_may_overwrite():
    x = np.array([3.0, 1.0, 2.0])
    assert np.median(tg.tensor(x, requires_grad=True), overwrite_input=True).item() == 2
    assert x.tolist() == [3, 1, 2]
