"""Sums, products, extremes."""

from __future__ import annotations

import numpy as np

from cases.samples import cplx, distinct, each, empty, mask, positive, real
from tinygraph.testing import Case


def weighted(a, weights, axis=None, keepdims=False):
    return np.average(a, axis, np.broadcast_to(weights, a.shape), keepdims=keepdims)


OVER = [{}, {"axis": 0}, {"axis": -1, "keepdims": True}, {"axis": (0, 2)}, {"keepdims": True}, {"axis": ()}]

CASES = {
    "sum": [*(Case(real(2, 3, 4), **k) for k in OVER), Case(real(2, 3), where=mask(2, 3)), Case(real(), axis=None),
            Case(real(2, 3), axis=1, initial=2.5), Case(empty(0, 2), axis=0), Case(cplx(3)),
            Case(real(3), dtype=np.complex128)],
    "mean": [*(Case(real(2, 3, 4), **k) for k in OVER), Case(real(2, 3), axis=1, where=np.eye(2, 3) < 1), Case(real()),
             Case(empty(2, 0), axis=0), Case(cplx(2, 3), axis=0)],
    "max": [*(Case(distinct(2, 3, 4), **k) for k in OVER), Case(distinct(5), where=mask(5), initial=-9.0),
            Case(distinct(2, 3), initial=0.0), Case(real()), Case(empty(0, 2), axis=1)],
    "min": [*(Case(distinct(2, 3, 4), **k) for k in OVER), Case(distinct(5), where=mask(5), initial=9.0),
            Case(distinct(2, 3), initial=0.0), Case(real()), Case(empty(0, 2), axis=1)],
    "var": [*(Case(real(2, 3, 4), **k) for k in OVER), Case(real(4), ddof=1), Case(real(2, 4), axis=1, correction=1),
            Case(real(2, 4), axis=1, where=np.eye(2, 4) < 1), Case(real(2, 4), axis=1, mean=real(2, 1)),
            Case(cplx(2, 3), axis=1), Case(empty(2, 0), axis=0)],
    "std": [*(Case(distinct(2, 3, 4), **k) for k in OVER if k.get("axis") != ()), Case(distinct(4), ddof=1),
            Case(distinct(2, 4), axis=1, where=np.eye(2, 4) < 1), Case(distinct(2, 4), axis=1, mean=real(2, 1)),
            Case(cplx(2, 3), axis=1), Case(empty(2, 0), axis=0)],
    "logsumexp": [Case(real(2, 3, 4), **k).against(
        lambda a, axis=None, keepdims=False: np.log(np.sum(np.exp(a), axis=axis, keepdims=keepdims)))
        for k in OVER if k.get("axis") != ()] + [Case(real())]
        # An imaginary part between -π and π, whatever the terms' are.
        + [Case(7 * cplx(5), axis=0).against(lambda a, axis: np.log(np.sum(np.exp(a))))],
    "prod": [*(Case(real(2, 3, 4), **k) for k in OVER), Case(real(2, 3), where=mask(2, 3)), Case(real()),
             Case(real(2, 3), axis=0, initial=2.5), Case(empty(0, 2), axis=0), Case(empty(2, 0), axis=0),
             Case(np.array([[0.0, 2.0, 3.0], [0.0, 0.0, 1.5]]), axis=1), Case(np.zeros(4)), Case(cplx(3)),
             Case(real(), axis=0), Case(real(), axis=-1, keepdims=True)],
    "cumsum": [Case(real(2, 3)), Case(real(2, 3), axis=0), Case(real(2, 3), axis=-1), Case(real()),
               Case(empty(0, 2), axis=0), Case(empty(2, 0)), Case(cplx(3))],
    "cumprod": [Case(real(2, 3)), Case(real(2, 5), axis=0), Case(real(2, 5), axis=-1), Case(real()),
                Case(empty(0, 2), axis=0), Case(empty(2, 0)), Case(np.array([2.0, 0.0, 3.0, 0.0, 1.5])), Case(cplx(3))],
    **each("cumulative_sum cumulative_prod", [
        Case(real(3)), Case(real(3), include_initial=True), Case(real(2, 3), axis=1, include_initial=True),
        Case(real(2, 3), axis=-2, dtype=np.complex128), Case(real()), Case(empty(0)),
        Case(cplx(3), include_initial=True)]),
    "weighted_mean": [case.against(weighted) for case in [
        Case(real(2, 3), positive(2, 3)), Case(real(), positive()), Case(real(2, 3), positive(3), axis=1),
        Case(real(2, 3), positive(3), axis=0, keepdims=True), Case(real(2, 3), positive(2, 1), axis=0)]],
    "average": [Case(real(2, 3)), Case(real(2, 3), 0), Case(real(2, 3), weights=positive(2, 3)), Case(real()),
                Case(real(2, 3), axis=-1, weights=positive(3)), Case(real(2, 3), 0, positive(2, 3), keepdims=True),
                Case(real(2, 3, 4), axis=(2, 0), weights=positive(4, 2)), Case(cplx(3), weights=positive(3)),
                Case(real(2, 3), axis=0, weights=np.array([1, 2])),
                Case(real(2, 3), axis=1, weights=positive(3), returned=True),
                Case(real(3), 0, [1.0, 2.0, 3.0]).without("stand-in")],  # it meets no list
    "ptp": [*(Case(distinct(2, 3, 4), **k) for k in OVER), Case(real())],
    "trapezoid": [Case(real(3)), Case(real(2, 3), dx=0.5), Case(real(2, 3), real(3)), Case(real(2, 3), real(2), axis=0),
                  Case(real(2, 3, 2), real(2, 3, 2), axis=1), Case(real(2, 3), dx=positive(2)), Case(cplx(3)),
                  Case(real(1)), Case(empty(0, 3))],
}
