"""Derivatives by central differences: slow, and owing nothing to any rule, so that rules can be held against them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygraph.core.arguments import Array
from tinygraph.core.context import no_grad
from tinygraph.core.errors import ArgumentError, DTypeError, GradientError
from tinygraph.core.messages import here
from tinygraph.tensors import Tensor


def numerical_gradient(f: Callable[[Any], Any], x: Array, h: float = 1e-4) -> Array:
    """The gradient of ``f`` at ``x`` by the lecture's central differences: (f(x + h) - f(x - h)) / 2h for each element.

    Each element of ``x`` is changed in place while ``f(x)`` runs, and always put back, so ``f`` may as well ignore its
    argument and read the same array from elsewhere, as the lecture's loss reads the weights. Nothing is recorded.

    x: an array or a Tensor of any shape, real or complex (then the derivative is df/da - i df/db at a + ib, as
        backward gives it); a number or a list stands for an array of its own
    h: the step (in the units of x); the step that rounding leaves of it is what is divided by
    -> an array of the shape and dtype of x

    Raises DTypeError for integers, in which a step of h is lost, ArgumentError for an array that cannot be written to
    or in which h is too small to be seen, GradientError where ``f`` gives anything but one real number.

    >>> numerical_gradient(lambda x: np.sum(x ** 2), np.array([1.0, 2.0])).round(6)
    array([2., 4.])
    """
    if not isinstance(x, Tensor) and (not hasattr(x, "dtype") or isinstance(x, np.generic)):
        x = np.array(x)
    data = x.data if isinstance(x, Tensor) else x
    if data.dtype.kind not in "fc":
        raise DTypeError(f"numerical_gradient: x has dtype {data.dtype}, which has no room for a step of h={h}; give "
                         f"x.astype(float){here()}")
    if not getattr(getattr(data, "flags", None), "writeable", True):
        raise ArgumentError("numerical_gradient: x is read-only, and its elements are changed in place while f runs; "
                            f"give x.copy(){here()}")
    gradient = np.zeros_like(data)
    with no_grad():
        for index in np.ndindex(data.shape):
            slope = _slope(f, x, data, index, h)
            if data.dtype.kind == "c":
                slope -= 1j * _slope(f, x, data, index, 1j * h)
            gradient[index] = slope
    return gradient


def _slope(f: Callable[[Any], Any], x: Any, data: Array, index: tuple[int, ...], h: complex) -> Any:
    """The central difference in one element of ``data``."""
    value = data[index].item()
    try:
        data[index] = value + h
        above = data[index].item()
        upper = _number(f(x))
        data[index] = value - h
        below = data[index].item()
        lower = _number(f(x))
    finally:
        data[index] = value
    if above == below:
        raise ArgumentError(f"numerical_gradient: a step of h={abs(h)} is lost beside {value} in {data.dtype}; give a "
                            f"larger h{here()}")
    return (upper - lower) / abs(above - below)


def _number(value: Any) -> float:
    """What f gave, as a Python number."""
    number = value.item() if getattr(value, "size", 0) == 1 else value
    if isinstance(number, (int, float, np.floating)):
        return number  # type: ignore[return-value]
    got = f"an array of shape {number.shape}" if hasattr(number, "shape") else repr(number)
    raise GradientError(f"numerical_gradient: f must give one real number, and gave {got}{here()}")


def step_for(dtype: np.dtype[Any]) -> tuple[float, float]:
    """The step of a central difference in a dtype (for elements of about 1), and how far to trust its answer.

    Truncation grows as h², rounding as eps/h: at h = eps^(1/3) the two are about equal, and the error about eps^(2/3).
    The tolerance, 10 eps^(1/2), leaves room for derivatives that are not about 1 (float64: 1.5e-7, float32: 3e-3).

    >>> step, tolerance = step_for(np.dtype("float64"))
    >>> round(step, 7), round(tolerance, 8)
    (6.1e-06, 1.5e-07)
    """
    eps = float(np.finfo(dtype).eps)
    return eps ** (1 / 3), 10 * eps ** 0.5


def random_direction(rng: np.random.Generator, like: Array) -> Array:
    """A random array of another's shape and dtype, with no element near zero, so that none is left out of a check.

    >>> d = random_direction(np.random.default_rng(0), np.zeros(1000))
    >>> bool(np.all((abs(d) >= 0.5) & (abs(d) <= 1.5)))
    True
    """
    def signed() -> Any:
        return rng.choice([-1.0, 1.0], np.shape(like)) * rng.uniform(0.5, 1.5, np.shape(like))
    direction = signed() + 1j * signed() if like.dtype.kind == "c" else signed()
    return np.asarray(direction).astype(like.dtype)
