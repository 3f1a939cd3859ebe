"""First values of weights: each function takes a shape and draws from `tinygraph.random`.

A weight of shape (D, M) is an affine layer's, with fan-in D and fan-out M; one of (O, C, KH, KW) is a set of filters,
with fan-in C KH KW and fan-out O KH KW.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from tinygraph import random

Initializer = Callable[[tuple[int, ...]], Any]


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """How many inputs a weight adds up for each output (fan-in), and how many outputs each input goes to (fan-out).

    >>> fans((784, 50)), fans((30, 1, 5, 5))
    ((784, 50), (25, 750))
    """
    if len(shape) == 2:
        return shape[0], shape[1]
    field = math.prod(shape[2:])
    return shape[1] * field, shape[0] * field


def normal(std: float) -> Initializer:
    """Normally distributed with this standard deviation; the lecture's first networks use 0.01.

    >>> normal(0.01)((784, 50)).std().round(3)
    np.float64(0.01)
    """
    return lambda shape: random.normal(0.0, std, shape)


def he_normal(shape: tuple[int, ...]) -> Any:
    """Normal with variance 2 / fan-in, which keeps the scale of what ReLU passes on; PyTorch's ``kaiming_normal_``.

    He et al., "Delving Deep into Rectifiers" (2015), equation 10.

    >>> he_normal((200, 300)).std().round(2)
    np.float64(0.1)
    """
    return random.normal(0.0, math.sqrt(2 / fans(shape)[0]), shape)


def he_uniform(shape: tuple[int, ...]) -> Any:
    """Uniform with the variance of `he_normal`: within ±√(6 / fan-in); PyTorch's ``kaiming_uniform_``.

    >>> bool(abs(he_uniform((600, 300))).max() <= 0.1)
    True
    """
    bound = math.sqrt(6 / fans(shape)[0])
    return random.uniform(-bound, bound, shape)


def xavier_normal(shape: tuple[int, ...]) -> Any:
    """Normal with variance 2 / (fan-in + fan-out), for sigmoid and tanh; PyTorch's ``xavier_normal_``.

    Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks" (2010), equation 12.

    >>> xavier_normal((100, 100)).std().round(2)
    np.float64(0.1)
    """
    return random.normal(0.0, math.sqrt(2 / sum(fans(shape))), shape)


def xavier_uniform(shape: tuple[int, ...]) -> Any:
    """Uniform with the variance of `xavier_normal`: within ±√(6 / (fan-in + fan-out)); equation 16 of the same paper.

    >>> bool(abs(xavier_uniform((300, 300))).max() <= 0.1)
    True
    """
    bound = math.sqrt(6 / sum(fans(shape)))
    return random.uniform(-bound, bound, shape)
