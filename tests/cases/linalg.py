"""Products and norms."""

from __future__ import annotations

import numpy as np

from cases.samples import cplx, empty, real
from tinygraph.testing import Case

CASES = {
    "matmul": [Case(real(2, 3), real(3, 4)), Case(real(3), real(3)), Case(real(2, 3), real(3)),
               Case(real(3), real(3, 2)), Case(real(5, 2, 3), real(3, 4)), Case(real(2, 1, 2, 3), real(4, 3, 2)),
               Case(real(4, 2, 3), real(3)), Case(real(3), real(4, 3, 2)), Case(empty(0, 3), real(3, 2)),
               Case(empty(2, 0), empty(0, 2)),
               Case(cplx(2, 3), real(3, 2))],
    "dot": [Case(real(2, 3), real(3, 4)), Case(real(3), real(3)), Case(real(2, 3), real(3)),
            Case(real(3), real(4, 3, 2)), Case(real(2, 5, 3), real(4, 3, 2)), Case(real(), real(2)),
            Case(real(2, 3), 2.0), Case(empty(0, 3), real(3)), Case(cplx(2, 3), cplx(3))],
    "inner": [Case(real(3), real(3)), Case(real(2, 3), real(4, 3)), Case(real(2, 3), real(3)), Case(real(), real(2, 3)),
              Case(real(2), 2.0), Case(real(2, 4, 3), real(5, 3)), Case(empty(0, 3), real(3)),
              Case(cplx(3), cplx(2, 3))],
    "outer": [Case(real(2), real(3)), Case(real(2, 2), real(3, 1)), Case(real(), real(2)), Case(2.0, real(2)),
              Case(empty(0), real(2)), Case(cplx(2), cplx(2))],
    "tensordot": [Case(real(2, 3, 4), real(3, 4, 2)), Case(real(2, 3), real(2, 4), axes=([0], [0])),
                  Case(real(2), real(3), 0), Case(real(2, 3, 4), real(4, 5, 3), axes=([1, 2], [2, 0])),
                  Case(real(2, 3), real(3, 2), axes=1), Case(real(2, 3), real(3, 2), axes=(1, 0)),
                  Case(empty(0, 3), real(3, 2), 1)],
    "add_bias": [Case(real(2, 3), real(3)).against(np.add), Case(real(3), real(3)), Case(empty(0, 3), real(3))],
    "affine": [Case(real(2, 3), real(3, 4), real(4)).against(lambda x, w, b: x @ w + b),
               Case(real(3), real(3, 4), real(4)), Case(empty(0, 3), real(3, 2), real(2))],
    "norm": [Case(real(3)), Case(real(2, 3)), Case(real(2, 3), axis=0), Case(real(2, 3), 2, axis=1, keepdims=True),
             Case(real(2, 3), "fro"), Case(real(2, 3, 4), axis=(0, 2)), Case(cplx(2, 3), axis=1)],
}
