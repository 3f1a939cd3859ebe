"""Ops that choose between values, elementwise: extremes, `where`, bounds, signs borrowed, numbers for what is none.

Kinks follow one written rule each: where two arguments of an extreme tie they share the gradient equally; `clip`
passes the gradient on at its bounds.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygraph.core.arguments import Array
from tinygraph.core.errors import UnsupportedError
from tinygraph.core.op import op

__all__ = ["clip", "copysign", "fmax", "fmin", "heaviside", "maximum", "minimum", "nan_to_num", "where"]


def _size(y: Array, *inputs: Array, **params: Any) -> int:
    """One operation an element."""
    return int(np.size(y))


def _share(g: Array, wins: Array, ties: Array) -> Array:
    return np.where(ties, 0.5 * g, np.where(wins, g, 0))


@op(symbol="max", numpy=np.maximum, flops=_size,
    tex=(r"g \odot [A > B]", r"g \odot [B > A]"),
    vjp=(lambda g, y, a, b: _share(g, a > b, a == b), lambda g, y, a, b: _share(g, b > a, a == b)))
def maximum(a: Array, b: Array) -> Array:
    """The larger of two, elementwise; where they tie, each has half of the gradient.

    >>> maximum(1.0, 2.0)
    np.float64(2.0)
    """
    return np.maximum(a, b)


@op(symbol="min", numpy=np.minimum, flops=_size,
    tex=(r"g \odot [A < B]", r"g \odot [B < A]"),
    vjp=(lambda g, y, a, b: _share(g, a < b, a == b), lambda g, y, a, b: _share(g, b < a, a == b)))
def minimum(a: Array, b: Array) -> Array:
    """The smaller of two, elementwise; where they tie, each has half of the gradient.

    >>> minimum(1.0, 2.0)
    np.float64(1.0)
    """
    return np.minimum(a, b)


@op(symbol="where", numpy=np.where,
    tex=("", r"g \odot C", r"g \odot (1 - C)"),
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


@op(symbol="clip", numpy=np.clip, flops=_size,
    tex=(r"g \odot [\min \le A \le \max]", *2 * (r"g \odot [A < \min \le \max]", r"g \odot [A > \max]")),
    vjp={"a": _clip_da, "a_min": _clip_dlow, "a_max": _clip_dhigh, "min": _clip_dlow, "max": _clip_dhigh})
def clip(a: Array, a_min: Array = None, a_max: Array = None, out: None = None, *, min: Array = None,
         max: Array = None) -> Array:
    """Values below a_min raised to it and values above a_max lowered to it; None sets no bound.

    A value that equals a bound passes its gradient on. ``min`` and ``max`` are other names for the bounds.

    >>> clip(np.array([-2.0, 0.5, 3.0]), 0, 1)
    array([0. , 0.5, 1. ])
    """
    return np.clip(a, *_bounds(a_min, a_max, min, max))


def _beats(wins: Array, other: Array) -> Array:
    """A number wins against what is none."""
    return wins | np.isnan(other)


@op(symbol="max", numpy=np.fmax, flops=_size,
    tex=(r"g \odot [A > B]", r"g \odot [B > A]"),
    vjp=(lambda g, y, a, b: _share(g, _beats(a > b, b), a == b),
         lambda g, y, a, b: _share(g, _beats(b > a, a), a == b)))
def fmax(a: Array, b: Array) -> Array:
    """The larger of two, elementwise, or the one that is a number; where they tie, each has half of the gradient.

    >>> fmax(np.nan, 2.0)
    np.float64(2.0)
    """
    return np.fmax(a, b)


@op(symbol="min", numpy=np.fmin, flops=_size,
    tex=(r"g \odot [A < B]", r"g \odot [B < A]"),
    vjp=(lambda g, y, a, b: _share(g, _beats(a < b, b), a == b),
         lambda g, y, a, b: _share(g, _beats(b < a, a), a == b)))
def fmin(a: Array, b: Array) -> Array:
    """The smaller of two, elementwise, or the one that is a number; where they tie, each has half of the gradient.

    >>> fmin(np.nan, 2.0)
    np.float64(2.0)
    """
    return np.fmin(a, b)


@op(symbol="step", numpy=np.heaviside, flops=_size,
    tex=("0", r"g \odot [X_1 = 0]"),
    vjp=(lambda g, y, x1, x2: np.zeros_like(g), lambda g, y, x1, x2: np.where(x1 == 0, g, 0)))
def heaviside(x1: Array, x2: Array) -> Array:
    """0 where x1 < 0, 1 where x1 > 0 and x2 where x1 is 0, elementwise; its derivative in x1 is 0 everywhere.

    >>> heaviside(np.array([-1.0, 0.0, 2.0]), 0.5)
    array([0. , 0.5, 1. ])
    """
    return np.heaviside(x1, x2)


@op(symbol="±", numpy=np.copysign, flops=_size,
    tex=(r"g \odot \operatorname{sign} X_1 \odot \operatorname{sign} X_2", "0"),
    vjp=(lambda g, y, x1, x2: g * (np.sign(x1) * np.copysign(1, x2)), lambda g, y, x1, x2: np.zeros_like(g)))
def copysign(x1: Array, x2: Array) -> Array:
    """|x1| with the sign of x2, elementwise; its derivative is 0 in x2, and in x1 where x1 is 0.

    >>> copysign(3.0, -0.5)
    np.float64(-3.0)
    """
    return np.copysign(x1, x2)


def _finite_part(g: Array, y: Array, x: Array, *fillings: Array) -> Array:
    if not np.iscomplexobj(x):
        return np.where(np.isfinite(x), g, 0)
    # The real and the imaginary part of a complex number are filled each on its own.
    return np.where(np.isfinite(np.real(x)), np.real(g), 0) + 1j * np.where(np.isfinite(np.imag(x)), np.imag(g), 0)


@op(symbol="finite", numpy=np.nan_to_num, flops=_size,
    tex=(r"g \odot [X \text{ finite}]",),
    vjp={"x": _finite_part, "nan": None, "posinf": None, "neginf": None})
def nan_to_num(x: Array, copy: bool = True, nan: Array = 0.0, posinf: Array = None, neginf: Array = None) -> Array:
    """x with ``nan`` in the place of NaN, elementwise, and the dtype's largest number, or what is given, for infinity.

    No gradient flows where something was replaced. ``copy=False``, which would write into x, is refused.

    >>> nan_to_num(np.array([1.0, np.nan, np.inf]), posinf=9.0)
    array([1., 0., 9.])
    """
    if not copy:
        raise UnsupportedError("nan_to_num: copy=False would overwrite an array that the graph may need; leave it out")
    return np.nan_to_num(x, nan=nan, posinf=posinf, neginf=neginf)
