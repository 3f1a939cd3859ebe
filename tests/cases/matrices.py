"""Matrices made of vectors, sorting and counting."""

from __future__ import annotations

import numpy as np

from cases.samples import cplx, distinct, each, empty, ints, listed, positive, real
from tinygraph.testing import Case

_t, _d = real(2, 3, 4), distinct(2, 5)
_v = np.array([3.0, 1.0, 3.0, 2.0])


def _in_the_plane(a, b):
    """A vector of two components lies in the plane; where both do, only the third component is not zero."""
    third = [np.concatenate([x, np.zeros((*x.shape[:-1], 3 - x.shape[-1]))], -1) for x in (a, b)]
    y = np.cross(*third)
    return y[..., 2] if a.shape[-1] == b.shape[-1] == 2 else y


CASES = {
    "diagonal": [Case(real(3, 3)), Case(real(2, 4), 1), Case(real(4, 2), -1), Case(real(2, 4), 5), Case(_t, 0, 0, 2),
                 Case(_t, 1, 1, 2), Case(_t, -1, -1, 0), Case(_t, offset=1, axis1=2, axis2=1), Case(cplx(2, 2)),
                 Case(empty(0, 2)), Case(empty(2, 0), -1)],
    "diag": [Case(real(3)), Case(real(3), 1), Case(real(2), k=-2), Case(real(3, 3)), Case(real(2, 4), 1),
             Case(real(4, 2), -3), Case(real(4, 2), 2), Case(cplx(2)), Case(empty(0)), Case(empty(0, 2)),
             Case([1.0, 2.0])],
    "diagflat": [Case(real(2, 2)), Case(real(3), 1), Case(real()), Case(real(2), -1), Case(empty(0))],
    "trace": [Case(real(3, 3)), Case(real(2, 4), 1), Case(_t), Case(_t, -1, 1, 2), Case(_t, axis1=2, axis2=0),
              Case(cplx(2, 2)), Case(real(2, 2), dtype=np.complex128), Case(empty(0, 0)), Case(ints(9, 3, 3))],
    **each("tril triu", [Case(real(3, 4)), Case(real(3, 4), 1), Case(real(3, 4), k=-1), Case(_t), Case(real(3)),
                         Case(cplx(2, 2)), Case(empty(0, 2))]),
    "kron": [Case(real(2, 3), real(3, 2)), Case(real(2), real(3)), Case(real(2), real(2, 2)), Case(real(2, 2), real(2)),
             Case(real(), real(2)), listed(real(2), 3.0), Case(_t, real(2, 1)), Case(cplx(2), real(2)),
             listed([1.0, 2.0], real(2)), Case(empty(0), real(2)), Case(real(), real())],
    "cross": [Case(real(3), real(3)), Case(real(4, 3), real(3)), Case(real(2, 1, 3), real(4, 3)),
              Case(real(3, 4), real(3, 4), axis=0), Case(real(3, 4), real(4, 3), axisa=0),
              Case(real(4, 3), real(3, 4), axisb=0, axisc=0), Case(real(3, 2), real(3, 2), 0, 0, 0),
              Case(cplx(3), real(3)), Case(empty(0, 3), real(3)), listed([1.0, 2.0, 3.0], real(3)),
              # NumPy 2 gives vectors in the plane up.
              *(Case(a, b).against(_in_the_plane).without("float32") for a, b in [
                  (real(2), real(2)), (real(3), real(2)), (real(4, 2), real(3)), (real(2), real(4, 2))])],
    "vander": [Case(real(3)), Case(real(3), 4), Case(real(3), N=2, increasing=True), Case(cplx(2), 3), Case(real(2), 0),
               Case(np.array([0.0, 2.0]), 3).without("second order"), Case(ints(4, 3)), Case([1.0, 2.0]),
               Case(real(2), 1)],
    "polyval": [Case(real(4), real(3)), Case(real(4), real(2, 3)), Case(cplx(3), real(2)), Case(real(3), 0.5),
                Case([1.0, 2.0], real(3)), Case(ints(9, 3), ints(5, 2)), Case(real(1), real()), Case(real(3), empty(0)),
                Case([], real(2)).without("tensors")],
    "cov": [Case(real(3, 5)), Case(real(5)), Case(real(3, 5), real(2, 5)), Case(real(5), real(5)),
            Case(real(5, 3), rowvar=False), Case(real(5, 3), real(5, 2), False), Case(real(5), rowvar=False),
            Case(real(3, 5), bias=True), Case(real(3, 5), ddof=2), Case(cplx(2, 4)), Case(cplx(2, 4), real(4)),
            Case(real(2, 4), fweights=np.array([1, 2, 0, 1])), Case(real(2, 4), aweights=positive(4)),
            listed(real(2, 4), fweights=[1, 2, 3, 1], aweights=positive(4), ddof=0),
            Case(real(2, 4), bias=True, aweights=positive(4)), Case(real(2, 4), dtype=np.float64), Case(empty(0, 3)),
            Case(ints(9, 2, 4))],
    "corrcoef": [Case(real(3, 5)), Case(real(5), real(5)), Case(real(5, 3), rowvar=False), Case(cplx(2, 4)),
                 Case(real(5)), Case(real(3, 5), dtype=np.float64)],
    "sort": [Case(_d), Case(_d, 0), Case(_d, axis=None), Case(_d, -1, "stable"), Case(_d, stable=True),
             Case(distinct(5) + 1j * real(5)), Case(empty(0, 2)), Case(distinct(1)), Case(real(), None),
             Case(_d > 0, 0), Case([3.0, 1.0])],
    # The order of the rest is NumPy's own affair: here every place is asked for, or follows.
    "partition": [Case(distinct(3), 1), Case(distinct(2, 3), 1, 0 - 1), Case(distinct(4), (0, 1, 2, 3)),
                  Case(distinct(2, 3), 0, axis=0), Case(distinct(1, 3), 1, axis=None), Case(distinct(2), -1)],
    "bincount": [Case(ints(4, 6)), Case(ints(4, 6), real(6)), Case(ints(4, 6), weights=real(6), minlength=9),
                 Case([1, 1], [2.0, 3.0]), Case(np.zeros(0, int))],
    "histogram": [Case(real(9)), Case(real(9), 4), Case(real(9), bins=np.array([-2.0, -0.5, 0.0, 1.0])),
                  listed(real(9), [-1, 0, 1]), Case(real(2, 4), 3, (-1, 1)), Case(_v, 3),
                  Case(real(9), 3, weights=real(9)), Case(real(9), 3, density=True),
                  listed(real(9), [-2.0, 0.0, 2.0], density=True, weights=positive(9)), Case(ints(9, 7), 3)],
    "argpartition": [Case(distinct(3), 1), Case(distinct(3), (0, 1, 2))],
    "lexsort": [Case((_v, np.array([1.0, 1.0, 0.0, 0.0]))), Case(distinct(2, 4))],
    "digitize": [Case(real(4), np.array([-1.0, 0.0, 1.0])), Case(real(4), [-1.0, 0.0, 1.0], right=True)],
    "unique": [Case(_v), Case(_v, return_index=True, return_inverse=True, return_counts=True),
               Case(np.array([[1.0, 2.0], [1.0, 2.0]]), axis=0)],
    **each("unique_values unique_counts unique_inverse unique_all", [Case(_v)]),
    **each("union1d intersect1d setdiff1d setxor1d isin", [Case(_v, np.array([1.0, 5.0]))]),
    **each("flatnonzero argwhere", [Case(np.array([[0.0, 2.0], [1.0, 0.0]])), Case(real(3) > 0)]),
    "unravel_index": [Case(np.array([1, 5]), (2, 3)), Case(4, (2, 3))],
    "ravel_multi_index": [Case((np.array([0, 1]), np.array([1, 2])), (2, 3))],
    "histogram_bin_edges": [Case(real(6)), Case(real(6), 4, (0, 1))],
}
