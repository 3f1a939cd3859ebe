"""What sample inputs are made of: random numbers that stay 0.01 away from kinks and ties."""

from __future__ import annotations

import sys
import zlib

import numpy as np

from tinygraph.testing import Case

_GENERATORS: dict[str, np.random.Generator] = {}


def rng():
    """The generator of the file that asks: a case more there changes no other file's numbers."""
    frame = sys._getframe(1)
    while (name := frame.f_globals["__name__"]) == __name__:
        frame = frame.f_back
    return _GENERATORS.setdefault(name, np.random.default_rng(zlib.crc32(name.encode())))


def real(*shape):
    """Numbers of both signs, of size 0.1 to 2."""
    return np.asarray(rng().uniform(0.1, 2.0, shape) * rng().choice([-1.0, 1.0], shape))


def positive(*shape):
    return rng().uniform(0.5, 2.0, shape)


def inside(*shape):
    """Numbers within (-1, 1)."""
    return rng().uniform(0.1, 0.8, shape) * rng().choice([-1.0, 1.0], shape)


def above_one(*shape):
    return rng().uniform(1.2, 3.0, shape)


def cplx(*shape):
    return real(*shape) + 1j * real(*shape)


def distinct(*shape):
    """Numbers of both signs no two of which are closer than 0.1."""
    n = int(np.prod(shape))
    return np.reshape(rng().permutation(n) * 0.1 - 0.05 * n + 0.03, shape)


def apart(*shape):
    """Matrices whose singular values, and eigenvalues, which are real, stay well apart."""
    return 0.2 * real(*shape) + np.eye(*shape[-2:]) * np.arange(1.5, 2 * shape[-1] + 1, 2.0)


def regular(*shape, of=real):
    """Matrices of which none is close to a singular one, and that change much as they are moved."""
    while True:
        a = of(*shape)
        if np.max(np.linalg.cond(a)) < 20:
            return a


def ints(high, *shape):
    return rng().integers(0, high, shape)


def mask(*shape):
    return rng().random(shape) < 0.6


def empty(*shape):
    assert 0 in shape
    return np.zeros(shape)


def unary(sample, complex_too=False):
    return [Case(sample(2, 3)), *([Case(cplx(3))] if complex_too else [])]


def binary(left, right, complex_too=False):
    """One shape, broadcasting both ways, a Python number on either side."""
    return [Case(left(2, 3), right(2, 3)), Case(left(3), right(2, 1)), Case(left(4, 1, 3), right(2, 3)),
            Case(left(2), 1.5), Case(1.5, right(2)), *([Case(cplx(3), cplx(2, 1)), Case(cplx(2), real(2))]
                                                       if complex_too else [])]


def listed(*args, **kwargs):
    """A case with numbers or lists beside arrays: NumPy makes ndarrays of them, which a foreign array does not meet."""
    return Case(*args, **kwargs).without("stand-in")


def one_hot(n, classes):
    return np.eye(classes)[ints(classes, n)]


def soft(n, classes):
    p = positive(n, classes)
    return p / p.sum(axis=1, keepdims=True)


def each(names, cases):
    """The same cases for several ops, whose names stand in one string."""
    return dict.fromkeys(names.split(), cases)
