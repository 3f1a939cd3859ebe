"""Elementwise ops: arithmetic, powers and roots, absolute values, units of angles, and the activations of the lecture.

Kinks follow one written rule each: |x| and `relu` have derivative 0 at 0.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygraph.core.arguments import Array
from tinygraph.core.kinds import Constant, composed
from tinygraph.core.op import op

__all__ = ["abs", "absolute", "add", "cbrt", "deg2rad", "degrees", "divide", "divmod", "fabs", "float_power",
           "floor_divide", "fmod", "frexp", "ldexp", "mod", "modf", "multiply", "negative", "positive", "pow", "power",
           "rad2deg", "radians", "reciprocal", "relu", "remainder", "sigmoid", "sign", "sqrt", "square", "subtract",
           "true_divide"]

Number = (int, float, complex)


def _size(y: Array, *inputs: Array, **params: Any) -> int:
    """One operation an element."""
    return int(np.size(y))


@op(symbol="+", numpy=np.add, flops=_size, tex=("g", "g"), vjp=(lambda g, y, a, b: g, lambda g, y, a, b: g))
def add(a: Array, b: Array) -> Array:
    """Sum, elementwise: a + b.

    >>> add(1.0, 2.0)
    np.float64(3.0)
    """
    return np.add(a, b)


@op(symbol="−", numpy=np.subtract, flops=_size, tex=("g", "-g"), vjp=(lambda g, y, a, b: g, lambda g, y, a, b: -g))
def subtract(a: Array, b: Array) -> Array:
    """Difference, elementwise: a - b.

    >>> subtract(1.0, 2.0)
    np.float64(-1.0)
    """
    return np.subtract(a, b)


@op(symbol="×", numpy=np.multiply, flops=_size,
    tex=(r"g \odot B", r"g \odot A"), vjp=(lambda g, y, a, b: g * b, lambda g, y, a, b: g * a))
def multiply(a: Array, b: Array) -> Array:
    """Product, elementwise: a b.

    >>> multiply(3.0, 2.0)
    np.float64(6.0)
    """
    return np.multiply(a, b)


@op(symbol="÷", numpy=(np.divide,), flops=_size,
    tex=(r"g \frac{1}{B}", r"-g \frac{Y}{B}"), vjp=(lambda g, y, a, b: g / b, lambda g, y, a, b: -g * y / b))
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
    tex=("g", r"-g \odot \lfloor \frac{A}{B} \rfloor"),
    vjp=(lambda g, y, a, b: g, lambda g, y, a, b: -g * np.floor_divide(a, b)))
def remainder(a: Array, b: Array) -> Array:
    """What is left of a after whole multiples of b, with the sign of b: a - b floor(a / b).

    >>> remainder(7.0, 4.0)
    np.float64(3.0)
    """
    return np.remainder(a, b)


@op(symbol="fmod", numpy=np.fmod, flops=_size,
    tex=("g", r"-g \odot \operatorname{trunc} \frac{A}{B}"),
    # As y was rounded, so is the number of times that b went into a.
    vjp=(lambda g, y, a, b: g, lambda g, y, a, b: -g * np.rint((a - y) / b)))
def fmod(a: Array, b: Array) -> Array:
    """What is left of a after whole multiples of b, with the sign of a: a - b trunc(a / b).

    >>> fmod(-7.0, 4.0)
    np.float64(-3.0)
    """
    return np.fmod(a, b)


@op(symbol="x 2ⁿ", numpy=np.ldexp, flops=_size,
    tex=(r"g \odot 2^{X_2}",), vjp=(lambda g, y, x1, x2: np.ldexp(g, x2), None))
def ldexp(x1: Array, x2: Array) -> Array:
    """x1 times 2 to the power of the integer x2, elementwise.

    >>> ldexp(3.0, 2)
    np.float64(12.0)
    """
    return np.ldexp(x1, x2)


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


@op(symbol="pow", numpy=np.power, flops=_size, tex=("g B A^{B-1}", r"g Y \log A"), vjp=(_power_da, _power_db))
def power(a: Array, b: Array) -> Array:
    """Power, elementwise: a ** b. The derivative in b at a = 0 is taken as 0.

    >>> power(3.0, 2.0)
    np.float64(9.0)
    """
    return np.power(a, b)


@op(symbol="pow", numpy=np.float_power, flops=_size, tex=("g B A^{B-1}", r"g Y \log A"), vjp=(_power_da, _power_db))
def float_power(a: Array, b: Array) -> Array:
    """`power` computed in double precision at least, whatever the dtypes.

    >>> float_power(2, -1)
    np.float64(0.5)
    """
    return np.float_power(a, b)


@op(symbol="−", numpy=np.negative, flops=_size, tex=("-g",), vjp=(lambda g, y, x: -g,))
def negative(x: Array) -> Array:
    """The opposite, elementwise: -x.

    >>> negative(3.0)
    np.float64(-3.0)
    """
    return np.negative(x)


@op(symbol="+", numpy=np.positive, tex=("g",), vjp=(lambda g, y, x: g,))
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


@op(symbol="sign", numpy=np.sign, flops=_size, tex=("0",), vjp=(_sign_dx,))
def sign(x: Array) -> Array:
    """-1, 0 or 1 by the sign, elementwise, with derivative 0; z / |z| for a complex z.

    >>> sign(-3.0)
    np.float64(-1.0)
    """
    return np.sign(x)


def _absolute_dx(g: Array, y: Array, x: Array) -> Array:
    # The sign of a complex number turns with it, so it must stay a function of x for the second derivative.
    return g * (np.conj(x) / np.where(y == 0, np.inf, y)) if np.iscomplexobj(x) else g * np.sign(x)


@op(symbol="|x|", numpy=np.absolute, flops=_size, tex=(r"g \operatorname{sign} X",), vjp=(_absolute_dx,))
def absolute(x: Array) -> Array:
    """Absolute value, elementwise; its derivative at 0 is 0.

    >>> absolute(-3.0)
    np.float64(3.0)
    """
    return np.absolute(x)


@op(symbol="|x|", numpy=np.fabs, flops=_size,
    tex=(r"g \operatorname{sign} X",), vjp=(lambda g, y, x: g * np.sign(x),))
def fabs(x: Array) -> Array:
    """Absolute value of real numbers as floating-point ones, elementwise; its derivative at 0 is 0.

    >>> fabs(-3)
    np.float64(3.0)
    """
    return np.fabs(x)


@op(symbol="x²", numpy=np.square, flops=_size, tex=("2X g",), vjp=(lambda g, y, x: g * (2 * x),))
def square(x: Array) -> Array:
    """Square, elementwise: x x.

    >>> square(3.0)
    np.float64(9.0)
    """
    return np.square(x)


@op(symbol="√", numpy=np.sqrt, flops=_size, tex=(r"\frac{1}{2Y} g",), vjp=(lambda g, y, x: g * 0.5 / y,))
def sqrt(x: Array) -> Array:
    """Square root, elementwise; its derivative at 0 is infinite.

    >>> sqrt(9.0)
    np.float64(3.0)
    """
    return np.sqrt(x)


@op(symbol="∛", numpy=np.cbrt, flops=_size, tex=(r"\frac{1}{3Y^2} g",), vjp=(lambda g, y, x: g / (3 * (y * y)),))
def cbrt(x: Array) -> Array:
    """Cube root, elementwise, also of negative numbers; its derivative at 0 is infinite.

    >>> cbrt(-8.0)
    np.float64(-2.0)
    """
    return np.cbrt(x)


@op(symbol="1/x", numpy=np.reciprocal, flops=_size, tex=("-Y^2 g",), vjp=(lambda g, y, x: -g * (y * y),))
def reciprocal(x: Array) -> Array:
    """Reciprocal, elementwise: 1 / x, the lecture's "/" node.

    >>> reciprocal(4.0)
    np.float64(0.25)
    """
    return np.reciprocal(x)


@op(symbol="° → rad", numpy=(np.deg2rad, np.radians), flops=_size,
    tex=(r"\frac{\pi}{180} g",), vjp=(lambda g, y, x: g * (math.pi / 180),))
def deg2rad(x: Array) -> Array:
    """Radians of an angle in degrees, elementwise: π x / 180. ``radians`` is another name for it.

    >>> deg2rad(180.0)
    np.float64(3.141592653589793)
    """
    return np.deg2rad(x)


@op(symbol="rad → °", numpy=(np.rad2deg, np.degrees), flops=_size,
    tex=(r"\frac{180}{\pi} g",), vjp=(lambda g, y, x: g * (180 / math.pi),))
def rad2deg(x: Array) -> Array:
    """Degrees of an angle in radians, elementwise: 180 x / π. ``degrees`` is another name for it.

    >>> rad2deg(np.pi)
    np.float64(180.0)
    """
    return np.rad2deg(x)


@op(symbol="σ", flops=lambda y, x: 4 * np.size(y),
    tex=(r"g \odot Y \odot (1 - Y)",), vjp=(lambda g, y, x: g * (y * (1 - y)),))
def sigmoid(x: Array) -> Array:
    """Logistic sigmoid, elementwise: 1 / (1 + exp(-x)), finite and exact to rounding for any finite x.

    PyTorch's sigmoid.

    >>> sigmoid(0.0)
    np.float64(0.5)
    """
    is_complex = np.iscomplexobj(x)
    above = np.real(x) >= 0 if is_complex else x >= 0
    e = np.exp(np.where(above, -x, x) if is_complex else -np.absolute(x))  # never above 1
    return np.where(above, 1, e) / (1 + e)


BITS = {np.dtype(f"f{size}"): np.dtype(f"i{size}") for size in (2, 4, 8)}
"""Integers as wide as a float."""

_ZEROS = {dtype: np.zeros((), dtype) for dtype in BITS}


def masked(mask: Array, g: Array) -> Array:
    """np.where(mask, g, 0), bit for bit, and up to twenty times as fast on plain arrays.

    That takes a branch an element, which an irregular mask makes the processor guess wrong. A float's bits, times one
    or zero as an integer, are itself or 0.0.
    """
    if type(g) is np.ndarray and (bits := BITS.get(g.dtype)) is not None:
        return np.multiply(g.view(bits), mask.astype(bits)).view(g.dtype)  # of one dtype, which saves 0.2 µs
    return np.where(mask, g, 0)


def _zero(x: Array) -> Array:
    """0 for what is computed with x: of a plain array's own dtype, which NumPy need not convert (0.2 µs)."""
    return _ZEROS.get(x.dtype, 0) if type(x) is np.ndarray else 0


@op(symbol="ReLU", flops=_size, tex=(r"g \odot [X > 0]",), vjp=(lambda g, y, x: masked(x > _zero(x), g),))
def relu(x: Array) -> Array:
    """Rectified linear unit, elementwise: max(x, 0); its derivative at 0 is 0. PyTorch's relu.

    >>> relu(np.array([-1.0, 0.0, 2.0]))
    array([0., 0., 2.])
    """
    return np.maximum(x, _zero(x))


@composed(numpy=np.divmod)
def divmod(a: Array, b: Array) -> tuple[Array, Array]:
    """How many whole multiples of b are in a, and what is left: `floor_divide` and `remainder`.

    >>> divmod(7.0, 4.0)
    (np.float64(1.0), np.float64(3.0))
    """
    return floor_divide(a, b), remainder(a, b)


@composed(numpy=np.modf)
def modf(x: Array) -> tuple[Array, Array]:
    """Fractional part and whole part, elementwise, each with the sign of x.

    >>> modf(-2.5)
    (np.float64(-0.5), np.float64(-2.0))
    """
    _, whole = _whole(x)
    return np.fmod(np.where(np.isinf(x), np.zeros_like(x), x), np.ones_like(whole)), whole


_whole = Constant(np.modf, "Fractional and whole part, of which only the second has no derivative.")
_exponent = Constant(np.frexp, "Mantissa and exponent, of which a derivative needs the second.")


@composed(numpy=np.frexp)
def frexp(x: Array) -> tuple[Array, Array]:
    """Mantissa m, of size in [0.5, 1), and exponent n with x = m 2**n, elementwise.

    >>> frexp(12.0)
    (np.float64(0.75), np.int32(4))
    """
    _, exponent = _exponent(x)
    return np.ldexp(x, -exponent), exponent


# NumPy's other names.
abs, degrees, mod, pow, radians, true_divide = absolute, rad2deg, remainder, power, deg2rad, divide
