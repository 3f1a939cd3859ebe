"""Sums, products and extremes that pass over NaN."""

from __future__ import annotations

import numpy as np

from cases.reduction import OVER
from cases.samples import cplx, distinct, each, empty, real
from tinygraph.testing import Case

# Over no axis at all, an element that is NaN has neither a mean nor an extreme.
OVER_SOME = [keywords for keywords in OVER if keywords.get("axis") != ()]


def gaps(a, every=5):
    """The array with NaN here and there."""
    a = a.copy()
    a.reshape(-1)[1::every] = np.nan
    return a


_sums = [*(Case(gaps(real(2, 3, 4)), **k) for k in OVER), Case(real(2, 3)), Case(gaps(cplx(3))), Case(real()),
         Case(gaps(real(2, 3)), axis=1, where=np.arange(3) < 2)]
_no_number = [Case(np.array(np.nan)), Case(empty(0, 2), axis=0)]
_means = [case for case in _sums if case.kwargs.get("axis") != ()]
_extremes = [*(Case(gaps(distinct(2, 3, 4)), **k) for k in OVER_SOME), Case(distinct(2, 3)), Case(real()),
             Case(gaps(distinct(5)), where=np.arange(5) < 4, initial=0.0)]
_spreads = [*(Case(gaps(distinct(2, 3, 4)), **k) for k in OVER_SOME), Case(gaps(real(7)), ddof=1),
            Case(gaps(real(2, 4)), axis=1, correction=1), Case(real(2, 4), axis=0),
            Case(gaps(real(2, 5)), axis=1, where=np.arange(5) < 4), Case(gaps(real(2, 4)), axis=1, mean=real(2, 1)),
            Case(gaps(cplx(2, 4)), axis=1)]

CASES = {
    **each("nansum nanprod", [*_sums, *_no_number, Case(gaps(real(2, 4)), axis=1, initial=2.5)]),
    "nanmean": _means, "nanvar": _spreads, "nanstd": _spreads,
    "nanmax": [*_extremes, Case(gaps(distinct(2, 4)), axis=0, initial=-9.0)],
    "nanmin": [*_extremes, Case(gaps(distinct(2, 4)), axis=0, initial=9.0)],
    **each("nancumsum nancumprod", [
        Case(gaps(real(2, 3))), Case(gaps(real(2, 5)), axis=0), Case(gaps(real(2, 5)), axis=-1), Case(real()),
        Case(gaps(cplx(3))), *_no_number]),
}
