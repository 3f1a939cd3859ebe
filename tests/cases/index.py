"""Reading and replacing parts, by place, by truth and by number; taking out and putting in."""

from __future__ import annotations

import numpy as np

from cases.samples import cplx, distinct, empty, ints, listed, mask, real
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
    ..., None, (None, ..., None), (slice(None, None, -1), slice(3, 0, -2)), (slice(-1, -3, -1),), (0, 0), (-3, -4),
    ([0, 2], [1, 3]), ([[0], [2]], [1, 3]), (np.array([0, 2]), slice(None), None), (0, np.array([1, 1, 0])),
    (np.array([1, 0]), ..., np.array([0, 3])), (np.array(1), np.array([2, 2])), (np.array([[1, 1], [2, 0]]),),
    np.array([-1, -3, 2]), (mask(3), 1), (mask(3), np.array([0])), (None, mask(3, 4)), np.zeros((3, 4), bool), True,
    [True, False, True], np.s_[1:, None, ::2], (np.int64(1), np.int32(-1)), np.ix_([0, 2], [1, 1]),
]

_x = real(2, 3)

CASES = {
    "getitem": [*(Case(real(3, 4), i).against(lambda x, index: x[index]) for i in INDEXES), Case(real(), ()),
                Case(empty(0, 2), slice(1)), Case(cplx(3), [0, 0])],
    "scatter_add": [*(Case(np.asarray(real(3, 4)[i]), i, (3, 4)).against(scattered) for i in INDEXES),
                    Case(real(), (), ())],
    "setitem": [Case(real(3, 4), 1, real(4)), Case(real(3, 4), (slice(None), 1), real()),
                Case(real(3, 4), slice(1, None), real(2, 1)), Case(real(3, 4), mask(3, 4), real()),
                Case(real(3, 4), np.array([0, 2]), real(2, 4)), Case(real(3, 4), [0, 2, 0], real(3, 4)),
                Case(real(3, 4), ..., 2.0), Case(real(), (), real()), Case(empty(0, 2), slice(1), real(2)),
                Case(real(3, 4), 0, real(1, 4)), Case(real(3, 4), slice(None), real(1, 1, 4)),
                Case(real(3, 4), [0, 0], real(1, 1, 1)), Case(real(3, 4), (slice(None, None, -1), [1, 1]), real(3, 1)),
                Case(real(3, 4), (None, 1), real(4)), Case(real(3), mask(3), 1.5), Case(cplx(3), [0, 0], real(2)),
                Case(real(3, 4), (np.array([0, 0]), np.array([1, 1])), real(2)), Case(real(3), np.zeros(3, bool), 1.0),
                Case(real(3, 4), (..., np.array([0, 2])), real(2)), Case(real(2, 2), np.array(1), real(2))],
    "take": [Case(real(5), np.array([0, 2, 2])), Case(real(2, 3), ints(3, 2, 2), axis=1), Case(real(2, 3), ints(6, 4)),
             Case(real(2, 3), 1, axis=0), Case(real(2, 3), np.array([-1, 7]), axis=-1, mode="wrap"),
             Case(real(2, 3), np.array([-4, 7]), axis=0, mode="clip"), Case(real(3), np.zeros(0, int)), Case(real(), 0),
             listed(real(2, 3), [0, 1], 1),
             listed(cplx(3), [2, 2]), Case(real(2, 3, 2), np.array([[0], [1]]), -2)],
    "take_along_axis": [Case(distinct(2, 3), np.array([[2, 0, 0], [1, 1, 1]]), 1), Case(real(2, 3), ints(2, 4, 3), 0),
                        Case(real(2, 3), ints(6, 4), None), Case(real(2, 3), ints(3, 2, 1)),
                        Case(real(1, 3), ints(3, 2, 2)),
                        Case(real(2, 3), np.array([[-1, 0, -3], [1, 1, 1]]), -1), Case(cplx(3), ints(3, 2), 0),
                        Case(empty(0, 3), np.zeros((0, 2), int), 1)],
    "compress": [listed([True, False, True], real(3, 2), 0), Case(np.array([True, False, True]), real(2, 3), axis=1),
                 listed([False, True], real(2, 3)), listed([0, 1], real(2, 3), -1), listed([False], empty(0, 2), 0)],
    "extract": [Case(mask(2, 3), real(2, 3)), listed([True, False], real(2)), Case(ints(2, 3), cplx(3))],
    "choose": [listed([0, 1, 0], [real(3), real(3)]), Case(np.array([[0], [1]]), (real(3), real(2, 3))),
               Case(ints(3, 4), [real(4), 2.0, real()]), Case(ints(3, 4), real(3, 4)), Case(ints(3, 4), real(3, 1)),
               Case(ints(2, 2, 3), real(2, 3)), Case(1, [real(3), real(3)]),
               Case(np.array([-1, 4]), real(3, 2), mode="wrap"),
               Case(np.array([-1, 4]), [real(2), cplx(2)], mode="clip")],
    "select": [Case([mask(3), mask(3)], [real(3), real(3)], 2.0), Case([mask(2, 3)], [real(3)], real(2, 1)),
               Case((mask(3), mask(3)), (1.0, real(3))), Case([mask(3)], [cplx(3)]),
               Case(np.ones((2, 3), bool), real(2, 3)),
               Case([np.array(True), mask(2)], [real(2), real()])],
    "insert": [Case(real(4), 1, 5.0), Case(real(4), 1, real(2)), Case(real(4), [1, 3], real(2)),
               Case(real(4), [3, 1, 1], real(3)), Case(real(4), [-1], real(2)), Case(real(4), slice(0, 3, 2), real()),
               Case(real(2, 3), 1, real()), Case(real(2, 3), 1, real(2), axis=1), Case(real(2, 3), 1, real(3), axis=0),
               Case(real(2, 3), [1], real(2, 1), axis=1), Case(real(2, 3), [0, 2], real(2, 1), axis=-1),
               Case(real(2, 3), [0, 2], real(2), axis=1), Case(real(2, 3), 0, real(2, 3), axis=0),
               listed(real(3), [], []),
               Case(real(3), np.array([True, False, True]), real(2)).without("stand-in"),
               Case(cplx(3), 3, real()), Case(ints(9, 3), 1, 7),
               Case(real(2, 3), 3, real(2, 2), axis=1)],
    "delete": [Case(real(4), 1), Case(real(4), -1), Case(real(4), [0, 0, 2]), Case(real(4), slice(1, None, 2)),
               Case(real(2, 3), 1), Case(real(2, 3), 1, axis=1), Case(real(2, 3), [0, 2], -1), Case(real(3), []),
               Case(real(3), [True, False, True]), Case(cplx(3), 0), Case(real(2, 3), [0, 1], 0)],
    "resize": [Case(real(2, 3), (3, 4)), Case(real(2, 3), 4), Case(real(3), (2, 0)), Case(empty(0), (2, 2)),
               Case(cplx(2), (5,)), Case(real(), 3), Case(real(3), ())],
    "piecewise": [
        Case(_x, [_x > 0], [lambda x: x ** 2, 7.0]), Case(_x, [_x > 0.5, _x < -0.5], [np.sin, lambda x: 3 * x]),
        Case(_x, [_x > 0.5, _x < -0.5], [np.sin, 2.0, np.exp]), Case(_x[0], _x[0] > 0, [np.sin]),
        listed(_x[0], [True, False, True], [np.sin, 2.0]),
        listed(real(), True, [np.sin]), Case(_x, [_x > 0], [lambda x, a, b=1: a * x + b, 0.0], 3.0, b=2.0),
    ],
}
CASES["setitem"] = [case.against(replaced) for case in CASES["setitem"]]
