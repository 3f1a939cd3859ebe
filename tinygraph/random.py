"""Random numbers from one generator of NumPy's, whose state can be read and set.

What is drawn is an ndarray, a NumPy scalar where there is no ``size``. `normal`, `uniform`, `exponential`, `laplace`
and `gumbel` take Tensors for location and scale and then give a Tensor that is differentiable in them: the noise is
drawn, then shifted and scaled, which is the reparameterisation of Kingma and Welling, "Auto-Encoding Variational
Bayes" (2014), section 2.4. With plain arguments the numbers are the same, bit for bit, as those of
``numpy.random.default_rng(seed)``.

Any other method of ``numpy.random.Generator`` is here under its own name: ``tg.random.poisson(4.0, 3)``.

Threads share the generator. A draw locks it, so that no two threads get the same numbers; which thread gets which
depends on their timing. A thread that must repeat itself has a generator of its own, from `default_rng`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygraph.core.arguments import Array, Handle
from tinygraph.core.errors import ArgumentError
from tinygraph.core.messages import here

__all__ = ["default_rng", "exponential", "get_state", "gumbel", "laplace", "normal", "rand", "randint", "randn",
           "seed", "set_state", "uniform"]

_generator = np.random.default_rng()


def default_rng(seed: Any = None) -> np.random.Generator:
    """A generator of its own, apart from this module's: NumPy's function of the same name.

    >>> default_rng(0).integers(10, size=3)
    array([8, 6, 5])
    """
    return np.random.default_rng(seed)


def seed(seed: Any = None) -> None:
    """Start again: what follows is what ``numpy.random.default_rng(seed)`` draws; None starts anywhere.

    >>> import tinygraph as tg
    >>> tg.random.seed(0)
    >>> tg.random.integers(10, size=3)
    array([8, 6, 5])
    """
    _generator.bit_generator.state = np.random.default_rng(seed).bit_generator.state


def get_state() -> dict[str, Any]:
    """The generator's state, a dict of names and whole numbers, for `set_state` and for files of saved state.

    >>> state = get_state()
    >>> first = rand(2)
    >>> set_state(state)
    >>> bool((rand(2) == first).all())
    True
    """
    return copy.deepcopy(dict(_generator.bit_generator.state))


def set_state(state: dict[str, Any]) -> None:
    """Go on from a state that `get_state` gave. Raises ArgumentError for anything else.

    >>> set_state(get_state())
    """
    try:
        _generator.bit_generator.state = state
    except (TypeError, ValueError, KeyError) as error:
        kind = type(_generator.bit_generator).__name__
        raise ArgumentError(f"set_state: {error}; give what get_state() of a {kind} gave{here()}") from error


def _shape(size: Any, *arrays: Array) -> tuple[int, ...]:
    """The shape of what is drawn: that asked for, else what the arguments have together."""
    if size is None:
        return np.broadcast_shapes(*map(np.shape, arrays))
    return tuple(size) if np.ndim(size) else (int(size),)


def _placed(draw: Callable[..., Array], noise: Callable[[Any], Array], loc: Array, scale: Array, size: Any) -> Array:
    """Numbers of a family that location and scale make of its standard member."""
    if isinstance(loc, Handle) or isinstance(scale, Handle):
        return loc + scale * noise(_shape(size, loc, scale))
    return draw(loc, scale, size)


def normal(loc: Array = 0.0, scale: Array = 1.0, size: Any = None) -> Array:
    """Normally distributed numbers of a mean and a standard deviation, either of which may be a Tensor.

    >>> import tinygraph as tg
    >>> mean = tg.tensor([1.0, 2.0], requires_grad=True)
    >>> normal(mean, 0.1).sum().backward()
    >>> mean.grad
    array([1., 1.])
    """
    return _placed(_generator.normal, _generator.standard_normal, loc, scale, size)


def uniform(low: Array = 0.0, high: Array = 1.0, size: Any = None) -> Array:
    """Numbers spread evenly over [low, high), either of which may be a Tensor.

    >>> bool((uniform(2.0, 3.0, 5) >= 2.0).all())
    True
    """
    if isinstance(low, Handle) or isinstance(high, Handle):
        return low + (high - low) * _generator.random(_shape(size, low, high))
    return _generator.uniform(low, high, size)


def exponential(scale: Array = 1.0, size: Any = None) -> Array:
    """Exponentially distributed numbers of a mean, which may be a Tensor.

    >>> exponential(2.0, (2, 3)).shape
    (2, 3)
    """
    if isinstance(scale, Handle):
        noise: Array = _generator.standard_exponential(_shape(size, scale))
        return scale * noise
    return _generator.exponential(scale, size)


def laplace(loc: Array = 0.0, scale: Array = 1.0, size: Any = None) -> Array:
    """Laplace-distributed numbers of a mean and a scale, either of which may be a Tensor.

    >>> laplace(size=3).shape
    (3,)
    """
    return _placed(_generator.laplace, lambda shape: _generator.laplace(size=shape), loc, scale, size)


def gumbel(loc: Array = 0.0, scale: Array = 1.0, size: Any = None) -> Array:
    """Gumbel-distributed numbers of a mode and a scale, either of which may be a Tensor.

    >>> gumbel(size=3).shape
    (3,)
    """
    return _placed(_generator.gumbel, lambda shape: _generator.gumbel(size=shape), loc, scale, size)


def rand(*shape: int) -> Array:
    """Numbers spread evenly over [0, 1), in a shape that is given size by size.

    >>> rand(2, 3).shape
    (2, 3)
    """
    return _generator.random(shape or None)


def randn(*shape: int) -> Array:
    """Numbers of the standard normal distribution, in a shape that is given size by size.

    >>> randn(2, 3).shape
    (2, 3)
    """
    return _generator.standard_normal(shape or None)


def randint(low: Any, high: Any = None, size: Any = None, dtype: Any = np.int64) -> Array:
    """Whole numbers from low up to, and without, high; from 0 up to low where there is no high.

    >>> bool((randint(3, size=9) < 3).all())
    True
    """
    return _generator.integers(low, high, size, dtype)


def __getattr__(name: str) -> Any:
    if not name.startswith("_") and name not in ("bit_generator", "spawn") and hasattr(_generator, name):
        return getattr(_generator, name)
    raise AttributeError(f"module 'tinygraph.random' has no attribute {name!r}, which numpy.random.Generator lacks too")


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for name in dir(_generator) if not name.startswith("_"))})
