"""Products and norms."""

from __future__ import annotations

import numpy as np

from cases.samples import apart, cplx, distinct, empty, real, rng
from tinygraph.testing import Case

VECTOR_ORDERS = [None, 2, 1, 0, np.inf, -np.inf, 3, 2.5, 0.5, -1, -2.5]
MATRIX_ORDERS = ["fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf]


def _vecdot(x1, x2, axis=-1):
    return np.sum(np.conj(np.moveaxis(x1, axis, -1)) * np.moveaxis(x2, axis, -1), -1)


def _spread(*shape):
    """Numbers whose sizes differ by 0.05 or more and stay well away from zero."""
    n = int(np.prod(shape))
    return np.reshape(rng().choice([-1.0, 1.0], n) * (0.5 + 0.05 * rng().permutation(n)), shape)


def _turning(*shape):
    return apart(*shape) + 0.2j * real(*shape)


CASES = {
    "matmul": [Case(real(2, 3), real(3, 4)), Case(real(3), real(3)), Case(real(2, 3), real(3)),
               Case(real(3), real(3, 2)), Case(real(5, 2, 3), real(3, 4)), Case(real(2, 1, 2, 3), real(4, 3, 2)),
               Case(real(4, 2, 3), real(3)), Case(real(3), real(4, 3, 2)), Case(empty(0, 3), real(3, 2)),
               Case(empty(2, 0), empty(0, 2)),
               Case(cplx(2, 3), real(3, 2))],
    "linalg.matmul": [Case(real(2, 3), real(3, 4)), Case(cplx(4, 2, 3), real(3, 2))],
    "dot": [Case(real(2, 3), real(3, 4)), Case(real(3), real(3)), Case(real(2, 3), real(3)),
            Case(real(3), real(4, 3, 2)), Case(real(2, 5, 3), real(4, 3, 2)), Case(real(), real(2)),
            Case(real(2, 3), 2.0), Case(empty(0, 3), real(3)), Case(cplx(2, 3), cplx(3))],
    "inner": [Case(real(3), real(3)), Case(real(2, 3), real(4, 3)), Case(real(2, 3), real(3)), Case(real(), real(2, 3)),
              Case(real(2), 2.0), Case(real(2, 4, 3), real(5, 3)), Case(empty(0, 3), real(3)),
              Case(cplx(3), cplx(2, 3))],
    "outer": [Case(real(2), real(3)), Case(real(2, 2), real(3, 1)), Case(real(), real(2)), Case(2.0, real(2)),
              Case(empty(0), real(2)), Case(cplx(2), cplx(2))],
    "linalg.outer": [Case(real(2), real(3)), Case(empty(0), real(2)), Case(cplx(2), real(2))],
    "vdot": [Case(real(3), real(3)), Case(cplx(3), cplx(3)), Case(cplx(2, 3), real(6)), Case(real(2, 2), cplx(2, 2)),
             Case(real(), cplx()), Case(2.0, real()), Case(empty(0), empty(0))],
    "vecdot": [Case(real(3), real(3)), Case(cplx(2, 3), cplx(3)), Case(real(3), cplx(4, 2, 3)),
               Case(cplx(3, 2), cplx(3, 2), axis=0), Case(real(2, 3, 4), real(2, 1, 4), axis=0).against(_vecdot),
               Case(cplx(2, 3, 4), cplx(3, 4), axis=-2), Case(real(3, 1), real(4, 3, 2), axis=-2),
               Case(empty(2, 0), empty(2, 0))],
    "matvec": [Case(real(2, 3), real(3)), Case(cplx(4, 2, 3), cplx(3)), Case(real(2, 3), cplx(4, 3)),
               Case(real(5, 1, 2, 3), real(4, 3)), Case(empty(2, 0), empty(4, 0))],
    "vecmat": [Case(real(3), real(3, 2)), Case(cplx(3), cplx(4, 3, 2)), Case(cplx(4, 3), real(3, 2)),
               Case(real(5, 1, 3), real(4, 3, 2)), Case(empty(4, 0), empty(0, 2))],
    "tensordot": [Case(real(2, 3, 4), real(3, 4, 2)), Case(real(2, 3), real(2, 4), axes=([0], [0])),
                  Case(real(2), real(3), 0), Case(real(2, 3, 4), real(4, 5, 3), axes=([1, 2], [2, 0])),
                  Case(real(2, 3), real(3, 2), axes=1), Case(real(2, 3), real(3, 2), axes=(1, 0)),
                  Case(real(2, 3), real(3, 2), axes=np.int64(1)), Case(real(2, 3, 2), real(2, 3), axes=[[-1], [-2]]),
                  Case(cplx(2, 3), cplx(3, 2), 1), Case(real(3), real(3), 1), Case(empty(0, 3), real(3, 2), 1)],
    "linalg.tensordot": [Case(real(2, 3, 4), real(3, 4, 2)), Case(cplx(2, 3), real(2, 4), axes=([0], [0]))],
    "multi_dot": [Case([real(2, 3), real(3, 4)]), Case([real(3), real(3, 4), real(4, 2)]),
                  Case([real(2, 3), real(3, 4), real(4, 5), real(5)]), Case([real(3), real(3)]),
                  Case([real(3), real(3, 4), real(4)]), Case((cplx(2, 3), real(3, 4), cplx(4, 1))),
                  Case([empty(0, 3), real(3, 4), real(4, 2)])],
    "linalg.trace": [Case(real(3, 3)), Case(real(2, 3, 4), offset=1), Case(cplx(4, 2), offset=-1),
                     Case(empty(2, 0, 0))],
    "linalg.diagonal": [Case(real(3, 3)), Case(real(2, 3, 4), offset=1), Case(cplx(4, 2), offset=-1),
                        Case(empty(2, 0, 3))],
    "linalg.cross": [Case(real(3), real(3)), Case(real(2, 3), cplx(3)), Case(real(3, 2), real(3, 2), axis=0)],
    "linalg.matrix_transpose": [Case(real(2, 3)), Case(cplx(2, 3, 4)), Case(empty(0, 3))],
    "add_bias": [Case(real(2, 3), real(3)).against(np.add), Case(real(3), real(3)), Case(empty(0, 3), real(3))],
    "affine": [Case(real(2, 3), real(3, 4), real(4)).against(lambda x, w, b: x @ w + b),
               Case(real(3), real(3, 4), real(4)), Case(empty(0, 3), real(3, 2), real(2))],
    "norm": [Case(real(3)), Case(real(2, 3)), Case(real(2, 3), axis=0), Case(real(2, 3), 2, axis=1, keepdims=True),
             Case(real(2, 3), "fro"), Case(real(2, 3, 4), axis=(0, 2)), Case(cplx(2, 3), axis=1), Case(real(2, 3, 4)),
             Case(real()), Case(empty(0)), Case(empty(0, 3), axis=0), Case(empty(2, 0), 1, axis=1),
             *(Case(_spread(4), ord) for ord in VECTOR_ORDERS), *(Case(cplx(4), ord) for ord in VECTOR_ORDERS),
             *(Case(_spread(2, 3, 2), ord, axis=1) for ord in VECTOR_ORDERS[4:]),
             *(Case(apart(3, 4), ord) for ord in MATRIX_ORDERS), *(Case(_turning(3, 2), ord) for ord in MATRIX_ORDERS),
             *(Case(np.moveaxis(apart(3, 4, 2), 0, 1), ord, (2, 0), True) for ord in MATRIX_ORDERS),
             *(Case(apart(2, 3, 4), ord, axis=(-2, -1)) for ord in MATRIX_ORDERS)],
    "vector_norm": [Case(real(3)), Case(real(2, 3)), Case(real(2, 3), keepdims=True), Case(cplx(2, 3), ord=1),
                    *(Case(_spread(2, 3, 4), ord=ord, axis=(0, 2)) for ord in VECTOR_ORDERS[1:]),
                    Case(distinct(2, 3), ord=np.inf, axis=1, keepdims=True), Case(real()), Case(empty(0, 3), axis=0)],
    "matrix_norm": [*(Case(apart(2, 3, 4), ord=ord) for ord in MATRIX_ORDERS), Case(real(2, 3), keepdims=True),
                    Case(cplx(3, 2), ord="nuc"), Case(empty(0, 3))],
    "cond": [*(Case(apart(3, 3), p) for p in (None, *MATRIX_ORDERS)), Case(_turning(2, 3, 3), 1), Case(_turning(3, 3)),
             Case(apart(2, 3, 4)), Case(apart(4, 2), -2)],
}
