"""Discrete Fourier transforms. Each is a linear map, and its rule is the transpose of that map, without conjugation.

The matrix of a transform, exp(∓2πi jk/n), is symmetric, so `fft` and `ifft` are their own transposes. What was cut off
at the end of an axis comes back as zeros, and zeros that were added are cut off. `rfft` and `ihfft` give the first half
of a transform of real numbers, so their transposes transform that half and zeros. `irfft` and `hfft` take each element
for itself and for its mirror image, so that it counts twice, except at the two ends.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygraph.core.arguments import Array
from tinygraph.core.op import op

fftfreq = np.fft.fftfreq
rfftfreq = np.fft.rfftfreq


def _resized(c: Array, size: int, axis: int) -> Array:
    """c with another size of an axis: cut off at the end, or with zeros added there."""
    shape = list(np.shape(c))
    missing = size - shape[axis]
    if missing > 0:
        shape[axis] = missing
        return np.concatenate([c, np.zeros(shape, c.dtype, like=c)], axis=axis)
    index: list[Any] = [slice(None)] * len(shape)
    index[axis] = slice(size)
    return c[tuple(index)] if missing else c


def _mirrored(c: Array, n: int, axis: int) -> Array:
    """Twice c, but for the ends of an axis: the mean, and for an even n the one that is its own mirror image."""
    place = np.arange(np.shape(c)[axis], like=c)
    place = np.reshape(place, [-1 if i == axis % len(np.shape(c)) else 1 for i in range(len(np.shape(c)))])
    return np.where((place == 0) | (2 * place == n), c, 2 * c)


# The transpose of each transform along one axis of n, from the cotangent g to one of the size that the input had.
_TRANSPOSED: dict[str, Callable[[Array, int, int, Any], Array]] = {
    "fft": lambda g, n, axis, norm: np.fft.fft(g, n, axis, norm),
    "ifft": lambda g, n, axis, norm: np.fft.ifft(g, n, axis, norm),
    "rfft": lambda g, n, axis, norm: np.real(np.fft.fft(g, n, axis, norm)),
    "ihfft": lambda g, n, axis, norm: np.real(np.fft.ifft(g, n, axis, norm)),
    "irfft": lambda g, n, axis, norm: _mirrored(np.fft.ihfft(g, n, axis, norm), n, axis),
    "hfft": lambda g, n, axis, norm: _mirrored(np.fft.rfft(g, n, axis, norm), n, axis),
}
_TO_HALF, _FROM_HALF = ("rfft", "ihfft"), ("irfft", "hfft")


def _back(kind: str) -> Any:
    """The rule of a transform along one axis."""
    def rule(g: Array, y: Array, a: Array, *, n: int | None, axis: int, norm: Any) -> Array:
        size = np.shape(a)[axis]
        n = n or (2 * (size - 1) if kind in _FROM_HALF else size)
        return _resized(_TRANSPOSED[kind](g, n, axis, norm), size, axis)
    return rule


def _axes(a: Array, s: Any, axes: Any) -> Sequence[int]:
    """The axes that a transform over several goes along."""
    return axes if axes is not None else range(-len(np.shape(a) if s is None else s), 0)


def _back_over_axes(kind: str, last: str) -> Any:
    """The rule of a transform over several axes, which is ``last`` along the last one and ``kind`` along the others."""
    def rule(g: Array, y: Array, a: Array, *, s: Any, axes: Any, norm: Any) -> Array:
        sizes = list(np.shape(a))
        axes = list(_axes(a, s, axes))
        asked = [-1] * len(axes) if s is None else list(s)
        steps = [(kind, axis, n if n not in (-1, None) else sizes[axis]) for axis, n in zip(axes, asked, strict=True)]
        if steps:
            half = 2 * (sizes[axes[-1]] - 1)
            steps[-1] = (last, axes[-1], half if last == "irfft" and s is None else steps[-1][2])
        # NumPy begins at the last axis, but where that one is to become real.
        taken = []
        for name, axis, n in steps if last == "irfft" else steps[::-1]:
            taken.append((name, axis, n, sizes[axis]))
            sizes[axis] = n // 2 + 1 if name in _TO_HALF else n
        for name, axis, n, size in taken[::-1]:
            g = _resized(_TRANSPOSED[name](g, n, axis, norm), size, axis)
        return g
    return rule


def _cost(y: Array, a: Array, **params: Any) -> int:
    """5 N log₂ N for N complex numbers, half as many for real ones. The lengths of the axes multiply."""
    axes = [params["axis"]] if "axis" in params else _axes(a, params["s"], params["axes"])
    length = math.prod(np.shape(y)[axis] for axis in axes)
    return (5 if np.iscomplexobj(y) else 2) * int(np.size(y)) * math.ceil(math.log2(max(length, 2)))


@op(symbol="FFT", numpy=np.fft.fft, flops=_cost, tex=(r"\operatorname{fft}(g)",), vjp=(_back("fft"),))
def fft(a: Array, n: int | None = None, axis: int = -1, norm: Any = None, out: None = None) -> Array:
    """Discrete Fourier transform along an axis: y_k = Σ_j a_j exp(-2πi jk/n).

    ``a`` is cut off, or zeros are added, to have ``n`` elements; ``norm`` "ortho" divides by √n, "forward" by n.

    >>> fft(np.array([1.0, 2.0])).tolist()
    [(3+0j), (-1+0j)]
    """
    return np.fft.fft(a, n, axis, norm)


@op(symbol="FFT⁻¹", numpy=np.fft.ifft, flops=_cost, tex=(r"\operatorname{ifft}(g)",), vjp=(_back("ifft"),))
def ifft(a: Array, n: int | None = None, axis: int = -1, norm: Any = None, out: None = None) -> Array:
    """Inverse of `fft`: y_k = Σ_j a_j exp(2πi jk/n) / n; ``norm`` "ortho" divides by √n, "forward" not at all.

    >>> ifft(np.array([3.0, -1.0])).tolist()
    [(1+0j), (2+0j)]
    """
    return np.fft.ifft(a, n, axis, norm)


@op(symbol="FFT", numpy=np.fft.rfft, flops=_cost,
    tex=(r"\operatorname{Re} \operatorname{fft}(g)",), vjp=(_back("rfft"),))
def rfft(a: Array, n: int | None = None, axis: int = -1, norm: Any = None, out: None = None) -> Array:
    """The first n // 2 + 1 elements of the `fft` of real numbers; the others are their conjugates.

    >>> rfft(np.array([1.0, 2.0, 3.0, 4.0])).tolist()
    [(10+0j), (-2+2j), (-2+0j)]
    """
    return np.fft.rfft(a, n, axis, norm)


@op(symbol="FFT⁻¹", numpy=np.fft.irfft, flops=_cost,
    tex=(r"(1, 2, \dots) \odot \operatorname{ihfft}(g)",), vjp=(_back("irfft"),))
def irfft(a: Array, n: int | None = None, axis: int = -1, norm: Any = None, out: None = None) -> Array:
    """Inverse of `rfft`: n real numbers, by default 2 (m - 1) for m elements.

    The imaginary part of the first element, and of the last one where n is even, counts for nothing.

    >>> irfft(np.array([10, -2 + 2j, -2]))
    array([1., 2., 3., 4.])
    """
    return np.fft.irfft(a, n, axis, norm)


@op(symbol="FFT", numpy=np.fft.hfft, flops=_cost,
    tex=(r"(1, 2, \dots) \odot \operatorname{rfft}(g)",), vjp=(_back("hfft"),))
def hfft(a: Array, n: int | None = None, axis: int = -1, norm: Any = None, out: None = None) -> Array:
    """`fft` of the n numbers whose first half is ``a`` and whose other half its conjugate, backwards; it is real.

    >>> hfft(np.array([2.5, -0.5 - 0.5j, -0.5]))
    array([1., 2., 3., 4.])
    """
    return np.fft.hfft(a, n, axis, norm)


@op(symbol="FFT⁻¹", numpy=np.fft.ihfft, flops=_cost,
    tex=(r"\operatorname{Re} \operatorname{ifft}(g)",), vjp=(_back("ihfft"),))
def ihfft(a: Array, n: int | None = None, axis: int = -1, norm: Any = None, out: None = None) -> Array:
    """Inverse of `hfft`: the first n // 2 + 1 elements of the `ifft` of real numbers.

    >>> ihfft(np.array([1.0, 2.0, 3.0, 4.0])).tolist()
    [(2.5-0j), (-0.5-0.5j), (-0.5-0j)]
    """
    return np.fft.ihfft(a, n, axis, norm)


@op(symbol="FFT", numpy=np.fft.fftn, flops=_cost,
    tex=(r"\operatorname{fftn}(g)",), vjp=(_back_over_axes("fft", "fft"),))
def fftn(a: Array, s: Any = None, axes: Any = None, norm: Any = None, out: None = None) -> Array:
    """`fft` along each of several axes, all of them by default; ``s`` has the number of elements for each.

    >>> fftn(np.ones((2, 2))).tolist()
    [[(4+0j), 0j], [0j, 0j]]
    """
    return np.fft.fftn(a, s, axes, norm)


@op(symbol="FFT⁻¹", numpy=np.fft.ifftn, flops=_cost,
    tex=(r"\operatorname{ifftn}(g)",), vjp=(_back_over_axes("ifft", "ifft"),))
def ifftn(a: Array, s: Any = None, axes: Any = None, norm: Any = None, out: None = None) -> Array:
    """`ifft` along each of several axes, all of them by default.

    >>> ifftn(np.array([[4.0, 0.0], [0.0, 0.0]])).real
    array([[1., 1.],
           [1., 1.]])
    """
    return np.fft.ifftn(a, s, axes, norm)


@op(symbol="FFT", numpy=np.fft.rfftn, flops=_cost,
    tex=(r"\operatorname{Re} \operatorname{fftn}(g)",), vjp=(_back_over_axes("fft", "rfft"),))
def rfftn(a: Array, s: Any = None, axes: Any = None, norm: Any = None, out: None = None) -> Array:
    """`rfft` along the last of several axes, then `fft` along the others.

    >>> rfftn(np.ones((2, 4))).shape
    (2, 3)
    """
    return np.fft.rfftn(a, s, axes, norm)


@op(symbol="FFT⁻¹", numpy=np.fft.irfftn, flops=_cost,
    tex=(r"\operatorname{ifft}((1, 2, \dots) \odot \operatorname{ihfft}(g))",),
    vjp=(_back_over_axes("ifft", "irfft"),))
def irfftn(a: Array, s: Any = None, axes: Any = None, norm: Any = None, out: None = None) -> Array:
    """Inverse of `rfftn`: `ifft` along all but the last of several axes, then `irfft` along that one.

    >>> irfftn(np.ones((2, 3))).shape
    (2, 4)
    """
    return np.fft.irfftn(a, s, axes, norm)


@op(symbol="FFT", numpy=np.fft.fft2, flops=_cost,
    tex=(r"\operatorname{fft2}(g)",), vjp=(_back_over_axes("fft", "fft"),))
def fft2(a: Array, s: Any = None, axes: Any = (-2, -1), norm: Any = None, out: None = None) -> Array:
    """`fftn` over two axes, the last two by default.

    >>> fft2(np.ones((2, 2))).tolist()
    [[(4+0j), 0j], [0j, 0j]]
    """
    return np.fft.fft2(a, s, axes, norm)


@op(symbol="FFT⁻¹", numpy=np.fft.ifft2, flops=_cost,
    tex=(r"\operatorname{ifft2}(g)",), vjp=(_back_over_axes("ifft", "ifft"),))
def ifft2(a: Array, s: Any = None, axes: Any = (-2, -1), norm: Any = None, out: None = None) -> Array:
    """`ifftn` over two axes, the last two by default.

    >>> ifft2(np.array([[4.0, 0.0], [0.0, 0.0]])).real
    array([[1., 1.],
           [1., 1.]])
    """
    return np.fft.ifft2(a, s, axes, norm)


@op(symbol="FFT", numpy=np.fft.rfft2, flops=_cost,
    tex=(r"\operatorname{Re} \operatorname{fft2}(g)",), vjp=(_back_over_axes("fft", "rfft"),))
def rfft2(a: Array, s: Any = None, axes: Any = (-2, -1), norm: Any = None, out: None = None) -> Array:
    """`rfftn` over two axes, the last two by default.

    >>> rfft2(np.ones((2, 4))).shape
    (2, 3)
    """
    return np.fft.rfft2(a, s, axes, norm)


@op(symbol="FFT⁻¹", numpy=np.fft.irfft2, flops=_cost,
    tex=(r"\operatorname{ifft}((1, 2, \dots) \odot \operatorname{ihfft}(g))",),
    vjp=(_back_over_axes("ifft", "irfft"),))
def irfft2(a: Array, s: Any = None, axes: Any = (-2, -1), norm: Any = None, out: None = None) -> Array:
    """`irfftn` over two axes, the last two by default.

    >>> irfft2(np.ones((2, 3))).shape
    (2, 4)
    """
    return np.fft.irfft2(a, s, axes, norm)


@op(symbol="shift", numpy=np.fft.fftshift,
    tex=(r"\operatorname{ifftshift}(g)",), vjp=(lambda g, y, x, *, axes: np.fft.ifftshift(g, axes),))
def fftshift(x: Array, axes: Any = None) -> Array:
    """The halves of each axis exchanged, so that what stands first, the frequency zero, comes to the middle.

    >>> fftshift(np.array([0.0, 1.0, 2.0, -2.0, -1.0]))
    array([-2., -1.,  0.,  1.,  2.])
    """
    return np.fft.fftshift(x, axes)


@op(symbol="shift", numpy=np.fft.ifftshift,
    tex=(r"\operatorname{fftshift}(g)",), vjp=(lambda g, y, x, *, axes: np.fft.fftshift(g, axes),))
def ifftshift(x: Array, axes: Any = None) -> Array:
    """Inverse of `fftshift`.

    >>> ifftshift(np.array([-2.0, -1.0, 0.0, 1.0, 2.0]))
    array([ 0.,  1.,  2., -2., -1.])
    """
    return np.fft.ifftshift(x, axes)
