"""Fourier transforms."""

from __future__ import annotations

from cases.samples import cplx, each, empty, real
from tinygraph.testing import Case

SIZES = [{}, {"n": 3}, {"n": 4}, {"n": 7}, {"n": 1}, {"axis": 0}, {"n": 3, "axis": 0}, {"n": 6, "axis": -2},
         {"norm": "ortho"}, {"norm": "forward", "n": 4}, {"norm": "backward"}]
OVER_AXES = [{}, {"axes": (0,)}, {"axes": (1, 0)}, {"axes": (-1, 0), "norm": "ortho"}, {"norm": "forward"},
             {"s": (3, 5), "axes": (0, 2)}, {"s": (4, -1), "axes": (0, 1)}, {"s": (1, 6), "axes": [2, 1]},
             {"s": (2, 3, 4), "axes": (0, 1, 2), "norm": "ortho"}, {"axes": (0, 0, 1)},
             {"s": (5, 3), "axes": (1, 1)}]
OVER_TWO = [{}, {"axes": (0, 1)}, {"s": (3, 5)}, {"s": (5, 2), "axes": (2, 0), "norm": "ortho"}, {"norm": "forward"}]
NO_AXES = {"axes": ()}

CASES = {
    **each("fft ifft", [*(Case(cplx(5, 6), **k) for k in SIZES), *(Case(real(5), **k) for k in SIZES[:5]),
                        Case(real(2, 1)), Case(empty(0, 3))]),
    **each("rfft ihfft", [*(Case(real(5, 6), **k) for k in SIZES), *(Case(real(5), **k) for k in SIZES[:5]),
                          Case(real(2, 1)), Case(empty(0, 3))]),
    **each("irfft hfft", [*(Case(cplx(5, 6), **k) for k in SIZES), *(Case(cplx(4), **k) for k in SIZES[:5]),
                          *(Case(real(5), **k) for k in SIZES[:5]), Case(cplx(2, 2)), Case(empty(0, 3))]),
    **each("fftn ifftn", [*(Case(cplx(3, 4, 5), **k) for k in (*OVER_AXES, NO_AXES)), Case(real(2, 3)),
                          Case(empty(2, 0, 3), axes=(0, 2))]),
    "rfftn": [*(Case(real(3, 4, 5), **k) for k in OVER_AXES if k.get("axes") not in ((0, 0, 1), (1, 1))),
              Case(real(2, 3)), Case(real(3, 4), axes=(0, 0, 1))],
    "irfftn": [*(Case(cplx(3, 4, 5), **k) for k in OVER_AXES), Case(real(2, 3)), Case(cplx(3, 4, 4))],
    **each("fft2 ifft2", [*(Case(cplx(3, 4, 5), **k) for k in OVER_TWO), Case(real(2, 3)),
                          Case(cplx(3, 4), axes=None)]),
    "rfft2": [*(Case(real(3, 4, 5), **k) for k in OVER_TWO), Case(real(2, 3)), Case(real(4, 4))],
    "irfft2": [*(Case(cplx(3, 4, 5), **k) for k in OVER_TWO), Case(real(2, 3)), Case(cplx(4, 4))],
    **each("fftshift ifftshift", [Case(real(5)), Case(cplx(4, 3)), Case(real(4, 3), 0), Case(real(2, 3, 5), (0, -1)),
                                  Case(real(2, 3), axes=[1]), Case(empty(0, 3))]),
}
