"""Bessel functions: NumPy's `sinc` and `i0`, which need nothing else to any order, and SciPy's.

`sinc` and `i0` are means of cos and exp, so their derivatives are such means too, and one op gives them of any order.
The others have rules among themselves: a derivative is half the difference (or the sum) of the two neighbours.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygraph.core.arguments import Array
from tinygraph.core.card import imported
from tinygraph.core.op import op

__all__ = ["i0", "sinc"]

_POINTS = 64
_TERMS = 24


def _size(y: Array, *inputs: Array, **params: Any) -> int:
    """One operation an element."""
    return int(np.size(y))


# --- NumPy's ----------------------------------------------------------------------------------------------------------

def _sinc_dx(g: Array, y: Array, x: Array) -> Array:
    return g * sinc_derivative(x, 1)


def _sinc_derivative_dx(g: Array, y: Array, x: Array, *, n: int) -> Array:
    return g * sinc_derivative(x, n + 1)


def _i0_dx(g: Array, y: Array, x: Array) -> Array:
    return g * i0_derivative(x, 1)


def _i0_derivative_dx(g: Array, y: Array, x: Array, *, n: int) -> Array:
    return g * i0_derivative(x, n + 1)


@op(symbol="sinc", numpy=np.sinc, flops=_size, tex=(r"g \odot \operatorname{sinc}'(X)",), vjp=(_sinc_dx,))
def sinc(x: Array) -> Array:
    """sin(π x) / (π x), elementwise; 1 at 0. It is exact there to any order.

    >>> sinc(np.array([0.0, 0.5, 1.0])).round(3)
    array([1.   , 0.637, 0.   ])
    """
    return np.sinc(x)


def _near_zero(x: Array, n: int) -> Array:
    """Maclaurin's series of the n-th derivative of the integral over t from 0 to 1 of cos(x t)."""
    total = 0.0 * x
    for power in reversed(range(n % 2, n % 2 + 2 * _TERMS, 2)):
        sign = -1 if (n + power) % 4 else 1
        total = total * (x * x) + sign / (math.factorial(power) * (n + power + 1))
    return total * x if n % 2 else total


@op(symbol="sinc⁽ⁿ⁾", flops=_size, tex=(r"g \odot \operatorname{sinc}^{(N+1)}(X)",), vjp=(_sinc_derivative_dx,))
def sinc_derivative(x: Array, n: int) -> Array:
    """The n-th derivative of `sinc`, elementwise.

    With f(u) = sin(u) / u, u = π x, it is π**n times f⁽ⁿ⁾(u) = (sin⁽ⁿ⁾(u) - n f⁽ⁿ⁻¹⁾(u)) / u, which loses its figures
    where u is small; there Maclaurin's series of f is summed.

    >>> sinc_derivative(0.5, 1).round(3)
    np.float64(-1.273)
    """
    u = math.pi * x
    near = np.absolute(u) < 2 + n / 2
    far = np.where(near, 1, u)
    f = np.sin(far) / far
    for k in range(1, n + 1):
        turned = (np.sin, np.cos)[k % 2](far)
        f = ((-turned if k % 4 > 1 else turned) - k * f) / far
    return math.pi ** n * np.where(near, _near_zero(np.where(near, u, 0), n), f)


@op(symbol="I₀", numpy=np.i0, flops=_size, tex=(r"g \odot \mathrm{I}_1(X)",), vjp=(_i0_dx,))
def i0(x: Array) -> Array:
    """Modified Bessel function of the first kind and order 0, elementwise.

    >>> i0(np.array([0.0, 1.0])).round(3)
    array([1.   , 1.266])
    """
    return np.i0(x)


@op(symbol="I₀⁽ⁿ⁾", flops=lambda y, x, n: _POINTS * int(np.size(y)),
    tex=(r"g \odot \mathrm{I}_0^{(N+1)}(X)",), vjp=(_i0_derivative_dx,))
def i0_derivative(x: Array, n: int) -> Array:
    """The n-th derivative of `i0`, elementwise: the mean of cos(θ)**n exp(x cos θ) over the circle.

    The integrand is smooth and periodic, so the mean over equally spaced angles is exact to rounding for any x whose
    `i0` is finite (Trefethen and Weideman, "The exponentially convergent trapezoidal rule", SIAM Review 2014).

    >>> i0_derivative(np.array([0.0, 1.0]), 1).round(3)
    array([0.   , 0.565])
    """
    total = 0.0 * x
    for k in range(_POINTS):  # the other half of the circle has the same cosines with the other sign
        c = math.cos(math.pi * (k + 0.5) / (2 * _POINTS))
        total = total + c ** n / _POINTS * (np.cosh, np.sinh)[n % 2](c * x)
    return total


# --- SciPy's ----------------------------------------------------------------------------------------------------------

def _j0_dx(g: Array, y: Array, x: Array) -> Array:
    return -g * j1(x)


def _j1_dx(g: Array, y: Array, x: Array) -> Array:
    return g * 0.5 * (j0(x) - jv(2, x))


def _jv_dz(g: Array, y: Array, v: Array, z: Array) -> Array:
    return g * 0.5 * (jv(v - 1, z) - jv(v + 1, z))


def _y0_dx(g: Array, y: Array, x: Array) -> Array:
    return -g * y1(x)


def _y1_dx(g: Array, y: Array, x: Array) -> Array:
    return g * 0.5 * (y0(x) - yn(2, x))


def _yn_dx(g: Array, y: Array, n: Array, x: Array) -> Array:
    return g * 0.5 * (yn(n - 1, x) - yn(n + 1, x))


def _yv_dz(g: Array, y: Array, v: Array, z: Array) -> Array:
    return g * 0.5 * (yv(v - 1, z) - yv(v + 1, z))


def _scipy_i0_dx(g: Array, y: Array, x: Array) -> Array:
    return g * i1(x)


def _i1_dx(g: Array, y: Array, x: Array) -> Array:
    return g * 0.5 * (scipy_i0(x) + iv(2, x))


def _iv_dz(g: Array, y: Array, v: Array, z: Array) -> Array:
    return g * 0.5 * (iv(v - 1, z) + iv(v + 1, z))


def _i0e_dx(g: Array, y: Array, x: Array) -> Array:
    return g * (i1e(x) - np.sign(x) * y)


def _i1e_dx(g: Array, y: Array, x: Array) -> Array:
    return g * (0.5 * (i0e(x) + ive(2, x)) - np.sign(x) * y)


def _ive_dz(g: Array, y: Array, v: Array, z: Array) -> Array:
    return g * (0.5 * (ive(v - 1, z) + ive(v + 1, z)) - np.sign(z) * y)


def _k0_dx(g: Array, y: Array, x: Array) -> Array:
    return -g * k1(x)


def _k1_dx(g: Array, y: Array, x: Array) -> Array:
    return -g * 0.5 * (k0(x) + kv(2, x))


def _kv_dz(g: Array, y: Array, v: Array, z: Array) -> Array:
    return -g * 0.5 * (kv(v - 1, z) + kv(v + 1, z))


@op(symbol="J₀", numpy="scipy.special.j0", flops=_size, tex=(r"-g \odot \mathrm{J}_1(X)",), vjp=(_j0_dx,))
def j0(x: Array) -> Array:
    """Bessel function of the first kind and order 0, elementwise.

    >>> j0(0.0)
    np.float64(1.0)
    """
    return imported("scipy.special.j0")(x)


@op(symbol="J₁", numpy="scipy.special.j1", flops=_size,
    tex=(r"g \odot \frac{\mathrm{J}_0(X) - \mathrm{J}_2(X)}{2}",), vjp=(_j1_dx,))
def j1(x: Array) -> Array:
    """Bessel function of the first kind and order 1, elementwise.

    >>> j1(1.0).round(3)
    np.float64(0.44)
    """
    return imported("scipy.special.j1")(x)


@op(symbol="Jᵥ", numpy=("scipy.special.jv", "scipy.special.jn"), flops=_size,
    tex=("", r"g \odot \frac{\mathrm{J}_{V-1}(Z) - \mathrm{J}_{V+1}(Z)}{2}"), vjp=(None, _jv_dz))
def jv(v: Array, z: Array) -> Array:
    """Bessel function of the first kind and real order v, elementwise; differentiable in z. ``jn`` is the same.

    Its derivative is half of J_{v-1} - J_{v+1} (DLMF 10.6.1).

    >>> jv(2, 1.0).round(3)
    np.float64(0.115)
    """
    return imported("scipy.special.jv")(v, z)


@op(symbol="Y₀", numpy="scipy.special.y0", flops=_size, tex=(r"-g \odot \mathrm{Y}_1(X)",), vjp=(_y0_dx,))
def y0(x: Array) -> Array:
    """Bessel function of the second kind and order 0, elementwise (x > 0).

    >>> y0(1.0).round(3)
    np.float64(0.088)
    """
    return imported("scipy.special.y0")(x)


@op(symbol="Y₁", numpy="scipy.special.y1", flops=_size,
    tex=(r"g \odot \frac{\mathrm{Y}_0(X) - \mathrm{Y}_2(X)}{2}",), vjp=(_y1_dx,))
def y1(x: Array) -> Array:
    """Bessel function of the second kind and order 1, elementwise (x > 0).

    >>> y1(1.0).round(3)
    np.float64(-0.781)
    """
    return imported("scipy.special.y1")(x)


@op(symbol="Yₙ", numpy="scipy.special.yn", flops=_size,
    tex=("", r"g \odot \frac{\mathrm{Y}_{N-1}(X) - \mathrm{Y}_{N+1}(X)}{2}"), vjp=(None, _yn_dx))
def yn(n: Array, x: Array) -> Array:
    """Bessel function of the second kind and integer order n, elementwise (x > 0); differentiable in x.

    >>> yn(2, 1.0).round(3)
    np.float64(-1.651)
    """
    return imported("scipy.special.yn")(n, x)


@op(symbol="Yᵥ", numpy="scipy.special.yv", flops=_size,
    tex=("", r"g \odot \frac{\mathrm{Y}_{V-1}(Z) - \mathrm{Y}_{V+1}(Z)}{2}"), vjp=(None, _yv_dz))
def yv(v: Array, z: Array) -> Array:
    """Bessel function of the second kind and real order v, elementwise (z > 0); differentiable in z.

    >>> yv(0.5, 1.0).round(3)
    np.float64(-0.431)
    """
    return imported("scipy.special.yv")(v, z)


@op(symbol="I₀", numpy="scipy.special.i0", flops=_size, tex=(r"g \odot \mathrm{I}_1(X)",), vjp=(_scipy_i0_dx,))
def scipy_i0(x: Array) -> Array:
    """`i0` as SciPy computes it: in the dtype of x. ``tg.scipy.special.i0`` is this one.

    >>> scipy_i0(0.0)
    np.float64(1.0)
    """
    return imported("scipy.special.i0")(x)


@op(symbol="I₁", numpy="scipy.special.i1", flops=_size,
    tex=(r"g \odot \frac{\mathrm{I}_0(X) + \mathrm{I}_2(X)}{2}",), vjp=(_i1_dx,))
def i1(x: Array) -> Array:
    """Modified Bessel function of the first kind and order 1, elementwise.

    >>> i1(1.0).round(3)
    np.float64(0.565)
    """
    return imported("scipy.special.i1")(x)


@op(symbol="Iᵥ", numpy="scipy.special.iv", flops=_size,
    tex=("", r"g \odot \frac{\mathrm{I}_{V-1}(Z) + \mathrm{I}_{V+1}(Z)}{2}"), vjp=(None, _iv_dz))
def iv(v: Array, z: Array) -> Array:
    """Modified Bessel function of the first kind and real order v, elementwise; differentiable in z.

    Its derivative is half of I_{v-1} + I_{v+1} (DLMF 10.29.1).

    >>> iv(2, 1.0).round(3)
    np.float64(0.136)
    """
    return imported("scipy.special.iv")(v, z)


@op(symbol="e⁻ˣI₀", numpy="scipy.special.i0e", flops=_size,
    tex=(r"g \odot (\exp(-|X|) \mathrm{I}_1(X) - Y \operatorname{sign} X)",), vjp=(_i0e_dx,))
def i0e(x: Array) -> Array:
    """exp(-|x|) I₀(x), elementwise, which does not overflow; its derivative at 0 is 0.

    >>> i0e(1000.0).round(4)
    np.float64(0.0126)
    """
    return imported("scipy.special.i0e")(x)


@op(symbol="e⁻ˣI₁", numpy="scipy.special.i1e", flops=_size,
    tex=(r"g \odot (\exp(-|X|) \frac{\mathrm{I}_0(X) + \mathrm{I}_2(X)}{2} - Y \operatorname{sign} X)",),
    vjp=(_i1e_dx,))
def i1e(x: Array) -> Array:
    """exp(-|x|) I₁(x), elementwise, which does not overflow.

    >>> i1e(1000.0).round(4)
    np.float64(0.0126)
    """
    return imported("scipy.special.i1e")(x)


@op(symbol="e⁻ˣIᵥ", numpy="scipy.special.ive", flops=_size,
    tex=("", r"g \odot (\exp(-|Z|) \frac{\mathrm{I}_{V-1}(Z) + \mathrm{I}_{V+1}(Z)}{2} - Y \operatorname{sign} Z)"),
    vjp=(None, _ive_dz))
def ive(v: Array, z: Array) -> Array:
    """exp(-|z|) Iᵥ(z), elementwise, for real z; differentiable in z.

    >>> ive(2, 1.0).round(3)
    np.float64(0.05)
    """
    return imported("scipy.special.ive")(v, z)


@op(symbol="K₀", numpy="scipy.special.k0", flops=_size, tex=(r"-g \odot \mathrm{K}_1(X)",), vjp=(_k0_dx,))
def k0(x: Array) -> Array:
    """Modified Bessel function of the second kind and order 0, elementwise (x > 0).

    >>> k0(1.0).round(3)
    np.float64(0.421)
    """
    return imported("scipy.special.k0")(x)


@op(symbol="K₁", numpy="scipy.special.k1", flops=_size,
    tex=(r"-g \odot \frac{\mathrm{K}_0(X) + \mathrm{K}_2(X)}{2}",), vjp=(_k1_dx,))
def k1(x: Array) -> Array:
    """Modified Bessel function of the second kind and order 1, elementwise (x > 0).

    >>> k1(1.0).round(3)
    np.float64(0.602)
    """
    return imported("scipy.special.k1")(x)


@op(symbol="Kᵥ", numpy="scipy.special.kv", flops=_size,
    tex=("", r"-g \odot \frac{\mathrm{K}_{V-1}(Z) + \mathrm{K}_{V+1}(Z)}{2}"), vjp=(None, _kv_dz))
def kv(v: Array, z: Array) -> Array:
    """Modified Bessel function of the second kind and real order v, elementwise (z > 0); differentiable in z.

    >>> kv(0.5, 1.0).round(3)
    np.float64(0.461)
    """
    return imported("scipy.special.kv")(v, z)
