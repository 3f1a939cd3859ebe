"""Moving values about, reading and replacing parts."""

from __future__ import annotations

import numpy as np

from cases.samples import cplx, empty, ints, mask, real
from tinygraph.testing import Case


def scattered(v, index, shape):
    out = np.zeros(shape, v.dtype)
    np.add.at(out, index, v)
    return out


def replaced(x, index, v):
    out = x.copy()
    out[index] = v
    return out


INDEXES = [
    0, -1, (1, 2), slice(None), slice(None, None, -2), (slice(1, None), 1), (..., 0), (None, 1), (slice(0), 2),
    [2, 0, 2], np.array([1, 1, 0]), (np.array([0, 0, 2]), np.array([1, 1, 3])),
    (slice(None), np.array([[0, 3], [3, 3]])),
    (np.array([2, 0]), None, slice(1, 3)), mask(3, 4), (slice(None), mask(4)), np.array(2), np.zeros((0,), int), (),
]

CASES = {
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
CASES["setitem"] = [case.against(replaced) for case in CASES["setitem"]]
