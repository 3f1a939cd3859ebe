"""Padding, windows, convolution, differences, interpolation; functions applied to parts."""

from __future__ import annotations

import numpy as np

from cases.samples import cplx, distinct, empty, ints, listed, real
from tinygraph.testing import Case

_t = real(2, 3, 4)
_xp, _fp = np.array([0.0, 1.0, 2.5, 3.0]), real(4)
_at = np.array([[0.3, 1.7, 2.9], [-0.4, 3.3, 0.9]])
_coords = np.array([0.0, 1.0, 1.5, 3.5, 4.2])


def summed(x, shape, window_shape, axis=None):
    """Each window added where it lies, element by element: window number i covers the places i + k."""
    out = np.zeros(shape, x.dtype)
    sizes = tuple(np.atleast_1d(window_shape))
    axes = range(len(shape)) if axis is None else np.atleast_1d(axis) % len(shape)
    for place in np.ndindex(x.shape):
        base, offsets = list(place[:len(shape)]), place[len(shape):]
        assert len(offsets) == len(sizes)
        for i, offset in zip(axes, offsets, strict=True):
            base[i] += offset
        out[tuple(base)] += x[place]
    return out


CASES = {
    "pad": [
        Case(real(3), 1), Case(real(2, 3), (1, 2)), Case(real(2, 3), ((1, 0), (0, 2))), Case(real(2, 3), {1: (1, 2)}),
        Case(real(2, 3), {-1: 2}), Case(real(2, 3), [[1], [2]]),
        Case(real(2, 3), np.array([[1, 0], [0, 2]])).without("stand-in"),
        Case(real(3), 2, constant_values=3.0), Case(real(2, 3), 1, "constant", constant_values=real()),
        Case(real(2, 3), 1, constant_values=((1.0, 2.0), (3.0, 4.0))),
        Case(real(2, 3), (1, 2), constant_values=real(2)),
        Case(real(2, 3), 1, constant_values=real(2, 2)), Case(cplx(2), 1), Case(empty(0, 2), 1), Case(ints(9, 3), 1),
        *(Case(x, width, mode) for mode in ("edge", "wrap", "symmetric", "reflect", "linear_ramp", "maximum", "mean",
                                            "minimum", "median")
          for x, width in [(distinct(4), (2, 3)), (distinct(3, 2), ((1, 1), (0, 1))), (real(1, 3), ((0, 0), (2, 0)))]),
        *(Case(real(3), (5, 7), mode) for mode in ("wrap", "symmetric", "reflect")), Case(real(1), (2, 3), "reflect"),
        *(Case(x, width, mode, reflect_type="odd") for mode in ("reflect", "symmetric") for x, width in [
            (real(4), (2, 3)), (real(3), (5, 7)), (real(3, 2), ((1, 2), (1, 1))), (real(2), (4, 3))]),
        Case(real(1), (2, 3), "reflect", reflect_type="odd"), Case(real(1), (2, 3), "symmetric", reflect_type="odd"),
        Case(real(3), 2, "reflect", reflect_type="even"), Case(real(2, 3), 2, "linear_ramp", end_values=real()),
        Case(real(2, 3), (2, 1), "linear_ramp", end_values=((1.0, 2.0), (3.0, 4.0))),
        Case(real(2, 3), (2, 0), "linear_ramp", end_values=real(2)), Case(ints(9, 4), 2, "linear_ramp"),
        Case(real(5), 2, "mean", stat_length=2), Case(distinct(5), 2, "maximum", stat_length=(2, 3)),
        Case(distinct(3, 5), 1, "minimum", stat_length=((1, 2), (3, 9))), Case(ints(9, 5), 2, "mean"),
        Case(ints(9, 5), 1, "median"),
        Case(distinct(3, 5), 1, "median", stat_length=3), Case(cplx(3), 2, "mean"), Case(real(3), 0, "edge"),
    ],
    "sliding_window_view": [
        Case(real(5), 3), Case(real(4, 5), (2, 3)), Case(real(4, 5), 2, 1), Case(real(4, 5), (2, 3), (-1, 0)),
        Case(_t, (2,), axis=(1,)), Case(real(6), (2, 3), (0, 0)), Case(real(3), 3), Case(cplx(4), 2),
        Case(real(3, 3), (1, 1)), Case(empty(0, 3), 2, 1)],
    "overlap_add": [Case(v, shape, window, axis).against(summed) for v, shape, window, axis in [
        (real(3, 3), (5,), 3, None), (real(3, 3, 2, 3), (4, 5), (2, 3), None), (real(4, 4, 2), (4, 5), 2, 1),
        (real(3, 4, 3, 2), (4, 6), (3, 2), (-1, 0)),
        (real(3, 2, 3), (6,), (2, 3), (0, 0)), (cplx(3, 2), (4,), 2, 0), (empty(0, 2, 2), (0, 3), 2, 1)]],
    **{name: [*(Case(a, v, mode) for mode in ("full", "same", "valid") for a, v in [
        (real(5), real(3)), (real(5), real(4)), (real(4), real(4)), (real(3), real(5)), (real(2), real(6)),
        (real(4), real(1))]),
        Case(cplx(4), cplx(3)), Case(real(3), cplx(4), "same"), listed([1.0, 2.0], real(3))]
       for name in ("convolve", "correlate")},
    "diff": [Case(real(5)), Case(real(5), 2), Case(real(3, 4), axis=0), Case(real(3, 4), 1, -2), Case(real(3, 4), n=3),
             Case(real(4), 0), Case(real(3, 4), prepend=real(3, 1)), Case(real(3, 4), append=real(3, 2), prepend=0.0),
             Case(real(3, 4), axis=0, append=real()), Case(real(4), 9), Case(cplx(4)), Case(ints(9, 5)),
             Case(real(4) > 0), Case(empty(0)), Case([1.0, 4.0])],
    "ediff1d": [Case(real(4)), Case(real(2, 3)), Case(real(4), real(2)), listed(real(4), to_begin=1.0, to_end=real(2)),
                Case(cplx(3)), Case(real(1)), listed(ints(9, 3), to_begin=[1, 2])],
    "gradient": [
        Case(real(5)), Case(real(3, 4)), Case(real(5), 0.5), Case(real(3, 4), 2.0), Case(real(3, 4), 2.0, 0.5),
        Case(real(3, 4), axis=0), Case(real(3, 4), axis=(1, 0)), Case(real(3, 4), axis=-1, edge_order=2),
        Case(real(5), _coords), Case(real(5), _coords, edge_order=2), Case(real(3, 5), 2.0, _coords),
        Case(real(3, 5), _coords, axis=1), Case(real(5), real(), edge_order=2), Case(real(5), np.arange(5.0)),
        Case(real(2)), Case(real(3), edge_order=2), Case(cplx(4)), Case(ints(9, 4)),
        listed(_t, [0.0, 1.0], 1.0, _coords[:4])],
    "interp": [
        Case(_at, _xp, _fp), Case(_at, _xp, _fp, real(), real()), Case(_at, _xp, _fp, left=-1.0), Case(0.4, _xp, _fp),
        listed(real(), [0.0, 1.0, 2.0], real(3), right=real()), Case(_at, _xp, cplx(4)),
        Case(_at, _xp, _fp, period=3.7),
        Case(_at, np.array([5.1, 0.2, -0.9, 1.3]), _fp, period=3.7),
        Case(np.array([0.3, 2.2]), np.array([1.0]), real(1)),
        Case(np.array([0.3, 2.2]), np.array([1.0]), real(1), period=2.0), listed([0.5, 1.5], _xp, _fp),
        Case(empty(0), _xp, _fp)],
    "unwrap": [Case(np.array([0.0, 6.0, 1.0, -5.0, 9.0])), Case(4 * real(3, 4)), Case(4 * real(3, 4), axis=0),
               Case(4 * real(5), 4.0), Case(real(5), period=1.0), Case(empty(0))],
    "apply_along_axis": [Case(np.sum, 0, real(3, 4)), Case(np.cumsum, 1, real(3, 4)), Case(np.cumsum, -2, _t),
                         Case(np.diff, 2, _t), Case(lambda v: v[:, None] * v, 1, _t), Case(np.sum, 0, real(3)),
                         Case(np.sum, 0, real(3, 2), keepdims=True), Case(np.roll, 1, _t, 1)],
    "apply_over_axes": [Case(np.sum, _t, [0, 2]), Case(np.sum, _t, 1), Case(np.cumsum, _t, (0, 1)),
                        Case(np.max, real(3), 0)],
    "fromfunction": [Case(lambda i, j: i + 10 * j, (2, 3)).against(np.fromfunction),
                     Case(lambda i, c: i * c, (3,), dtype=int, c=real(3)).against(np.fromfunction).without("stand-in",
                                                                                                           "float32")],
}
