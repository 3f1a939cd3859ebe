"""Activations beside `relu`, `sigmoid` and `tanh`, with PyTorch's names and signatures: functions of ops."""

from __future__ import annotations

import math

import numpy as np

from tinygraph.core.arguments import Array
from tinygraph.core.errors import ArgumentError
from tinygraph.core.messages import here
from tinygraph.ops.elementwise import sigmoid
from tinygraph.ops.special import ndtr

__all__ = ["elu", "gelu", "leaky_relu", "silu", "softplus"]


def leaky_relu(input: Array, negative_slope: float = 0.01) -> Array:
    """Itself where it is above 0, elsewhere ``negative_slope`` times itself.

    >>> leaky_relu(np.array([-1.0, 2.0]))
    array([-0.01,  2.  ])
    """
    return np.where(np.greater(input, 0), input, negative_slope * input)


def elu(input: Array, alpha: float = 1.0) -> Array:
    """Itself where it is above 0, elsewhere alpha (exp(input) - 1). Clevert et al. (2016), equation 15.

    >>> elu(np.array([-1.0, 2.0])).round(3)
    array([-0.632,  2.   ])
    """
    # The branch that is not taken must not overflow: its gradient would be 0 times infinity.
    return np.where(np.greater(input, 0), input, alpha * np.expm1(np.minimum(input, 0)))


def silu(input: Array) -> Array:
    """Itself times its `sigmoid`; also called swish.

    >>> silu(np.array([0.0, 2.0])).round(3)
    array([0.   , 1.762])
    """
    return input * sigmoid(input)


def gelu(input: Array, approximate: str = "none") -> Array:
    """Itself times the share of a normal distribution below it. Hendrycks and Gimpel (2016), section 2.

    The exact one needs SciPy; ``approximate="tanh"`` is the paper's approximation, which does not.

    >>> gelu(np.array([0.0, 2.0]), "tanh").round(3)
    array([0.   , 1.955])
    """
    if approximate not in ("none", "tanh"):
        raise ArgumentError(f"gelu: approximate={approximate!r} is none of 'none', 'tanh'{here()}")
    if approximate == "none":
        return input * ndtr(input)
    return 0.5 * input * (1 + np.tanh(math.sqrt(2 / math.pi) * (input + 0.044715 * input * input * input)))


def softplus(input: Array, beta: float = 1.0) -> Array:
    """log(1 + exp(beta input)) / beta, without overflow.

    >>> softplus(np.array([0.0, 100.0])).round(3)
    array([  0.693, 100.   ])
    """
    return np.logaddexp(0, beta * input) / beta
