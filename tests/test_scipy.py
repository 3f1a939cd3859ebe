"""SciPy's names: where its functions are found, how they are loaded, and its distributions held against SciPy's own."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import scipy.special
import scipy.stats

import tinygraph as tg
from tinygraph.core.op import COMPOSED, OPS

stats = tg.scipy.stats

CONTINUOUS = {
    "norm": [(), (0.3, 2.0)], "t": [(3.0,), (2.5, 0.1, 2.0)], "gamma": [(2.5,), (1.0, 0.1, 2.0)],
    "beta": [(2.0, 0.5), (1.5, 3.0, -0.5, 2.0)], "chi2": [(3.0,), (2.0, -0.5, 1.5)],
}
EVERY = [(name, args) for name, several in CONTINUOUS.items() for args in several]
X = np.array([-1.1, 0.0, 0.2, 0.7, 1.0, 3.0])


# --- names and loading ------------------------------------------------------------------------------------------------

def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout


def test_scipy_is_loaded_by_the_first_call():
    out = run("import sys, tinygraph as tg; f = tg.scipy.special.erf; print('scipy' in sys.modules); f(0.5);"
              "print('scipy' in sys.modules)")
    assert out.split() == ["False", "True"]


def test_without_scipy_the_error_says_how_to_install_it():
    out = run("import sys; sys.modules['scipy'] = None\n"
              "import tinygraph as tg\n"
              "for x in 0.5, tg.tensor(0.5, requires_grad=True):\n"
              "    try:\n"
              "        tg.scipy.special.erf(x)\n"
              "    except tg.MissingDependencyError as error:\n"
              "        print(error)\n"
              "print(tg.scipy.special.softmax([0.0, 0.0]))")
    first, second, softmax = out.splitlines()
    assert first == second == ("scipy.special.erf needs scipy, which is not installed: "
                               "pip install 'tinygraph[scipy]' (<string>:5)")
    assert softmax == "[0.5 0.5]"


def test_scipys_own_functions_find_their_ops():
    x = tg.tensor([0.5, 1.5], requires_grad=True)
    for name in ("erf", "psi", "digamma", "jn", "gammaln", "i0"):
        y = getattr(scipy.special, name)(*((2, x) if name == "jn" else (x,)))
        assert y.node.op is OPS[getattr(tg.scipy.special, name).name]
        np.testing.assert_array_equal(y.data, getattr(tg.scipy.special, name)(*((2, x) if name == "jn" else (x,))).data)
    assert scipy.special.zeta(2.0, x).requires_grad
    assert np.i0(x).node.op is OPS["i0"]


def test_a_function_of_scipy_without_an_op_is_named():
    with pytest.raises(tg.UnsupportedError, match="airy has no op in tinygraph"):
        scipy.special.airy(tg.tensor(1.0))


def test_every_name_is_scipys():
    for name in tg.scipy.special.__all__:
        assert callable(getattr(scipy.special, name))
        assert getattr(tg.scipy.special, name) in [*OPS.values(), *COMPOSED.values()]
    for name in stats.__all__:
        assert hasattr(scipy.stats, name)


# --- orders, tails, singular points -----------------------------------------------------------------------------------

def nth_derivative(f, n):
    for _ in range(n):
        f = tg.grad(f)
    return f


@pytest.mark.parametrize("n", range(5))
def test_derivatives_of_every_order(n):
    x = 0.7
    gammas = [scipy.special.gammaln(x), *(scipy.special.polygamma(k, x) for k in range(4))]
    np.testing.assert_allclose(nth_derivative(tg.scipy.special.gammaln, n)(x), gammas[n], rtol=1e-13)
    for f, kind in ((tg.scipy.special.j0, scipy.special.jvp), (tg.scipy.special.i0, scipy.special.ivp),
                    (tg.i0, scipy.special.ivp), (tg.scipy.special.y0, scipy.special.yvp)):
        np.testing.assert_allclose(nth_derivative(f, n)(x), kind(0, x, n), rtol=1e-12)
    hermite = [1, 2 * x, 4 * x ** 2 - 2, 8 * x ** 3 - 12 * x]
    wanted = scipy.special.erf(x) if n == 0 else (-1) ** (n - 1) * hermite[n - 1] * 2 / np.sqrt(np.pi) * np.exp(-x * x)
    np.testing.assert_allclose(nth_derivative(tg.scipy.special.erf, n)(x), wanted, rtol=1e-13)


@pytest.mark.parametrize("n", range(7))
def test_sinc_and_i0_are_exact_at_zero_to_every_order(n):
    """Maclaurin's coefficients: sinc's are (-1)^k π^2k / (2k + 1), those of I₀ are (2k)! / (2^k k!)²."""
    k = n // 2
    sinc = 0 if n % 2 else (-1) ** k * np.pi ** n / (n + 1)
    np.testing.assert_allclose(nth_derivative(tg.sinc, n)(0.0), sinc, rtol=1e-14)
    i0 = 0 if n % 2 else np.prod(np.arange(1.0, n + 1)) / (2 ** k * np.prod(np.arange(1.0, k + 1))) ** 2
    np.testing.assert_allclose(nth_derivative(tg.i0, n)(0.0), i0, rtol=1e-14, atol=1e-14)


def test_tails_stay_finite_and_exact():
    x = np.array([-1e4, -40.0, 0.0, 40.0])
    log_ndtr = tg.grad(lambda x: tg.scipy.special.log_ndtr(x).sum())(x)
    np.testing.assert_allclose(log_ndtr, [1e4 + 1e-4, 40.0249688472, np.sqrt(2 / np.pi), 0], rtol=1e-10, atol=1e-300)
    np.testing.assert_allclose(tg.grad(lambda x: tg.scipy.special.expit(x).sum())(x)[3], np.exp(-40), rtol=1e-14)
    np.testing.assert_allclose(tg.grad(lambda x: tg.scipy.special.log_expit(x).sum())(x)[:2], [1, 1])


def test_products_with_the_logarithm_of_zero():
    for f, zero in ((tg.scipy.special.xlogy, 0.0), (tg.scipy.special.xlog1py, -1.0)):
        x, y = tg.tensor(0.0, requires_grad=True), tg.tensor(zero, requires_grad=True)
        f(x, y).backward()
        assert (x.grad, y.grad) == (0, 0)


def test_log_sum_exp_of_what_has_no_weight():
    a, b = tg.tensor([900.0, 1.0, 2.0], requires_grad=True), tg.tensor([0.0, 1.0, 1.0], requires_grad=True)
    tg.scipy.special.logsumexp(a, b=b).backward()
    np.testing.assert_allclose(a.grad, [0, *scipy.special.softmax([1.0, 2.0])])
    np.testing.assert_allclose(b.grad[1:], np.exp([1.0, 2.0]) / np.exp([1.0, 2.0]).sum())
    with np.errstate(invalid="ignore"):
        assert np.isnan(tg.scipy.special.logsumexp(tg.tensor([0.0, 1.0]), b=[1.0, -1.0]).data)


# --- distributions ----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("name", "args"), EVERY)
@pytest.mark.parametrize("method", ["logpdf", "pdf", "cdf", "sf", "logcdf", "logsf"])
def test_distributions_have_scipys_values(name, args, method):
    with np.errstate(divide="ignore"):
        ours = getattr(getattr(stats, name), method)(X, *args)
        np.testing.assert_allclose(ours, getattr(getattr(scipy.stats, name), method)(X, *args), rtol=1e-10)


@pytest.mark.parametrize(("name", "args"), EVERY)
def test_log_densities_differentiate_in_every_argument(name, args, rng):
    distribution = getattr(stats, name)
    x = np.array(getattr(scipy.stats, name).ppf(rng.uniform(0.2, 0.8, 4), *args))
    tg.check_grads(distribution.logpdf, (x, *args), modes=("rev", "fwd"))
    shapes, moves = args[:len(distribution.arguments) - 2], args[len(distribution.arguments) - 2:]
    tg.check_grads(lambda x, *moves: distribution.cdf(x, *shapes, *moves), (x, *moves))


def test_arguments_have_scipys_names_and_broadcast(rng):
    x, df, scale = rng.uniform(1, 2, (4, 1)), rng.uniform(1, 2, 3), np.array([2.0])
    np.testing.assert_allclose(stats.t.logpdf(x, df=df, scale=scale), scipy.stats.t.logpdf(x, df=df, scale=scale))
    tg.check_grads(lambda df, scale: stats.t.logpdf(x, df=df, scale=scale), (df, scale))


@pytest.mark.parametrize(("args", "keywords"), [
    ((), {}), ((1.0, 2.0, 3.0, 4.0), {}), ((1.0,), {"df": 1.0}), ((1.0,), {"a": 1})])
def test_arguments_that_do_not_fit_are_refused(args, keywords):
    with pytest.raises(tg.UnsupportedError, match=r"t takes \(df, loc, scale\) after x, .*test_scipy\.py"):
        stats.t.logpdf(1.0, *args, **keywords)


def test_outside_the_support_nothing_flows_and_nothing_leaks():
    x = tg.tensor([-1.0, 0.5, 2.0], requires_grad=True)
    y = stats.beta.logpdf(x, 2.0, 3.0)
    assert y.data[[0, 2]].tolist() == [-np.inf, -np.inf]
    y[1].backward()
    np.testing.assert_allclose(x.grad, [0, 1 / 0.5 - 2 / 0.5, 0])
    assert np.isnan(stats.norm.logpdf(tg.tensor(1.0), scale=-1).data)
    assert np.isnan(stats.gamma.logpdf(1.0, np.array([-1.0]))).all()


def test_poisson(rng):
    k, mu = np.array([-1, 0, 2, 2.5, 7]), rng.uniform(1, 3, 5)
    for method in ("logpmf", "pmf", "cdf"):
        wanted = getattr(scipy.stats.poisson, method)(k, mu)
        np.testing.assert_allclose(getattr(stats.poisson, method)(k, mu, 0), wanted)
    tg.check_grads(lambda mu: stats.poisson.logpmf(np.array([0, 3, 1]), mu), mu[:3], modes=("rev", "fwd"))
    tg.check_grads(lambda mu: stats.poisson.cdf(np.array([0, 3, 1]), mu), mu[:3])
    assert np.isfinite(tg.grad(stats.poisson.logcdf, 1)(2, 1.5))


def covariance(rng, n):
    a = rng.standard_normal((n, n))
    return a @ a.T + np.eye(n)


def test_multivariate_normal_has_scipys_values(rng):
    cov, x, mean = covariance(rng, 3), rng.standard_normal((4, 3)), rng.standard_normal(3)
    for args in [(x, mean, cov), (x[0], mean, cov), (x, mean, 2.0), (x, mean, np.array([1.0, 2, 3])), (x[:, 0],),
                 (0.3, 0.1, 2.0), (x, None, cov), (np.stack([x, x]), mean, cov)]:
        ours, theirs = (module.multivariate_normal.logpdf(*args) for module in (stats, scipy.stats))
        assert np.shape(ours) == np.shape(theirs)
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)
        np.testing.assert_allclose(stats.multivariate_normal.pdf(*args), np.exp(theirs), rtol=1e-12)
    np.testing.assert_allclose(stats.multivariate_normal.entropy(mean, cov),
                               scipy.stats.multivariate_normal.entropy(mean, cov))


def test_multivariate_normal_differentiates_in_every_argument(rng):
    cov, x, mean = covariance(rng, 3), rng.standard_normal((4, 3)), rng.standard_normal(3)

    def log_density(x, mean, cov):
        return stats.multivariate_normal.logpdf(x, mean, (cov + np.swapaxes(cov, 0, 1)) / 2)
    tg.check_grads(log_density, (x, mean, cov), modes=("rev", "fwd"))
    for small in (np.array([1.0, 2.0, 3.0]), 2.0):
        tg.check_grads(stats.multivariate_normal.logpdf, (x, mean, small))


def test_multivariate_normal_refuses_what_does_not_fit(rng):
    with pytest.raises(tg.ShapeError, match=r"cov of shape \(2, 2\) in 3 dimensions.*test_scipy\.py"):
        stats.multivariate_normal.logpdf(np.zeros(3), np.zeros(3), np.eye(2))
    with pytest.raises(tg.ShapeError, match=r"x of shape \(1, 2\) in 3 dimensions"):
        stats.multivariate_normal.logpdf(np.zeros(2), np.zeros(3), np.eye(3))


def test_a_singular_covariance_has_a_density_where_there_is_room(rng):
    beside = np.array([[0.3, 0.2, 0.0], [0.3, 0.2, 0.1]])
    root = rng.standard_normal((3, 2))
    for x, cov in ((beside, np.diag([1.0, 2.0, 0.0])), (rng.standard_normal((4, 2)) @ root.T, root @ root.T),
                   (beside, root @ root.T + np.eye(3)), (beside, np.array([1.0, 2.0, 0.0]))):
        np.testing.assert_allclose(stats.multivariate_normal.logpdf(x, np.zeros(3), cov, allow_singular=True),
                                   scipy.stats.multivariate_normal.logpdf(x, np.zeros(3), cov, allow_singular=True))

    def f(z, root):
        x, cov = np.append(z, 0.0), np.pad(root @ root.T, (0, 1))
        return stats.multivariate_normal.logpdf(x, np.zeros(3), cov, allow_singular=True)
    tg.check_grads(f, (rng.standard_normal(2), np.eye(2) + 0.1), modes=("rev", "fwd"))


def test_dirichlet(rng):
    alpha = np.array([1.5, 2.0, 3.0])
    one, several = rng.dirichlet(9 * alpha), rng.dirichlet(9 * alpha, 4).T
    for x in (one, one[:2], several, several[:2]):
        np.testing.assert_allclose(stats.dirichlet.logpdf(x, alpha), scipy.stats.dirichlet.logpdf(x, alpha))
        tg.check_grads(stats.dirichlet.logpdf, (x, alpha), modes=("rev", "fwd"))
    np.testing.assert_allclose(stats.dirichlet.pdf(several, alpha), scipy.stats.dirichlet.pdf(several, alpha))
    with pytest.raises(tg.ShapeError, match=r"dirichlet: 5 shares for 3 alphas; 3 or 2 are right"):
        stats.dirichlet.logpdf(np.ones(5) / 5, alpha)


def test_distributions_say_what_they_are():
    assert repr(stats.beta) == "<distribution beta(a, b, loc, scale)>"
    assert repr(stats.multivariate_normal) == "<distribution multivariate_normal(mean, cov)>"
    assert repr(stats.dirichlet) == "<distribution dirichlet(alpha)>"
