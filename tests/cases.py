"""Sample inputs of every op: what `tinygraph.testing.check_op` tries them on.

`CASES` has an entry for each op of the registry, several cases where an op has modes. Inputs stay 0.01 away from kinks
and ties; what happens on them is written out in test_ops.py. The 0-d and empty inputs of a NumPy ufunc are made by the
suite itself; other ops have theirs here.
"""

from __future__ import annotations

import numpy as np

from tinygraph.testing import Case

RNG = np.random.default_rng(2026)


def real(*shape):
    """Numbers of both signs, of size 0.1 to 2."""
    return np.asarray(RNG.uniform(0.1, 2.0, shape) * RNG.choice([-1.0, 1.0], shape))


def positive(*shape):
    return RNG.uniform(0.5, 2.0, shape)


def inside(*shape):
    """Numbers within (-1, 1)."""
    return RNG.uniform(0.1, 0.8, shape) * RNG.choice([-1.0, 1.0], shape)


def above_one(*shape):
    return RNG.uniform(1.2, 3.0, shape)


def cplx(*shape):
    return real(*shape) + 1j * real(*shape)


def distinct(*shape):
    """Numbers of both signs no two of which are closer than 0.1."""
    n = int(np.prod(shape))
    return np.reshape(RNG.permutation(n) * 0.1 - 0.05 * n + 0.03, shape)


def ints(high, *shape):
    return RNG.integers(0, high, shape)


def mask(*shape):
    return RNG.random(shape) < 0.6


def empty(*shape):
    assert 0 in shape
    return np.zeros(shape)


def unary(sample, complex_too=False):
    return [Case(sample(2, 3)), *([Case(cplx(3))] if complex_too else [])]


def binary(left, right, complex_too=False):
    """One shape, broadcasting both ways, a Python number on either side."""
    return [Case(left(2, 3), right(2, 3)), Case(left(3), right(2, 1)), Case(left(4, 1, 3), right(2, 3)),
            Case(left(2), 1.5), Case(1.5, right(2)), *([Case(cplx(3), cplx(2, 1)), Case(cplx(2), real(2))]
                                                       if complex_too else [])]


def one_hot(n, classes):
    return np.eye(classes)[ints(classes, n)]


def soft(n, classes):
    p = positive(n, classes)
    return p / p.sum(axis=1, keepdims=True)


def scattered(v, index, shape):
    out = np.zeros(shape, v.dtype)
    np.add.at(out, index, v)
    return out


def replaced(x, index, v):
    out = x.copy()
    out[index] = v
    return out


def log_softmax(z, axis=-1):
    return z - np.log(np.exp(z).sum(axis=axis, keepdims=True))


def cross_entropy(y, t):
    rows = t if t.shape == y.shape else np.eye(y.shape[-1])[np.reshape(t, y.shape[:-1])]
    return -np.sum(rows * np.log(y)) / (y.shape[0] if y.ndim > 1 else 1)


def softmax_with_loss(z, t):
    return cross_entropy(np.exp(log_softmax(z)), t)


INDEXES = [
    0, -1, (1, 2), slice(None), slice(None, None, -2), (slice(1, None), 1), (..., 0), (None, 1), (slice(0), 2),
    [2, 0, 2], np.array([1, 1, 0]), (np.array([0, 0, 2]), np.array([1, 1, 3])),
    (slice(None), np.array([[0, 3], [3, 3]])),
    (np.array([2, 0]), None, slice(1, 3)), mask(3, 4), (slice(None), mask(4)), np.array(2), np.zeros((0,), int), (),
]

ELEMENTWISE = {
    "add": binary(real, real, True), "subtract": binary(real, real, True), "multiply": binary(real, real, True),
    "divide": binary(real, positive, True), "power": [*binary(positive, real, True), Case(real(3), 2), Case(real(3), 3),
                                                      Case(real(3), 1), Case(real(3), 0), Case(above_one(3), -2.0)],
    "remainder": [Case(np.array([5.3, -5.3, 7.1]), np.array([2.0, 2.0, -3.0])), Case(np.array([[5.3], [0.7]]), 2.0)],
    "floor_divide": [Case(np.array([5.3, -5.3]), np.array([2.0, 2.0]))],
    "maximum": [Case(distinct(2, 3), distinct(2, 3) + 0.05), Case(distinct(4), 0.0)],
    "minimum": [Case(distinct(2, 3), distinct(2, 3) + 0.05), Case(distinct(4), 0.0)],
    "negative": unary(real, True), "positive": unary(real, True), "absolute": unary(real, True),
    "sign": unary(real, True),
    "square": unary(real, True), "reciprocal": unary(real, True), "sqrt": unary(positive, True),
    "conj": unary(real, True),
    "real": [*unary(real, True), Case(np.array(1 + 2j)), Case(empty(2, 0))],
    "imag": [*unary(real, True), Case(np.array(1 + 2j)), Case(empty(2, 0))],
    "sigmoid": [Case(x).against(lambda x: 1 / (1 + np.exp(-x))) for x in (real(2, 3), real(), empty(0, 2))],
    "relu": [Case(x).against(lambda x: x * (x > 0)) for x in (real(2, 3), real(), empty(0, 2))],
    "where": [Case(mask(2, 3), real(2, 3), real(3)), Case(mask(3), real(2, 1), 0.0),
              Case(np.array(True), real(), real()), Case(mask(0, 2), empty(0, 2), real(2)),
              Case(mask(3), cplx(3), real(3))],
    "clip": [Case(distinct(3, 4), -0.26, 0.24), Case(distinct(5), None, 0.0), Case(distinct(5), 0.0, None),
             Case(distinct(2, 3), np.array([-0.21, -0.11, 0.0]), np.array([[0.22], [0.11]])), Case(real(), -3, 3),
             Case(distinct(5), min=-0.06, max=0.12), Case(distinct(3), min=np.array(-0.06), max=np.array([0.03])),
             Case(distinct(5), 0.24, -0.26), Case(empty(0, 2), 0.0, 1.0),
             Case(distinct(3), np.array([0.22, -0.11, 0.01]), np.array(-0.06))],
}

TRANSCENDENTAL = {
    "exp": unary(real, True), "expm1": unary(real, True), "exp2": unary(real, True),
    "log": unary(positive, True), "log1p": unary(positive, True), "log2": unary(positive, True),
    "log10": unary(positive, True), "logaddexp": binary(real, real),
    "sin": unary(real, True), "cos": unary(real, True), "tan": unary(inside, True),
    "arcsin": unary(inside, True), "arccos": unary(inside, True), "arctan": unary(real, True),
    "arctan2": binary(real, real), "hypot": binary(real, real),
    "sinh": unary(real, True), "cosh": unary(real, True), "tanh": unary(real, True),
    "arcsinh": unary(real, True), "arccosh": unary(above_one, True), "arctanh": unary(inside, True),
}

_over = [{}, {"axis": 0}, {"axis": -1, "keepdims": True}, {"axis": (0, 2)}, {"keepdims": True}, {"axis": ()}]

REDUCTION = {
    "sum": [*(Case(real(2, 3, 4), **k) for k in _over), Case(real(2, 3), where=mask(2, 3)), Case(real(), axis=None),
            Case(real(2, 3), axis=1, initial=2.5), Case(empty(0, 2), axis=0), Case(cplx(3)),
            Case(real(3), dtype=np.complex128)],
    "mean": [*(Case(real(2, 3, 4), **k) for k in _over), Case(real(2, 3), axis=1, where=np.eye(2, 3) < 1), Case(real()),
             Case(empty(2, 0), axis=0), Case(cplx(2, 3), axis=0)],
    "max": [*(Case(distinct(2, 3, 4), **k) for k in _over), Case(distinct(5), where=mask(5), initial=-9.0),
            Case(distinct(2, 3), initial=0.0), Case(real()), Case(empty(0, 2), axis=1)],
    "min": [*(Case(distinct(2, 3, 4), **k) for k in _over), Case(distinct(5), where=mask(5), initial=9.0),
            Case(distinct(2, 3), initial=0.0), Case(real()), Case(empty(0, 2), axis=1)],
    "var": [*(Case(real(2, 3, 4), **k) for k in _over), Case(real(4), ddof=1), Case(real(2, 4), axis=1, correction=1),
            Case(real(2, 4), axis=1, where=np.eye(2, 4) < 1), Case(real(2, 4), axis=1, mean=real(2, 1)),
            Case(cplx(2, 3), axis=1), Case(empty(2, 0), axis=0)],
    "std": [*(Case(distinct(2, 3, 4), **k) for k in _over if k.get("axis") != ()), Case(distinct(4), ddof=1),
            Case(distinct(2, 4), axis=1, where=np.eye(2, 4) < 1), Case(distinct(2, 4), axis=1, mean=real(2, 1)),
            Case(cplx(2, 3), axis=1), Case(empty(2, 0), axis=0)],
    "logsumexp": [Case(real(2, 3, 4), **k).against(
        lambda a, axis=None, keepdims=False: np.log(np.sum(np.exp(a), axis=axis, keepdims=keepdims)))
        for k in _over if k.get("axis") != ()] + [Case(real())],
    "prod": [*(Case(real(2, 3, 4), **k) for k in _over), Case(real(2, 3), where=mask(2, 3)), Case(real()),
             Case(real(2, 3), axis=0, initial=2.5), Case(empty(0, 2), axis=0), Case(empty(2, 0), axis=0),
             Case(np.array([[0.0, 2.0, 3.0], [0.0, 0.0, 1.5]]), axis=1), Case(np.zeros(4)), Case(cplx(3))],
    "cumsum": [Case(real(2, 3)), Case(real(2, 3), axis=0), Case(real(2, 3), axis=-1), Case(real()),
               Case(empty(0, 2), axis=0), Case(empty(2, 0)), Case(cplx(3))],
    "cumprod": [Case(real(2, 3)), Case(real(2, 5), axis=0), Case(real(2, 5), axis=-1), Case(real()),
                Case(empty(0, 2), axis=0), Case(empty(2, 0)), Case(np.array([2.0, 0.0, 3.0, 0.0, 1.5])), Case(cplx(3))],
}

SHAPE = {
    "reshape": [Case(real(2, 6), (3, -1)), Case(real(), (1, 1)), Case(empty(0, 2), (2, 0)), Case(real(4), 4)],
    "ravel": [Case(real(2, 3)), Case(real()), Case(empty(0, 2))],
    "transpose": [Case(real(2, 3, 4)), Case(real(2, 3, 4), (1, -1, 0)), Case(real()), Case(empty(0, 2))],
    "swapaxes": [Case(real(2, 3, 4), 0, -1), Case(empty(0, 2), 0, 1)],
    "moveaxis": [Case(real(2, 3, 4), 0, -1), Case(real(2, 3, 4), (0, 1), (2, 0)), Case(empty(0, 2), 0, 1)],
    "expand_dims": [Case(real(2, 3), 1), Case(real(2, 3), (0, -1)), Case(real(), 0), Case(empty(0), 0)],
    "squeeze": [Case(real(1, 3, 1)), Case(real(1, 3, 1), 0), Case(real()), Case(empty(1, 0))],
    "broadcast_to": [Case(real(3), (2, 3)), Case(real(2, 1), (4, 2, 3)), Case(real(), (2,)), Case(empty(1, 0), (2, 0))],
    "astype": [Case(real(2, 3), np.float64), Case(real(3), np.complex128), Case(real(), np.float64),
               Case(cplx(3), np.complex128, copy=False), Case(empty(0), np.float64)],
    "concatenate": [Case([real(2, 3), real(1, 3)]), Case((real(2, 3), real(2, 1)), axis=-1),
                    Case([real(2), real(3)], axis=0),
                    Case([real(2, 3), real()], axis=None), Case([empty(0, 3), real(2, 3)]), Case([cplx(2), real(3)]),
                    Case([[1.0, 2.0], real(3)])],
    "stack": [Case([real(2, 3), real(2, 3)]), Case([real(3), real(3)], axis=-1), Case([real(), real(), 2.0]),
              Case([empty(0), empty(0)], axis=1)],
    "hstack": [Case([real(2, 3), real(2, 1)]), Case([real(2), real(3)]), Case([real(), real(2)]),
               Case([empty(2, 0), real(2, 1)]), Case([real(2, 1, 2), real(2, 2, 2)])],
    "vstack": [Case([real(2, 3), real(1, 3)]), Case([real(3), real(2, 3)]), Case([real(), 1.0]),
               Case([empty(0, 3), real(3)])],
    "split": [Case(real(6, 2), 3), Case(real(2, 5), [1, 3], axis=1), Case(real(2, 5), [1, 3], -1), Case(real(3), 1),
              Case(real(3), [0, 3, 5]), Case(empty(0, 2), 2)],
    "flip": [Case(real(2, 3)), Case(real(2, 3), 1), Case(real(2, 3, 2), (0, 2)), Case(real()), Case(empty(0, 2))],
    "copy": [Case(real(2, 3)), Case(real()), Case(empty(0, 2))],
    "getitem": [*(Case(real(3, 4), i).against(lambda x, index: x[index]) for i in INDEXES), Case(real(), ()),
                Case(empty(0, 2), slice(1)), Case(cplx(3), [0, 0])],
    "scatter_add": [*(Case(np.asarray(real(3, 4)[i]), i, (3, 4)).against(scattered) for i in INDEXES),
                    Case(real(), (), ())],
    "setitem": [Case(real(3, 4), 1, real(4)), Case(real(3, 4), (slice(None), 1), real()),
                Case(real(3, 4), slice(1, None), real(2, 1)), Case(real(3, 4), mask(3, 4), real()),
                Case(real(3, 4), np.array([0, 2]), real(2, 4)), Case(real(3, 4), [0, 2, 0], real(3, 4)),
                Case(real(3, 4), ..., 2.0), Case(real(), (), real()), Case(empty(0, 2), slice(1), real(2))],
    "take": [Case(real(5), np.array([0, 2, 2])), Case(real(2, 3), ints(3, 2, 2), axis=1), Case(real(2, 3), ints(6, 4)),
             Case(real(2, 3), 1, axis=0), Case(real(2, 3), np.array([-1, 7]), axis=-1, mode="wrap"),
             Case(real(2, 3), np.array([-4, 7]), axis=0, mode="clip"), Case(real(3), np.zeros(0, int))],
}
SHAPE["setitem"] = [case.against(replaced) for case in SHAPE["setitem"]]

LINALG = {
    "matmul": [Case(real(2, 3), real(3, 4)), Case(real(3), real(3)), Case(real(2, 3), real(3)),
               Case(real(3), real(3, 2)), Case(real(5, 2, 3), real(3, 4)), Case(real(2, 1, 2, 3), real(4, 3, 2)),
               Case(real(4, 2, 3), real(3)), Case(real(3), real(4, 3, 2)), Case(empty(0, 3), real(3, 2)),
               Case(empty(2, 0), empty(0, 2)),
               Case(cplx(2, 3), real(3, 2))],
    "dot": [Case(real(2, 3), real(3, 4)), Case(real(3), real(3)), Case(real(2, 3), real(3)),
            Case(real(3), real(4, 3, 2)), Case(real(2, 5, 3), real(4, 3, 2)), Case(real(), real(2)),
            Case(real(2, 3), 2.0), Case(empty(0, 3), real(3)), Case(cplx(2, 3), cplx(3))],
    "inner": [Case(real(3), real(3)), Case(real(2, 3), real(4, 3)), Case(real(2, 3), real(3)), Case(real(), real(2, 3)),
              Case(real(2), 2.0), Case(real(2, 4, 3), real(5, 3)), Case(empty(0, 3), real(3)),
              Case(cplx(3), cplx(2, 3))],
    "outer": [Case(real(2), real(3)), Case(real(2, 2), real(3, 1)), Case(real(), real(2)), Case(2.0, real(2)),
              Case(empty(0), real(2)), Case(cplx(2), cplx(2))],
    "tensordot": [Case(real(2, 3, 4), real(3, 4, 2)), Case(real(2, 3), real(2, 4), axes=([0], [0])),
                  Case(real(2), real(3), 0), Case(real(2, 3, 4), real(4, 5, 3), axes=([1, 2], [2, 0])),
                  Case(real(2, 3), real(3, 2), axes=1), Case(real(2, 3), real(3, 2), axes=(1, 0)),
                  Case(empty(0, 3), real(3, 2), 1)],
    "add_bias": [Case(real(2, 3), real(3)).against(np.add), Case(real(3), real(3)), Case(empty(0, 3), real(3))],
    "affine": [Case(real(2, 3), real(3, 4), real(4)).against(lambda x, w, b: x @ w + b),
               Case(real(3), real(3, 4), real(4)), Case(empty(0, 3), real(3, 2), real(2))],
    "norm": [Case(real(3)), Case(real(2, 3)), Case(real(2, 3), axis=0), Case(real(2, 3), 2, axis=1, keepdims=True),
             Case(real(2, 3), "fro"), Case(real(2, 3, 4), axis=(0, 2)), Case(cplx(2, 3), axis=1)],
}

LOSS = {
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

SPECIAL = {
    # The engine's own: it takes a tuple apart. Ops of several outputs try the rest of it.
    "pick": [Case((1.5, 2.5), 1).against(lambda value, index: value[index]).without("stand-in")],
}

_x, _y, _b = real(2, 3), real(3), mask(2, 3)
_pair = [Case(_x, _y), Case(_x, 0.5), Case(0.5, _x)]
_one = [Case(_x), Case(np.array([np.nan, np.inf, -np.inf, 0.0, 1.0]))]

def each(names, cases):
    return dict.fromkeys(names.split(), cases)


CONSTANT = {
    **each("equal not_equal less less_equal greater greater_equal",
           [*_pair, Case(_x, _x + 0)]),
    **each("logical_and logical_or logical_xor bitwise_and bitwise_or bitwise_xor",
           [Case(_b, mask(3)), Case(_b, True)]),
    "logical_not": [Case(_b), Case(_x)], "invert": [Case(_b), Case(ints(9, 3))],
    **each("isnan isinf isfinite floor ceil trunc rint", _one),
    "isclose": [Case(_x, _x + 1e-9), Case(_x, _y)], "allclose": [Case(_x, _x + 1e-9), Case(_x, _y)],
    "array_equal": [Case(_x, _x + 0), Case(_x, _y)],
    "round": [Case(_x), Case(_x, 1)],
    **each("any all count_nonzero", [Case(_b), Case(_b, axis=0), Case(_b, axis=1, keepdims=True)]),
    **each("argmax argmin", [Case(_x), Case(_x, axis=0), Case(_x, axis=1, keepdims=True)]),
    "argsort": [Case(_x), Case(_x, axis=0)], "nonzero": [Case(_x), Case(_b)],
    "searchsorted": [Case(np.sort(_y), _x), Case(np.sort(_y), 0.3, side="right")],
    **each("zeros_like ones_like", [Case(_x), Case(_x, dtype=np.float32)]),
    "empty_like": [Case(empty(0, 3))], "full_like": [Case(_x, 2.5)],
    "shape": [Case(_x)], "ndim": [Case(_x)], "size": [Case(_x), Case(_x, 1)],
    "result_type": [Case(_x, np.float32(1)), Case(_x.astype(np.float32), 2.0)],
    **each("iscomplexobj isrealobj", [Case(_x), Case(cplx(2))]),
}

CASES = {**ELEMENTWISE, **TRANSCENDENTAL, **REDUCTION, **SHAPE, **LINALG, **LOSS, **SPECIAL, **CONSTANT}
