"""Making arrays."""

from __future__ import annotations

import numpy as np

from cases.samples import cplx, each, empty, ints, listed, positive, real
from tinygraph.testing import Case


def _made(*args, **kwargs):
    return Case(*args, **kwargs).without("stand-in")


def _double(*args, **kwargs):
    """A case whose answer is in double precision whatever the arrays are: numbers in lists are, or it is asked for."""
    return Case(*args, **kwargs).without("stand-in", "float32")


CASES = {
    **each("zeros ones", [_made((2, 3)), _made(4, dtype=np.float32), _made(()), _made((0, 2), int)]),
    "empty": [_made((0, 2)), _made(0, int)],
    "eye": [_made(3), _made(2, 3), _made(3, k=1), _made(2, dtype=int)], "identity": [_made(3), _made(2, int)],
    "arange": [_made(4), _made(1.0, 2.0, 0.25), _made(5, 0, -2), _made(3, dtype=np.float32)],
    "tri": [_made(3), _made(2, 3, 1), _made(3, k=-1, dtype=int)],
    "indices": [_made((2, 3)), _made((2,), float), _made((2, 3), sparse=True)],
    "ix_": [Case([0, 2], [1, 1]), Case(np.array([0, 1]), np.array([True, False]))],
    "broadcast_shapes": [Case((2, 1), (3,)), Case((), 4)],
    "array": [case.against(np.array) for case in [
        Case(real(2, 3)), Case([real(3), real(3)]), _double([real(), 2.0, 1]), _double([[real(), real()], [1.0, 2.0]]),
        _double(((real(2), [1.0, 2.0]), (real(2), real(2)))), Case([cplx(2), real(2)]), Case(real(2), ndmin=3),
        _double([real(2), real(2)], dtype=np.complex128), _double([real()], np.float64, copy=True, ndmin=2), Case(3),
        Case([])]],
    "asarray": [case.against(np.asarray) for case in [
        Case(real(2, 3)), Case([real(3), real(3)]), _double([real(), 2.0]), _double([real(2)], np.complex128),
        Case([1, 2], float)]],
    "full": [case.against(np.full) for case in [
        _made((2, 3), 1.5), _made(3, 2), _made((), 1.0), _made(2, 1, dtype=np.float32), _made((2, 3), real()),
        _made((2, 3), real(3)), _double((2, 3), real(2, 1), np.complex128), _made((2, 2), [1.0, 2.0]),
        _made((0, 2), real())]],
    # NumPy's own full_like does not look whether the value is a Tensor.
    "full_like": [Case(real(2, 3), 2.5), Case(ints(9, 2), 7), Case(real(2), 1, dtype=np.complex128),
                  Case(empty(0, 2), 1.0), *(case.without("tensors") for case in [
                      Case(real(2, 3), real()), Case(real(2, 3), real(3)), Case(real(2), real(), shape=(2, 2))])],
    "spaced": [case.against(lambda start, stop, *rest, **kw: np.linspace(start, stop, *rest, **kw)) for case in [
        Case(real(), real(), 5), Case(real(3), 2.0, 4, axis=1), Case(1.0, real(2, 1), 3, endpoint=False, axis=-1)]],
    "linspace": [
        Case(real(), real()), Case(real(), 3.0, 5), Case(0, real(), num=4, endpoint=False),
        Case(real(2, 3), real(3), 4),
        Case(real(2, 3), real(), 4, axis=1), Case(real(2), real(2), 3, axis=-1), Case(real(), real(), 1),
        Case(real(), real(), 0),
        Case(real(), real(), 5, retstep=True), Case(real(2), real(2), 4, False, True), Case(0.0, 1.0, 3),
        Case(cplx(), real(), 4),
        Case(real(), real(), 3, dtype=np.complex128), listed([1.0, 2.0], real(2), 3)],
    "logspace": [
        Case(real(), real(), 4), Case(0.0, real(), 3, endpoint=False), Case(real(2), real(), 3, base=2.0),
        Case(real(), real(), 3, base=positive()), Case(real(2), real(2), 3, axis=-1),
        Case(real(), real(2), 3, base=positive(2)),
        Case(real(), real(), 3, base=positive(2), axis=-1), Case(real(), real(), 3, base=positive(2)),
        Case(real(2), real(2), 4, base=positive(2), axis=1)],
    "geomspace": [
        Case(positive(), positive(), 4), Case(1.0, positive(), 3, endpoint=False),
        Case(positive(2, 1), positive(3), 4, axis=1),
        Case(-positive(), -positive(), 3), Case(positive(2), positive(2), 3, axis=-1), Case(positive(), positive(), 1),
        Case(cplx(), cplx(), 4)],
    "meshgrid": [Case(real(2), real(3)), Case(real(2), real(3), indexing="ij"), Case(real(2), real(3), real(2)),
                 Case(real(2), real(3), sparse=True), Case(real(2), real(3), copy=False), Case(real(2)),
                 Case(real(), real(2)),
                 Case(cplx(2), real(2)), Case(empty(0), real(2))],
}
