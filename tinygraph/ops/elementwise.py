"""Elementwise ops: arithmetic, powers, absolute values, choices, and the activations of the lecture.

Kinks follow one written rule each: where two arguments of a maximum tie they share the gradient equally, |x| has
derivative 0 at 0, `clip` passes the gradient on at its bounds, `relu` has derivative 0 at 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygraph.core.op import Array, op

Number = (int, float, complex)


def _size(y: Array, *inputs: Array, **params: Any) -> int:
    """One operation an element."""
    return int(np.size(y))


@op(symbol="+", numpy=np.add, flops=_size, tex=(r"\frac{\partial L}{\partial Y}", r"\frac{\partial L}{\partial Y}"),
    vjp=(lambda g, y, a, b: g, lambda g, y, a, b: g))
def add(a: Array, b: Array) -> Array:
    """Sum, elementwise: a + b.

    >>> add(1.0, 2.0)
    np.float64(3.0)
    """
    return np.add(a, b)


@op(symbol="−", numpy=np.subtract, flops=_size,
    tex=(r"\frac{\partial L}{\partial Y}", r"-\frac{\partial L}{\partial Y}"),
    vjp=(lambda g, y, a, b: g, lambda g, y, a, b: -g))
def subtract(a: Array, b: Array) -> Array:
    """Difference, elementwise: a - b.

    >>> subtract(1.0, 2.0)
    np.float64(-1.0)
    """
    return np.subtract(a, b)


@op(symbol="×", numpy=np.multiply, flops=_size,
    tex=(r"\frac{\partial L}{\partial Y} \odot B", r"\frac{\partial L}{\partial Y} \odot A"),
    vjp=(lambda g, y, a, b: g * b, lambda g, y, a, b: g * a))
def multiply(a: Array, b: Array) -> Array:
    """Product, elementwise: a b.

    >>> multiply(3.0, 2.0)
    np.float64(6.0)
    """
    return np.multiply(a, b)


@op(symbol="÷", numpy=(np.divide,), flops=_size,
    tex=(r"\frac{\partial L}{\partial Y} \frac{1}{B}", r"-\frac{\partial L}{\partial Y} \frac{Y}{B}"),
    vjp=(lambda g, y, a, b: g / b, lambda g, y, a, b: -g * y / b))
def divide(a: Array, b: Array) -> Array:
    """Quotient, elementwise: a / b.

    >>> divide(3.0, 2.0)
    np.float64(1.5)
    """
    return np.divide(a, b)


@op(symbol="//", numpy=np.floor_divide, flops=_size, vjp=(None, None))
def floor_divide(a: Array, b: Array) -> Array:
    """The largest integer not above a / b, elementwise. Constant between its steps: no gradient flows.

    >>> floor_divide(7.0, 2.0)
    np.float64(3.0)
    """
    return np.floor_divide(a, b)


@op(symbol="%", numpy=np.remainder, flops=_size,
    vjp=(lambda g, y, a, b: g, lambda g, y, a, b: -g * np.floor_divide(a, b)))
def remainder(a: Array, b: Array) -> Array:
    """What is left of a after whole multiples of b, with the sign of b: a - b floor(a / b).

    >>> remainder(7.0, 4.0)
    np.float64(3.0)
    """
    return np.remainder(a, b)


def _power_da(g: Array, y: Array, a: Array, b: Array) -> Array:
    if isinstance(b, Number):  # known when the rule is chosen, so no value is branched on
        if b == 0:
            return np.zeros_like(g)
        return g * b if b == 1 else g * (b * a) if b == 2 else g * (b * np.power(a, b - 1))
    # b a^(b-1) at b = 0 is 0 whatever a is; the inner `where` keeps 0 ** -1 from ever being computed.
    return g * (b * np.power(a, np.where(b == 0, 1, b - 1)))


def _power_db(g: Array, y: Array, a: Array, b: Array) -> Array:
    # The limit of a^b log a for a -> 0, b > 0 is 0.
    return g * (y * np.log(np.where(a == 0, 1, a)))


@op(symbol="pow", numpy=np.power, flops=_size,
    tex=(r"\frac{\partial L}{\partial Y} B A^{B-1}", r"\frac{\partial L}{\partial Y} Y \log A"),
    vjp=(_power_da, _power_db))
def power(a: Array, b: Array) -> Array:
    """Power, elementwise: a ** b. The derivative in b at a = 0 is taken as 0.

    >>> power(3.0, 2.0)
    np.float64(9.0)
    """
    return np.power(a, b)


@op(symbol="−", numpy=np.negative, flops=_size, tex=(r"-\frac{\partial L}{\partial Y}",), vjp=(lambda g, y, x: -g,))
def negative(x: Array) -> Array:
    """The opposite, elementwise: -x.

    >>> negative(3.0)
    np.float64(-3.0)
    """
    return np.negative(x)


@op(symbol="+", numpy=np.positive, vjp=(lambda g, y, x: g,))
def positive(x: Array) -> Array:
    """The same value, elementwise: +x.

    >>> positive(3.0)
    np.float64(3.0)
    """
    return np.positive(x)


def _sign_dx(g: Array, y: Array, x: Array) -> Array:
    if not np.iscomplexobj(x):
        return np.zeros_like(g)
    # z / |z| turns with z: only the part of a step that turns it counts, and that shrinks as 1 / |z|.
    return (g - np.real(g * y) * np.conj(y)) / np.where(x == 0, np.inf, np.absolute(x))


@op(symbol="sign", numpy=np.sign, flops=_size, vjp=(_sign_dx,))
def sign(x: Array) -> Array:
    """-1, 0 or 1 by the sign, elementwise, with derivative 0; z / |z| for a complex z.

    >>> sign(-3.0)
    np.float64(-1.0)
    """
    return np.sign(x)


def _absolute_dx(g: Array, y: Array, x: Array) -> Array:
    # The sign of a complex number turns with it, so it must stay a function of x for the second derivative.
    return g * (np.conj(x) / np.where(y == 0, 1, y)) if np.iscomplexobj(x) else g * np.sign(x)


@op(symbol="|x|", numpy=np.absolute, flops=_size, tex=(r"\frac{\partial L}{\partial Y} \operatorname{sign} X",),
    vjp=(_absolute_dx,))
def absolute(x: Array) -> Array:
    """Absolute value, elementwise; its derivative at 0 is 0.

    >>> absolute(-3.0)
    np.float64(3.0)
    """
    return np.absolute(x)


@op(symbol="x²", numpy=np.square, flops=_size, tex=(r"2X \frac{\partial L}{\partial Y}",),
    vjp=(lambda g, y, x: g * (2 * x),))
def square(x: Array) -> Array:
    """Square, elementwise: x x.

    >>> square(3.0)
    np.float64(9.0)
    """
    return np.square(x)


@op(symbol="√", numpy=np.sqrt, flops=_size, tex=(r"\frac{1}{2Y} \frac{\partial L}{\partial Y}",),
    vjp=(lambda g, y, x: g * 0.5 / y,))
def sqrt(x: Array) -> Array:
    """Square root, elementwise; its derivative at 0 is infinite.

    >>> sqrt(9.0)
    np.float64(3.0)
    """
    return np.sqrt(x)


@op(symbol="1/x", numpy=np.reciprocal, flops=_size, tex=(r"-Y^2 \frac{\partial L}{\partial Y}",),
    vjp=(lambda g, y, x: -g * (y * y),))
def reciprocal(x: Array) -> Array:
    """Reciprocal, elementwise: 1 / x, the lecture's "/" node.

    >>> reciprocal(4.0)
    np.float64(0.25)
    """
    return np.reciprocal(x)


@op(symbol="σ", flops=lambda y, x: 4 * np.size(y), tex=(r"\frac{\partial L}{\partial Y} \odot Y \odot (1 - Y)",),
    vjp=(lambda g, y, x: g * (y * (1 - y)),))
def sigmoid(x: Array) -> Array:
    """Logistic sigmoid, elementwise: 1 / (1 + exp(-x)), finite and exact to rounding for any finite x.

    >>> sigmoid(0.0)
    np.float64(0.5)
    """
    e = np.exp(-np.absolute(x))
    return np.where(x >= 0, 1, e) / (1 + e)


@op(symbol="ReLU", flops=_size, tex=(r"\frac{\partial L}{\partial Y} \odot [X > 0]",),
    vjp=(lambda g, y, x: np.where(x > 0, g, 0),))
def relu(x: Array) -> Array:
    """Rectified linear unit, elementwise: max(x, 0); its derivative at 0 is 0.

    >>> relu(np.array([-1.0, 0.0, 2.0]))
    array([0., 0., 2.])
    """
    return np.maximum(x, 0)


def _share(g: Array, wins: Array, ties: Array) -> Array:
    return np.where(ties, 0.5 * g, np.where(wins, g, 0))


@op(symbol="max", numpy=np.maximum, flops=_size,
    vjp=(lambda g, y, a, b: _share(g, a > b, a == b), lambda g, y, a, b: _share(g, b > a, a == b)))
def maximum(a: Array, b: Array) -> Array:
    """The larger of two, elementwise; where they tie, each has half of the gradient.

    >>> maximum(1.0, 2.0)
    np.float64(2.0)
    """
    return np.maximum(a, b)


@op(symbol="min", numpy=np.minimum, flops=_size,
    vjp=(lambda g, y, a, b: _share(g, a < b, a == b), lambda g, y, a, b: _share(g, b < a, a == b)))
def minimum(a: Array, b: Array) -> Array:
    """The smaller of two, elementwise; where they tie, each has half of the gradient.

    >>> minimum(1.0, 2.0)
    np.float64(1.0)
    """
    return np.minimum(a, b)


@op(symbol="where", numpy=np.where,
    vjp=(None, lambda g, y, condition, x1, x2: np.where(condition, g, 0),
         lambda g, y, condition, x1, x2: np.where(condition, 0, g)))
def where(condition: Array, x1: Array, x2: Array) -> Array:
    """x1 where the condition holds, x2 elsewhere; no gradient leaks from the branch that was not taken.

    >>> where(np.array([True, False]), 1.0, 2.0)
    array([1., 2.])
    """
    return np.where(condition, x1, x2)


def _bounds(a_min: Array, a_max: Array, min: Array, max: Array) -> tuple[Array, Array]:
    """The two bounds, whichever of NumPy's names they came by."""
    return (min if a_min is None else a_min), (max if a_max is None else a_max)


def _clip_da(g: Array, y: Array, a: Array, *bounds: Array) -> Array:
    low, high = _bounds(*bounds)
    if low is None and high is None:
        return g
    if low is None or high is None:
        return np.where(a <= high if low is None else a >= low, g, 0)
    return np.where((a >= low) & (a <= high), g, 0)


def _clip_dlow(g: Array, y: Array, a: Array, *bounds: Array) -> Array:
    low, high = _bounds(*bounds)
    return np.where(a < low if high is None else (a < low) & (low <= high), g, 0)


def _clip_dhigh(g: Array, y: Array, a: Array, *bounds: Array) -> Array:
    low, high = _bounds(*bounds)  # where they cross, NumPy gives the upper one
    return np.where((a if low is None else np.maximum(a, low)) > high, g, 0)


@op(symbol="clip", numpy=np.clip, flops=_size, vjp={
    "a": _clip_da, "a_min": _clip_dlow, "a_max": _clip_dhigh, "min": _clip_dlow, "max": _clip_dhigh})
def clip(a: Array, a_min: Array = None, a_max: Array = None, out: None = None, *, min: Array = None,
         max: Array = None) -> Array:
    """Values below a_min raised to it and values above a_max lowered to it; None sets no bound.

    A value that equals a bound passes its gradient on. ``min`` and ``max`` are other names for the bounds.

    >>> clip(np.array([-2.0, 0.5, 3.0]), 0, 1)
    array([0. , 0.5, 1. ])
    """
    return np.clip(a, *_bounds(a_min, a_max, min, max))
