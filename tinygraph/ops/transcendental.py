"""Transcendental elementwise ops: exponentials, logarithms, trigonometry, hyperbolic functions and their inverses."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygraph.core.arguments import Array
from tinygraph.core.op import op
from tinygraph.ops.elementwise import sigmoid

__all__ = ["acos", "acosh", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctan2", "arctanh", "asin", "asinh",
           "atan", "atan2", "atanh", "cos", "cosh", "exp", "exp2", "expm1", "hypot", "log", "log1p", "log2", "log10",
           "logaddexp", "logaddexp2", "sin", "sinh", "tan", "tanh"]

LOG_2, LOG_10 = math.log(2), math.log(10)


def _size(y: Array, *inputs: Array, **params: Any) -> int:
    """One operation an element."""
    return int(np.size(y))


@op(symbol="exp", numpy=np.exp, flops=_size, tex=(r"g \odot Y",), vjp=(lambda g, y, x: g * y,))
def exp(x: Array) -> Array:
    """e to the power of x, elementwise.

    >>> exp(0.0)
    np.float64(1.0)
    """
    return np.exp(x)


@op(symbol="expm1", numpy=np.expm1, flops=_size, tex=(r"g \odot (Y + 1)",), vjp=(lambda g, y, x: g * (y + 1),))
def expm1(x: Array) -> Array:
    """exp(x) - 1, exact for small x.

    >>> expm1(1e-20)
    np.float64(1e-20)
    """
    return np.expm1(x)


@op(symbol="2ˣ", numpy=np.exp2, flops=_size, tex=(r"g \odot Y \log 2",), vjp=(lambda g, y, x: g * (y * LOG_2),))
def exp2(x: Array) -> Array:
    """2 to the power of x, elementwise.

    >>> exp2(3.0)
    np.float64(8.0)
    """
    return np.exp2(x)


@op(symbol="log", numpy=np.log, flops=_size, tex=(r"\frac{1}{X} g",), vjp=(lambda g, y, x: g / x,))
def log(x: Array) -> Array:
    """Natural logarithm, elementwise.

    >>> log(1.0)
    np.float64(0.0)
    """
    return np.log(x)


@op(symbol="log1p", numpy=np.log1p, flops=_size, tex=(r"\frac{1}{1 + X} g",), vjp=(lambda g, y, x: g / (1 + x),))
def log1p(x: Array) -> Array:
    """log(1 + x), exact for small x.

    >>> log1p(1e-20)
    np.float64(1e-20)
    """
    return np.log1p(x)


@op(symbol="log₂", numpy=np.log2, flops=_size, tex=(r"\frac{1}{X \log 2} g",), vjp=(lambda g, y, x: g / (x * LOG_2),))
def log2(x: Array) -> Array:
    """Logarithm to base 2, elementwise.

    >>> log2(8.0)
    np.float64(3.0)
    """
    return np.log2(x)


@op(symbol="log₁₀", numpy=np.log10, flops=_size,
    tex=(r"\frac{1}{X \log 10} g",), vjp=(lambda g, y, x: g / (x * LOG_10),))
def log10(x: Array) -> Array:
    """Logarithm to base 10, elementwise.

    >>> log10(1000.0)
    np.float64(3.0)
    """
    return np.log10(x)


def _part(g: Array, y: Array, x: Array, other: Array, base: float = 1) -> Array:
    """Share of exp(x) in its sum with exp(other); 0 where both are 0.

    It is exact where x is so large that y, a little larger, is rounded.
    """
    alike = np.isinf(x) & (x == other)  # whose difference would be none
    share = sigmoid(base * (np.where(alike, 0, x) - np.where(alike, 0, other)))
    return g * np.where(y == -np.inf, 0, share)


@op(symbol="log Σ exp", numpy=np.logaddexp, flops=lambda y, a, b: 4 * int(np.size(y)),
    tex=(r"g \odot \exp(A - Y)", r"g \odot \exp(B - Y)"),
    vjp=(lambda g, y, a, b: _part(g, y, a, b), lambda g, y, a, b: _part(g, y, b, a)))
def logaddexp(a: Array, b: Array) -> Array:
    """log(exp(a) + exp(b)), elementwise, without overflow.

    >>> logaddexp(1000.0, -np.inf)
    np.float64(1000.0)
    """
    return np.logaddexp(a, b)


@op(symbol="log₂ Σ 2ˣ", numpy=np.logaddexp2, flops=lambda y, a, b: 4 * int(np.size(y)),
    tex=(r"g \odot 2^{A - Y}", r"g \odot 2^{B - Y}"),
    vjp=(lambda g, y, a, b: _part(g, y, a, b, LOG_2), lambda g, y, a, b: _part(g, y, b, a, LOG_2)))
def logaddexp2(a: Array, b: Array) -> Array:
    """log2(2**a + 2**b), elementwise, without overflow.

    >>> logaddexp2(1000.0, 1000.0)
    np.float64(1001.0)
    """
    return np.logaddexp2(a, b)


@op(symbol="sin", numpy=np.sin, flops=_size, tex=(r"g \odot \cos X",), vjp=(lambda g, y, x: g * np.cos(x),))
def sin(x: Array) -> Array:
    """Sine, elementwise (x in radians).

    >>> sin(0.0)
    np.float64(0.0)
    """
    return np.sin(x)


@op(symbol="cos", numpy=np.cos, flops=_size, tex=(r"-g \odot \sin X",), vjp=(lambda g, y, x: -g * np.sin(x),))
def cos(x: Array) -> Array:
    """Cosine, elementwise (x in radians).

    >>> cos(0.0)
    np.float64(1.0)
    """
    return np.cos(x)


@op(symbol="tan", numpy=np.tan, flops=_size, tex=(r"g \odot (1 + Y^2)",), vjp=(lambda g, y, x: g * (1 + y * y),))
def tan(x: Array) -> Array:
    """Tangent, elementwise (x in radians).

    >>> tan(0.0)
    np.float64(0.0)
    """
    return np.tan(x)


@op(symbol="asin", numpy=np.arcsin, flops=_size,
    tex=(r"\frac{1}{\sqrt{1 - X^2}} g",), vjp=(lambda g, y, x: g / np.sqrt(1 - x * x),))
def arcsin(x: Array) -> Array:
    """The angle in [-π/2, π/2] (radians) whose sine is x in [-1, 1], elementwise.

    >>> arcsin(0.0)
    np.float64(0.0)
    """
    return np.arcsin(x)


@op(symbol="acos", numpy=np.arccos, flops=_size,
    tex=(r"-\frac{1}{\sqrt{1 - X^2}} g",), vjp=(lambda g, y, x: -g / np.sqrt(1 - x * x),))
def arccos(x: Array) -> Array:
    """The angle in [0, π] (radians) whose cosine is x in [-1, 1], elementwise.

    >>> arccos(1.0)
    np.float64(0.0)
    """
    return np.arccos(x)


@op(symbol="atan", numpy=np.arctan, flops=_size,
    tex=(r"\frac{1}{1 + X^2} g",), vjp=(lambda g, y, x: g / (1 + x * x),))
def arctan(x: Array) -> Array:
    """The angle in (-π/2, π/2) (radians) whose tangent is x, elementwise.

    >>> arctan(0.0)
    np.float64(0.0)
    """
    return np.arctan(x)


def _turn(g: Array, x: Array, r: Array) -> Array:
    """g x / r², 0 where r is; r² itself would be lost for a small or a large r."""
    r = np.where(r == 0, np.inf, r)
    return g * (x / r / r)


@op(symbol="atan2", numpy=np.arctan2, flops=_size,
    tex=(r"\frac{X_2}{X_1^2 + X_2^2} g", r"-\frac{X_1}{X_1^2 + X_2^2} g"),
    vjp=(lambda g, y, x1, x2: _turn(g, x2, np.hypot(x1, x2)), lambda g, y, x1, x2: -_turn(g, x1, np.hypot(x1, x2))))
def arctan2(x1: Array, x2: Array) -> Array:
    """The angle in [-π, π] (radians) of the point whose ordinate is x1 and whose abscissa is x2, elementwise.

    Its derivatives at (0, 0), around which the angle takes every value, are 0.

    >>> arctan2(0.0, 1.0)
    np.float64(0.0)
    """
    return np.arctan2(x1, x2)


def _leg(g: Array, y: Array, x: Array) -> Array:
    return g * (x / np.where(y == 0, np.inf, y))  # 0 / ∞ is 0 to every order


@op(symbol="hypot", numpy=np.hypot, flops=_size,
    tex=(r"\frac{X_1}{Y} g", r"\frac{X_2}{Y} g"),
    vjp=(lambda g, y, x1, x2: _leg(g, y, x1), lambda g, y, x1, x2: _leg(g, y, x2)))
def hypot(x1: Array, x2: Array) -> Array:
    """Length of the hypotenuse, elementwise: sqrt(x1² + x2²); its derivatives at (0, 0) are 0.

    >>> hypot(3.0, 4.0)
    np.float64(5.0)
    """
    return np.hypot(x1, x2)


@op(symbol="sinh", numpy=np.sinh, flops=_size, tex=(r"g \odot \cosh X",), vjp=(lambda g, y, x: g * np.cosh(x),))
def sinh(x: Array) -> Array:
    """Hyperbolic sine, elementwise.

    >>> sinh(0.0)
    np.float64(0.0)
    """
    return np.sinh(x)


@op(symbol="cosh", numpy=np.cosh, flops=_size, tex=(r"g \odot \sinh X",), vjp=(lambda g, y, x: g * np.sinh(x),))
def cosh(x: Array) -> Array:
    """Hyperbolic cosine, elementwise.

    >>> cosh(0.0)
    np.float64(1.0)
    """
    return np.cosh(x)


@op(symbol="tanh", numpy=np.tanh, flops=_size, tex=(r"g \odot (1 - Y^2)",), vjp=(lambda g, y, x: g * (1 - y * y),))
def tanh(x: Array) -> Array:
    """Hyperbolic tangent, elementwise.

    >>> tanh(0.0)
    np.float64(0.0)
    """
    return np.tanh(x)


@op(symbol="asinh", numpy=np.arcsinh, flops=_size,
    tex=(r"\frac{1}{\sqrt{X^2 + 1}} g",), vjp=(lambda g, y, x: g / np.sqrt(x * x + 1),))
def arcsinh(x: Array) -> Array:
    """The number whose hyperbolic sine is x, elementwise.

    >>> arcsinh(0.0)
    np.float64(0.0)
    """
    return np.arcsinh(x)


@op(symbol="acosh", numpy=np.arccosh, flops=_size,
    tex=(r"\frac{1}{\sqrt{X - 1} \sqrt{X + 1}} g",), vjp=(lambda g, y, x: g / (np.sqrt(x - 1) * np.sqrt(x + 1)),))
def arccosh(x: Array) -> Array:
    """The number of at least 0 whose hyperbolic cosine is x >= 1, elementwise.

    >>> arccosh(1.0)
    np.float64(0.0)
    """
    return np.arccosh(x)


@op(symbol="atanh", numpy=np.arctanh, flops=_size,
    tex=(r"\frac{1}{1 - X^2} g",), vjp=(lambda g, y, x: g / (1 - x * x),))
def arctanh(x: Array) -> Array:
    """The number whose hyperbolic tangent is x in (-1, 1), elementwise.

    >>> arctanh(0.0)
    np.float64(0.0)
    """
    return np.arctanh(x)


# NumPy 2's other names.
acos, acosh, asin, asinh, atan, atan2, atanh = arccos, arccosh, arcsin, arcsinh, arctan, arctan2, arctanh
