"""Ops on complex numbers: their parts and their conjugate.

The convention is JAX's and autograd's: the cotangent of z = x + iy is dL/dx - i dL/dy, so that the rule of a
holomorphic f is g f'(z), without conjugation. (PyTorch's gradient is the conjugate of this one.)
"""

from __future__ import annotations

import numpy as np

from tinygraph.core.op import Array, op


@op(symbol="Re", numpy=np.real, vjp=(lambda g, y, val: g,))
def real(val: Array) -> Array:
    """The real part, elementwise.

    >>> real(np.array([1 + 2j]))
    array([1.])
    """
    return np.real(val)


@op(symbol="Im", numpy=np.imag, vjp=(lambda g, y, val: g * -1j,))
def imag(val: Array) -> Array:
    """The imaginary part, elementwise; zeros for a real array.

    >>> imag(np.array([1 + 2j]))
    array([2.])
    """
    return np.imag(val)


@op(symbol="conj", numpy=np.conj, vjp=(lambda g, y, x: np.conj(g),))
def conj(x: Array) -> Array:
    """The complex conjugate, elementwise: x - iy for x + iy.

    >>> conj(1 + 2j)
    np.complex128(1-2j)
    """
    return np.conj(x)
