"""Medians, quantiles and percentiles."""

from __future__ import annotations

import numpy as np

from cases.nanreduction import OVER_SOME, gaps
from cases.samples import distinct, empty, positive, real
from tinygraph.testing import Case

METHODS = ["linear", "hazen", "weibull", "median_unbiased", "normal_unbiased", "interpolated_inverted_cdf", "lower",
           "higher", "nearest", "midpoint", "inverted_cdf", "averaged_inverted_cdf", "closest_observation"]

_quantiles = [
    *(Case(distinct(2, 3, 4), 0.3, **k) for k in OVER_SOME), Case(real(), 0.3), Case(distinct(1), 0.7),
    *(Case(distinct(7), np.array([0.13, 0.52, 0.94]), method=method) for method in METHODS),
    Case(distinct(2, 5), np.array([[0.2], [0.71]]), axis=1), Case(distinct(5, 2), np.array(0.6), axis=(0, 1)),
    Case(distinct(5), np.array([0.0, 0.5, 1.0])).without(  # q lies on elements
        "first order", "second order", "third order"),
    Case(distinct(2, 5), np.array([0.2, 0.9]), axis=1, method="inverted_cdf", weights=positive(2, 5)),
]
_percentiles = [Case(distinct(2, 5), 30), Case(distinct(2, 5), np.array([20.5, 77.0]), axis=1),
                Case(distinct(5), 40.0, 0), Case(empty(3, 0), 30.0, axis=0)]
_gappy = [Case(gaps(distinct(2, 3, 4)), **k) for k in OVER_SOME] + [Case(gaps(distinct(3, 5)), axis=1)]


def at(q, **keywords):
    """The cases with NaN, with an argument more."""
    return [Case(*case.args, q, **case.kwargs, **keywords) for case in _gappy]


CASES = {
    "median": [*(Case(distinct(2, 3, 4), **k) for k in OVER_SOME), Case(distinct(5)), Case(real()), Case(distinct(1)),
               Case(distinct(2, 5), axis=1), Case(empty(3, 0), axis=0)],
    "nanmedian": [*_gappy, Case(distinct(5)), Case(real()), Case(empty(3, 0), axis=0)],
    "quantile": [*_quantiles, Case(  # NumPy's nanquantile has a fault here
        distinct(5, 2), 0.4, axis=0, method="inverted_cdf", weights=positive(5), keepdims=True)],
    "nanquantile": [*_quantiles, *at(0.3), *at(np.array([0.3, 0.77]), method="hazen")],
    "percentile": _percentiles, "nanpercentile": [*_percentiles, *at(np.array([30.0, 71.0]))],
}
