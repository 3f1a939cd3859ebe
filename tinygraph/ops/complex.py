"""Ops on complex numbers: their parts and their conjugate.

The convention is JAX's and autograd's: the cotangent of z = x + iy is dL/dx - i dL/dy, so that the rule of a
holomorphic f is g f'(z), without conjugation. (PyTorch's gradient is the conjugate of this one.)
"""

from __future__ import annotations

import math

import numpy as np

from tinygraph.core.arguments import Array
from tinygraph.core.op import op

__all__ = ["angle", "conj", "conjugate", "imag", "real", "real_if_close"]


@op(symbol="Re", numpy=np.real, tex=("g",), vjp=(lambda g, y, val: g,))
def real(val: Array) -> Array:
    """The real part, elementwise.

    >>> real(np.array([1 + 2j]))
    array([1.])
    """
    return np.real(val)


@op(symbol="Im", numpy=np.imag, tex=("-i g",), vjp=(lambda g, y, val: g * -1j,))
def imag(val: Array) -> Array:
    """The imaginary part, elementwise; zeros for a real array.

    >>> imag(np.array([1 + 2j]))
    array([2.])
    """
    return np.imag(val)


@op(symbol="conj", numpy=np.conj, tex=("g^*",), vjp=(lambda g, y, x: np.conj(g),))
def conj(x: Array) -> Array:
    """The complex conjugate, elementwise: x - iy for x + iy.

    >>> conj(1 + 2j)
    np.complex128(1-2j)
    """
    return np.conj(x)


@op(symbol="Re", numpy=np.real_if_close, tex=("g",), vjp=(lambda g, y, a: g,))
def real_if_close(a: Array, tol: float = 100) -> Array:
    """The real part, where every imaginary part is within ``tol`` (in the dtype's eps) of 0, else a itself.

    >>> real_if_close(np.array([1 + 0j]))
    array([1.])
    """
    return np.real_if_close(a, tol)


def _angle_dz(g: Array, y: Array, z: Array, *, deg: bool) -> Array:
    if not np.iscomplexobj(z):
        return np.zeros_like(g)
    turn = np.where(z == 0, 0, -1j / np.where(z == 0, 1, z))
    return g * (180 / math.pi * turn if deg else turn)


@op(symbol="arg", numpy=np.angle, tex=(r"-\frac{i}{Z} g",), vjp=(_angle_dz,))
def angle(z: Array, deg: bool = False) -> Array:
    """Angle of a complex number in (-π, π] (radians, or degrees on request), elementwise; its derivative at 0 is 0.

    >>> angle(1j, deg=True)
    np.float64(90.0)
    """
    return np.angle(z, deg)


conjugate = conj
