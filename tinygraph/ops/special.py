"""SciPy's special functions: error functions, the normal and the logistic distribution, entropies, log-sum-exp.

An op names SciPy's function as a string, so that SciPy is imported by the first call and not before.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygraph.core.arguments import Array
from tinygraph.core.card import imported
from tinygraph.core.kinds import Constant, composed
from tinygraph.core.op import as_array, op
from tinygraph.ops import loss, reduction

ROOT_PI, ROOT_2_PI, ROOT_HALF = math.sqrt(math.pi), math.sqrt(2 * math.pi), math.sqrt(0.5)


def _size(y: Array, *inputs: Array, **params: Any) -> int:
    """One operation an element."""
    return int(np.size(y))


# --- error functions and the normal distribution ----------------------------------------------------------------------

@op(symbol="erf", numpy="scipy.special.erf", flops=_size,
    tex=(r"\frac{2}{\sqrt{\pi}} \exp(-X^2) g",), vjp=(lambda g, y, x: g * (2 / ROOT_PI * np.exp(-x * x)),))
def erf(x: Array) -> Array:
    """Error function, elementwise: 2/√π times the integral of exp(-t²) from 0 to x.

    >>> erf(0.0)
    np.float64(0.0)
    """
    return imported("scipy.special.erf")(x)


@op(symbol="erfc", numpy="scipy.special.erfc", flops=_size,
    tex=(r"-\frac{2}{\sqrt{\pi}} \exp(-X^2) g",), vjp=(lambda g, y, x: g * (-2 / ROOT_PI * np.exp(-x * x)),))
def erfc(x: Array) -> Array:
    """1 - erf(x), elementwise, exact where it is small.

    >>> erfc(0.0)
    np.float64(1.0)
    """
    return imported("scipy.special.erfc")(x)


@op(symbol="erfcx", numpy="scipy.special.erfcx", flops=_size,
    tex=(r"g \odot (2 X Y - \frac{2}{\sqrt{\pi}})",), vjp=(lambda g, y, x: g * (2 * x * y - 2 / ROOT_PI),))
def erfcx(x: Array) -> Array:
    """exp(x²) erfc(x), elementwise, which neither overflows nor vanishes as x grows.

    >>> erfcx(0.0)
    np.float64(1.0)
    """
    return imported("scipy.special.erfcx")(x)


@op(symbol="erf⁻¹", numpy="scipy.special.erfinv", flops=_size,
    tex=(r"\frac{\sqrt{\pi}}{2} \exp(Y^2) g",), vjp=(lambda g, y, x: g * (0.5 * ROOT_PI * np.exp(y * y)),))
def erfinv(x: Array) -> Array:
    """The number whose error function is x in (-1, 1), elementwise.

    >>> erfinv(0.0)
    np.float64(0.0)
    """
    return imported("scipy.special.erfinv")(x)


@op(symbol="erfc⁻¹", numpy="scipy.special.erfcinv", flops=_size,
    tex=(r"-\frac{\sqrt{\pi}}{2} \exp(Y^2) g",), vjp=(lambda g, y, x: g * (-0.5 * ROOT_PI * np.exp(y * y)),))
def erfcinv(x: Array) -> Array:
    """The number whose `erfc` is x in (0, 2), elementwise.

    >>> erfcinv(0.5).round(3)
    np.float64(0.477)
    """
    return imported("scipy.special.erfcinv")(x)


@op(symbol="Φ", numpy="scipy.special.ndtr", flops=_size,
    tex=(r"g \odot \phi(X)",), vjp=(lambda g, y, x: g * (np.exp(-0.5 * x * x) / ROOT_2_PI),))
def ndtr(x: Array) -> Array:
    """Φ(x), the standard normal distribution function, elementwise.

    >>> ndtr(0.0)
    np.float64(0.5)
    """
    return imported("scipy.special.ndtr")(x)


@op(symbol="Φ⁻¹", numpy="scipy.special.ndtri", flops=_size,
    tex=(r"\frac{1}{\phi(Y)} g",), vjp=(lambda g, y, x: g * (ROOT_2_PI * np.exp(0.5 * y * y)),))
def ndtri(x: Array) -> Array:
    """The number whose `ndtr` is x in (0, 1), elementwise.

    >>> ndtri(0.5)
    np.float64(0.0)
    """
    return imported("scipy.special.ndtri")(x)


def _log_ndtr_dx(g: Array, y: Array, x: Array) -> Array:
    # φ(x) / Φ(x): below 0 exp(-x²/2 - y) is a difference of large numbers, above it erfcx overflows.
    above = x > 0
    high, low = np.where(above, x, 0), np.where(above, 0, x)
    upper = np.exp(-0.5 * high * high - np.where(above, y, 0)) / ROOT_2_PI
    return g * np.where(above, upper, 2 / ROOT_2_PI / erfcx(-ROOT_HALF * low))


@op(symbol="log Φ", numpy="scipy.special.log_ndtr", flops=_size,
    tex=(r"\frac{\phi(X)}{\Phi(X)} g",), vjp=(_log_ndtr_dx,))
def log_ndtr(x: Array) -> Array:
    """log Φ(x), the logarithm of `ndtr`, elementwise, finite for any finite x.

    >>> log_ndtr(-10.0).round(2)
    np.float64(-53.23)
    """
    return imported("scipy.special.log_ndtr")(x)


# --- logistic function ------------------------------------------------------------------------------------------------

def _expit_dx(g: Array, y: Array, x: Array) -> Array:
    return g * (y * expit(-x))  # 1 - y would lose what is left of it where x is large


@op(symbol="σ", numpy="scipy.special.expit", flops=_size, tex=(r"g \odot Y \odot (1 - Y)",), vjp=(_expit_dx,))
def expit(x: Array) -> Array:
    """Logistic sigmoid, elementwise: 1 / (1 + exp(-x)). `tinygraph.sigmoid` needs no SciPy.

    >>> expit(0.0)
    np.float64(0.5)
    """
    return imported("scipy.special.expit")(x)


@op(symbol="logit", numpy="scipy.special.logit", flops=_size,
    tex=(r"\frac{1}{X (1 - X)} g",), vjp=(lambda g, y, x: g / (x * (1 - x)),))
def logit(x: Array) -> Array:
    """log(x / (1 - x)), elementwise, for x in (0, 1).

    >>> logit(0.5)
    np.float64(0.0)
    """
    return imported("scipy.special.logit")(x)


@op(symbol="log σ", numpy="scipy.special.log_expit", flops=_size,
    tex=(r"g \odot \sigma(-X)",), vjp=(lambda g, y, x: g * expit(-x),))
def log_expit(x: Array) -> Array:
    """Logarithm of `expit`, elementwise, finite for any finite x.

    >>> log_expit(-1000.0)
    np.float64(-1000.0)
    """
    return imported("scipy.special.log_expit")(x)


# --- entropies --------------------------------------------------------------------------------------------------------

@op(symbol="x log y", numpy="scipy.special.xlogy", flops=_size,
    tex=(r"g \log B", r"g \frac{A}{B}"),
    vjp=(lambda g, y, a, b: g * np.log(np.where((a == 0) & (b == 0), 1, b)),
         lambda g, y, a, b: g * (a / np.where((a == 0) & (b == 0), 1, b))))
def xlogy(a: Array, b: Array) -> Array:
    """a log(b), elementwise, and 0 where a is 0; its derivatives at (0, 0) are 0.

    >>> xlogy(0.0, 0.0)
    np.float64(0.0)
    """
    return imported("scipy.special.xlogy")(a, b)


@op(symbol="x log(1 + y)", numpy="scipy.special.xlog1py", flops=_size,
    tex=(r"g \log(1 + B)", r"g \frac{A}{1 + B}"),
    vjp=(lambda g, y, a, b: g * np.log1p(np.where((a == 0) & (b == -1), 0, b)),
         lambda g, y, a, b: g * (a / np.where((a == 0) & (b == -1), 1, 1 + b))))
def xlog1py(a: Array, b: Array) -> Array:
    """a log(1 + b), elementwise, and 0 where a is 0; its derivatives at (0, -1) are 0.

    >>> xlog1py(0.0, -1.0)
    np.float64(0.0)
    """
    return imported("scipy.special.xlog1py")(a, b)


@op(symbol="−x log x", numpy="scipy.special.entr", flops=_size,
    tex=(r"-g \odot (\log X + 1)",), vjp=(lambda g, y, x: -g * (np.log(x) + 1),))
def entr(x: Array) -> Array:
    """-x log(x), elementwise, 0 at 0; its derivative there is infinite.

    >>> entr(1.0) == 0
    np.True_
    """
    return imported("scipy.special.entr")(x)


@op(symbol="x log(x/y)", numpy="scipy.special.rel_entr", flops=_size,
    tex=(r"g \odot (\log \frac{P}{Q} + 1)", r"-g \frac{P}{Q}"),
    vjp=(lambda g, y, p, q: g * (np.log(p / q) + 1), lambda g, y, p, q: -g * (p / q)))
def rel_entr(p: Array, q: Array) -> Array:
    """p log(p / q), elementwise; its sum is the Kullback-Leibler divergence of two distributions.

    >>> rel_entr(0.5, 0.5)
    np.float64(0.0)
    """
    return imported("scipy.special.rel_entr")(p, q)


@op(symbol="KL", numpy="scipy.special.kl_div", flops=_size,
    tex=(r"g \log \frac{P}{Q}", r"g \odot (1 - \frac{P}{Q})"),
    vjp=(lambda g, y, p, q: g * np.log(p / q), lambda g, y, p, q: g * (1 - p / q)))
def kl_div(p: Array, q: Array) -> Array:
    """p log(p / q) - p + q, elementwise, which is never below 0.

    >>> kl_div(0.5, 0.5)
    np.float64(0.0)
    """
    return imported("scipy.special.kl_div")(p, q)


# --- what SciPy reduces: its signatures over ops that need no SciPy ---------------------------------------------------

_largest: Constant[..., Any] = Constant(np.max, "The largest element, which a derivative passes by.")


@composed(name="scipy.special.logsumexp")
def logsumexp(a: Array, axis: Any = None, b: Array = None, keepdims: bool = False, return_sign: bool = False) -> Any:
    """log Σ b exp(a), over all axes or those that ``axis`` names; for a negative sum NaN, or with its sign on request.

    >>> logsumexp(np.array([1000.0, 1000.0]), b=np.array([1.0, -2.0]), return_sign=True)
    (np.float64(1000.0), np.float64(-1.0))
    """
    a, b = as_array(a), as_array(b)
    if b is None and not return_sign:
        return reduction.logsumexp(a, axis, keepdims=keepdims)
    counted = np.real(a) if b is None else np.where(b == 0, -np.inf, np.real(a))
    top = _largest(counted, axis, keepdims=True)
    top = np.where(np.isfinite(top), top, 0)
    above = a - top
    if b is not None:  # what has no weight may stand above the top, but must not overflow
        limit = math.log(np.finfo(above.dtype).max)
        above = np.where(np.real(above) > limit, limit, above)
    e = np.exp(above) if b is None else b * np.exp(above)
    total = np.sum(e, axis, keepdims=keepdims)
    top = np.reshape(top, np.shape(total))
    if return_sign:
        return np.log(np.absolute(total)) + top, np.sign(total)
    return np.log(total) + top


@composed(name="scipy.special.softmax")
def softmax(x: Array, axis: Any = None) -> Array:
    """exp(x) scaled to sum to one over all axes, or over those that ``axis`` names.

    >>> softmax(np.zeros((2, 2)))
    array([[0.25, 0.25],
           [0.25, 0.25]])
    """
    return loss.softmax(x, axis)


@composed(name="scipy.special.log_softmax")
def log_softmax(x: Array, axis: Any = None) -> Array:
    """Logarithm of `softmax`, over all axes or those that ``axis`` names, without overflow.

    >>> log_softmax(np.array([0.0, -1e4]))
    array([     0., -10000.])
    """
    return loss.log_softmax(x, axis)
