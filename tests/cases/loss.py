"""The lecture's classifier end."""

from __future__ import annotations

import numpy as np

from cases.samples import empty, ints, one_hot, real, soft
from tinygraph.testing import Case


def log_softmax(z, axis=-1):
    return z - np.log(np.exp(z).sum(axis=axis, keepdims=True))


def cross_entropy(y, t):
    rows = t if t.shape == y.shape else np.eye(y.shape[-1])[np.reshape(t, y.shape[:-1])]
    return -np.sum(rows * np.log(y)) / (y.shape[0] if y.ndim > 1 else 1)


def softmax_with_loss(z, t):
    return cross_entropy(np.exp(log_softmax(z)), t)


CASES = {
    "softmax": [Case(z, **k).against(lambda z, axis=-1: np.exp(log_softmax(z, axis)))
                for z, k in [(real(2, 3), {}), (real(2, 3), {"axis": 0}), (real(4), {})]] + [Case(empty(0, 3))],
    "log_softmax": [Case(z, **k).against(log_softmax)
                    for z, k in [(real(2, 3), {}), (real(2, 3), {"axis": 0}), (real(4), {})]] + [Case(empty(0, 3))],
    "cross_entropy_error": [Case(y, t).against(cross_entropy) for y, t in [
        (soft(4, 3), ints(3, 4)), (soft(4, 3), ints(3, 4, 1)), (soft(3, 1), ints(1, 3)), (soft(4, 3)[0], ints(3)),
        (soft(4, 3)[0], ints(3, 1)), (soft(4, 3), soft(4, 3)), (soft(4, 3)[0], soft(4, 3)[0])]],
    "softmax_with_loss": [Case(z, t).against(softmax_with_loss) for z, t in [
        (real(4, 3), ints(3, 4)), (real(4, 3), ints(3, 4, 1)), (real(3, 1), ints(1, 3)), (real(3), ints(3)),
        (real(3), ints(3, 1)), (real(4, 3), one_hot(4, 3)), (real(4, 3), one_hot(4, 3) == 1), (real(4, 3), soft(4, 3)),
        (real(3), soft(4, 3)[0])]],
}
