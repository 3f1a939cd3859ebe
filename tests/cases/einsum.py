"""Einstein's summation, in all of its forms."""

from __future__ import annotations

import numpy as np

from cases.samples import cplx, empty, real
from tinygraph.testing import Case

TWO = ["ij,jk->ik", "ij,jk", "ij,jk->ki", "ij,jk->", "ij,jk->ijk", "ij,jk->k", "ba,ac"]

CASES = {
    "einsum": [
        # One operand: transposes, sums, diagonals, traces.
        *(Case(subscripts, real(2, 3)) for subscripts in ("ij", "ji", "ij->", "ij->j", "ij->ji", " i j -> i ")),
        *(Case(subscripts, real(3, 3)) for subscripts in ("ii", "ii->i", "ii->", "ij->ij")),
        Case("iji->j", real(2, 3, 2)), Case("iji", real(2, 3, 2)), Case("iijj->ij", real(2, 2, 3, 3)),
        Case("iii->i", real(3, 3, 3)), Case("ijij->", cplx(2, 3, 2, 3)), Case("i->", real(3)),
        # Two and more.
        *(Case(subscripts, real(2, 3), real(3, 4)) for subscripts in TWO),
        Case("i,i", real(3), real(3)), Case("i,j->ij", real(2), real(3)), Case("i,j", real(2), real(3)),
        Case("i,i->i", cplx(3), real(3)), Case("ii,ij->j", real(3, 3), real(3, 2)),
        Case("ij,ij", real(2, 3), real(2, 3)),
        Case("bij,bjk->bik", real(4, 2, 3), real(4, 3, 2)), Case("ij,k->i", real(2, 3), real(4)),
        Case("ij,jk,kl->il", real(2, 3), real(3, 4), real(4, 2)), Case("i,ij,j", cplx(2), cplx(2, 3), cplx(3)),
        Case("ij,jk,kl->il", real(2, 3), real(3, 4), real(4, 2), optimize=True),
        Case("ij,jk,kl", real(2, 3), real(3, 4), real(4, 2), optimize="optimal"),
        Case("ij,jk,kl->il", real(2, 3), real(3, 4), real(4, 2), optimize=["einsum_path", (0, 1), (0, 1)]),
        Case("ab,ab,ab->a", real(2, 3), real(2, 3), real(2, 3)),
        # Sizes of 1 broadcast.
        Case("ij,ij->ij", real(1, 3), real(2, 3)), Case("ij,ij->i", real(2, 1), real(2, 3)),
        Case("ij,ij->", real(2, 1), real(1, 3)), Case("ij,jk->ik", real(2, 1), real(3, 4)), Case("ij->j", real(1, 3)),
        Case("ij,j->j", real(1, 3), real(1)),
        # Ellipses.
        Case("...", real(2, 3)), Case("...->...", real(2, 3)), Case("...i->i...", real(2, 3, 4)),
        Case("i...", real(2, 3)), Case("i...,i...->...", real(3, 2), real(3)),
        Case("...ij,...jk->...ik", real(4, 2, 3), real(3, 2)), Case("...ij,...jk", real(5, 1, 2, 3), real(4, 3, 2)),
        Case("...ii->...i", real(2, 3, 3)), Case("...,...", real(3), real(2, 1)),
        Case("i...j,j->i...", cplx(2, 3, 4), real(4)),
        # Numbers, nothing.
        Case(",ij->ij", real(), real(2, 3)), Case(",", real(), real()), Case("", real()), Case(",i", 2.0, real(3)),
        Case("ij,jk->ik", empty(0, 3), real(3, 2)), Case("ij,jk->ik", empty(2, 0), empty(0, 2)),
        Case("ij->i", empty(2, 0)), Case("ii->i", empty(0, 0)),
        Case("i,i", [1.0, 2.0], real(2)),
        # Lists of labels.
        Case(real(2, 3), [0, 1], real(3, 4), [1, 2], [0, 2]), Case(real(2, 3), [0, 1], real(3, 4), [1, 2]),
        Case(real(2, 3), [1, 0]), Case(real(3, 3), [0, 0]), Case(real(2, 2, 3), [0, 0, 1], [1]),
        Case(real(4, 2, 3), [Ellipsis, 0, 1], real(3, 2), [Ellipsis, 1, 2], [Ellipsis, 0, 2]),
        Case(real(2, 3), (5, 30), real(3), (30,), (5,)), Case(real(2, 3), [0, Ellipsis], [Ellipsis]),
        Case("ij,jk->ik", real(2, 3), real(3, 2), dtype=np.complex128),
    ],
}
