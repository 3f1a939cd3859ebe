"""Functions without a derivative."""

from __future__ import annotations

import numpy as np

from cases.samples import cplx, each, empty, ints, mask, real
from tinygraph.testing import Case

_x, _y, _b = real(2, 3), real(3), mask(2, 3)
_pair = [Case(_x, _y), Case(_x, 0.5), Case(0.5, _x)]
_one = [Case(_x), Case(np.array([np.nan, np.inf, -np.inf, 0.0, 1.0]))]

CASES = {
    **each("equal not_equal less less_equal greater greater_equal",
           [*_pair, Case(_x, _x + 0)]),
    **each("logical_and logical_or logical_xor bitwise_and bitwise_or bitwise_xor",
           [Case(_b, mask(3)), Case(_b, True)]),
    "logical_not": [Case(_b), Case(_x)], "invert": [Case(_b), Case(ints(9, 3))],
    **each("isnan isinf isfinite isposinf isneginf isreal signbit floor ceil trunc rint fix", _one),
    "iscomplex": [Case(_x), Case(np.append(cplx(3), 2 + 0j))],
    **each("nextafter", _pair), "spacing": [Case(_x), Case(np.array([1e-9, 1e9]))],
    **each("gcd lcm", [Case(ints(9, 2, 3), ints(9, 3)), Case(ints(9, 3), 6)]),
    **each("left_shift right_shift", [Case(ints(9, 2, 3), ints(3, 3)), Case(ints(9, 3), 2)]),
    "bitwise_count": [Case(ints(99, 3)), Case(_b)],
    "isclose": [Case(_x, _x + 1e-9), Case(_x, _y)], "allclose": [Case(_x, _x + 1e-9), Case(_x, _y)],
    "array_equal": [Case(_x, _x + 0), Case(_x, _y)],
    "array_equiv": [Case(_x, _x[:1]), Case(_y, np.stack([_y, _y]))],
    **each("round around", [Case(_x), Case(_x, 1)]),
    **each("any all count_nonzero", [Case(_b), Case(_b, axis=0), Case(_b, axis=1, keepdims=True)]),
    **each("argmax argmin", [Case(_x), Case(_x, axis=0), Case(_x, axis=1, keepdims=True)]),
    **each("nanargmax nanargmin", [Case(np.where(_b, _x, np.nan)), Case(_x, axis=0), Case(_x, axis=1, keepdims=True)]),
    "argsort": [Case(_x), Case(_x, axis=0)],
    "nonzero": [Case(_x), Case(_b)],
    "searchsorted": [Case(np.sort(_y), _x), Case(np.sort(_y), 0.3, side="right")],
    **each("zeros_like ones_like", [Case(_x), Case(_x, dtype=np.float32)]),
    "empty_like": [Case(empty(0, 3))],
    **each("tril_indices_from triu_indices_from", [Case(_x), Case(_x, 1)]), "diag_indices_from": [Case(real(3, 3))],
    "shape": [Case(_x)], "ndim": [Case(_x)], "size": [Case(_x), Case(_x, 1)],
    "result_type": [Case(_x, np.float32(1)), Case(_x.astype(np.float32), 2.0)],
    **each("iscomplexobj isrealobj", [Case(_x), Case(cplx(2))]),
    # The engine's own: it takes a tuple apart. Ops of several outputs try the rest of it.
    "pick": [Case((1.5, 2.5), 1).against(lambda value, index: value[index]).without("stand-in")],
}
