"""Error messages as their readers meet them: one sentence that names the op, what was given, why not, and the line.

Each is written out whole, so that reading this table is reading them aloud.
"""

from __future__ import annotations

import re

import numpy as np
import pytest

import tinygraph as tg


def leaf(*shape):
    return tg.tensor(np.ones(shape), requires_grad=True)


A, B, V = leaf(3, 4), leaf(5, 6), leaf(4)

MESSAGES = [
    # shapes
    (lambda: A @ B, "matmul: (3, 4) @ (5, 6): inner axes 4 and 5 differ"),
    (lambda: A @ 2, "matmul: (3, 4) @ (): a number is no matrix; multiply with *"),
    (lambda: np.dot(A, B), "dot: (3, 4) @ (5, 6): inner axes 4 and 5 differ"),
    (lambda: np.inner(A, B), "inner: (3, 4) and (5, 6): the last axes, 4 and 6, differ"),
    (lambda: np.vecdot(A, np.ones((3, 5))), "vecdot: (3, 4) and (3, 5): 4 and 5 along axis -1 differ"),
    (lambda: np.tensordot(A, B, 1),
     "tensordot: (3, 4) and (5, 6): axes [1] and [0] are summed over, of sizes [4] and [5]"),
    (lambda: np.einsum("ij,jk", A, B), "einsum: 'ij,jk' for (3, 4), (5, 6): j is 4 in one place and 5 in another"),
    (lambda: tg.affine(A, np.ones((4, 2)), np.ones(3)),
     "affine: (3, 4) @ (4, 2) + (3,): a bias for this product has shape (2,)"),
    (lambda: A + B, "add: (3, 4) and (5, 6) do not broadcast: axis -1 has 4 and 6"),
    (lambda: np.where(A.data > 0, A, B),
     "where(bool (3, 4), float64 (3, 4), float64 (5, 6)): the shapes do not broadcast: axis -1 has 6 and 4"),
    (lambda: np.take_along_axis(A, np.zeros((2, 2), int), 1),
     "take_along_axis(float64 (3, 4), int64 (2, 2), axis=1): the shapes do not broadcast: axis -2 has 2 and 3"),
    (lambda: A.reshape(5, 5),
     "reshape(float64 (3, 4), shape=(5, 5)): cannot reshape array of size 12 into shape (5,5)"),
    (lambda: np.broadcast_to(A, (2, 2)),
     "broadcast_to: (3, 4) does not stretch to (2, 2): only axes of size 1 and new leading ones do"),
    (lambda: np.concatenate([A, B]),
     "concatenate: (3, 4) and (5, 6) differ along axis 1, and only axis 0, along which they are joined, may"),
    (lambda: np.concatenate([A, V]), "concatenate: (3, 4) and (4,) have 2 and 1 axes, and must have as many"),
    (lambda: tg.concatenate([]), "concatenate: no arrays: there must be at least one"),
    (lambda: np.stack([A, B]), "stack: (3, 4) and (5, 6) differ along axis 0, and all must be alike"),
    (lambda: np.split(A, 5),
     "split: (3, 4) has 3 along axis 0, which makes no 5 equal parts; array_split makes unequal ones"),
    (lambda: np.convolve(A, V), "convolve: (3, 4) and (4,): two vectors, neither of them empty, are asked for"),
    (lambda: np.linalg.solve(np.eye(3), B), "solve: (3, 3) x = (5, 6): 3 unknowns, and 5 numbers on the right"),
    (lambda: np.linalg.inv(A), "inv(float64 (3, 4)): Last 2 dimensions of the array must be square"),
    (lambda: np.average(A, weights=np.ones(3)),
     "average: weights of shape (3,) for an array of shape (3, 4) need an axis"),
    (lambda: np.cov(leaf(2, 2, 2)),
     "cov(float64 (2, 2, 2)): observations have at most 2 axes, and these have shape (2, 2, 2)"),
    (lambda: A.backward(), "backward: a tensor of shape (3, 4) has no single derivative; reduce it to one number "
                           "(t.sum(), t.mean()) or give a gradient of its shape"),
    (lambda: tg.tensor([[1, 2], [3]]), "a tensor's rows are of one length, and these lists are not"),
    (lambda: tg.Tensor([1.0]), "Tensor is what tg.tensor(data) makes; call that"),
    (lambda: tg.grad(A), "grad: what is differentiated is a function, and not an array of shape (3, 4); the gradients "
                         "of a tensor come from its backward()"),
    (lambda: tg.compile(3), "compile: what is compiled is a function, a step of a training say, and not 3"),
    # axes and places
    (lambda: A.sum(axis=2), "sum(float64 (3, 4), axis=2): axis 2 is out of bounds: axes go from -2 to 1"),
    (lambda: np.cumsum(A, axis=-3), "cumsum(float64 (3, 4), axis=-3): axis -3 is out of bounds: axes go from -2 to 1"),
    (lambda: np.fft.fft(A, axis=5), "fft(float64 (3, 4), axis=5): axis 5 is out of bounds: axes go from -2 to 1"),
    (lambda: np.moveaxis(A, 0, 5), "moveaxis(float64 (3, 4), source=0, destination=5): destination: axis 5 is out of "
                                   "bounds: axes go from -2 to 1"),
    (lambda: np.diff(leaf()), "diff(array(1.)): axis -1 is out of bounds: a 0-d array has none"),
    (lambda: A[7], "getitem(float64 (3, 4), 7): index 7 is out of bounds for axis 0 with size 3"),
    (lambda: np.take(A, 20), "take(float64 (3, 4), 20): index 20 is out of bounds for axis 0 with size 12"),
    # dtypes and values
    (lambda: np.exp(A, dtype=int), "exp: dtype=int64 cannot hold what float64 holds"),
    (lambda: np.multiply(A, np.array("a")), "multiply(float64 (3, 4), array('a', dtype='<U1')): it is not defined for "
                                            "float64 and <U1"),
    (lambda: tg.tensor([1, 2], requires_grad=True),
     "a tensor of dtype int64 cannot require a gradient; give real numbers, such as tg.tensor(..., dtype=float)"),
    (lambda: tg.softmax_with_loss(A, np.array([0, 1])), "softmax_with_loss: 2 labels for 3 rows of logits (3, 4)"),
    (lambda: tg.softmax_with_loss(A, np.array([0, 1, 9])),
     "softmax_with_loss: labels from 0 to 9 for logits (3, 4): class indices go from 0 to 3"),
    (lambda: np.linalg.cholesky(tg.tensor(-np.eye(2))), "cholesky(float64 (2, 2)): Matrix is not positive definite"),
    (lambda: np.quantile(A, 1.5), "quantile(float64 (3, 4), 1.5): Quantiles must be in the range [0, 1]"),
    # keywords, and what there is not
    (lambda: tg.sum(A, over=0), "sum() got an unexpected keyword argument 'over'; it takes sum(a, axis=None, "
                                "dtype=None, out=None, keepdims=False, initial=0, where=True)"),
    (lambda: tg.exp(A, A), "exp() takes 1 positional argument but 2 were given; it takes exp(x)"),
    (lambda: np.add(A, A, where=np.ones((3, 4), bool)), "add: where= is not supported: it leaves elements undefined; "
                                                        "choose them with np.where; it takes add(a, b) and dtype="),
    (lambda: np.median(A, out=np.ones(())),
     "median: out= would overwrite an array that the graph may need; assign the result instead"),
    (lambda: np.linalg.qr(A, "raw"),
     "qr(float64 (3, 4), mode='raw'): mode='raw' has no derivative rule; use 'reduced', 'complete' or 'r'"),
    (lambda: np.roots(V),
     "np.roots has no op in tinygraph; compute on .data where no gradient is needed, or register a rule with @tg.op"),
    (lambda: np.add.reduceat(A, [0]),
     "np.add.reduceat has no op in tinygraph; compute on .data where no gradient is needed, or write it with np.add"),
]


@pytest.mark.parametrize(("call", "message"), MESSAGES, ids=[message[:40] for _, message in MESSAGES])
def test_an_error_reads_well(call, message):
    with pytest.raises(tg.TinygraphError, match=rf"^{re.escape(message)} \(test_errors\.py:\d+\)$") as caught:
        call()
    assert int(str(caught.value).rpartition(":")[2][:-1]) in {line for *_, line in call.__code__.co_lines()}
