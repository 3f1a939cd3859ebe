"""Ops of another package: a function of its own, and one that NumPy has and tinygraph does not."""

from __future__ import annotations

import numpy as np

import tinygraph as tg


@tg.op(symbol="softplus", flops=lambda y, x: 4 * y.size, tex=(r"g \odot \sigma(X)",),
       vjp=(lambda g, y, x: g * tg.sigmoid(x),))
def softplus(x):
    """log(1 + exp(x)), elementwise, without overflow."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.absolute(x)))


@tg.op(numpy=np.poly, vjp=(None,))
def poly(seq_of_zeros):
    """Coefficients of the polynomial that has these zeros; no gradient flows."""
    return np.poly(seq_of_zeros)
