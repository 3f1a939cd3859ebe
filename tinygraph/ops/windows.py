"""Windows that slide over an array: the view of them, the sum that undoes it, convolution and correlation."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygraph.core.arguments import Array
from tinygraph.core.errors import UnsupportedError
from tinygraph.core.op import op
from tinygraph.ops.index import scatter_add

__all__ = ["convolve", "correlate", "overlap_add", "sliding_window_view"]


def _sizes_and_axes(window_shape: Any, axis: Any, ndim: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    sizes = tuple(window_shape) if np.ndim(window_shape) else (window_shape,)
    axes = range(ndim) if axis is None else axis if isinstance(axis, tuple | list) else (axis,)
    return tuple(map(int, sizes)), tuple(int(i) % ndim for i in axes)


def _read_only(*values: Any, writeable: bool, **params: Any) -> None:
    if writeable:
        raise UnsupportedError("sliding_window_view: writeable=True would change values that a graph may need; "
                               "leave it out")


def _overlapped(g: Array, y: Array, x: Array, *, window_shape: Any, axis: Any) -> Array:
    return overlap_add(g, np.shape(x), window_shape, axis)


@op(symbol="windows", numpy=np.lib.stride_tricks.sliding_window_view, validate=_read_only,
    tex=(r"\operatorname{overlap}(g)",), vjp=(_overlapped,))
def sliding_window_view(x: Array, window_shape: Any, axis: Any = None, *, subok: bool = False,
                        writeable: bool = False) -> Array:
    """Every window of a shape that lies within the array; the window's axes come last. A view, without a copy.

    x: (n, ...)   window_shape: (w, ...)  ->  (n - w + 1, ..., w, ...)

    >>> sliding_window_view(np.arange(4), 3)
    array([[0, 1, 2],
           [1, 2, 3]])
    """
    return np.lib.stride_tricks.sliding_window_view(x, window_shape, axis, subok=subok)


@op(symbol="overlap-add",
    tex=(r"\operatorname{windows}(g)",),
    vjp=(lambda g, y, v, *, window_shape, axis: sliding_window_view(g, window_shape, axis),))
def overlap_add(v: Array, shape: Any, window_shape: Any, axis: Any = None) -> Array:
    """Zeros of a shape with every window of ``v`` added where it lies: the transpose of `sliding_window_view`.

    >>> overlap_add(np.ones((2, 3)), (4,), 3)
    array([1., 2., 2., 1.])
    """
    sizes, axes = _sizes_and_axes(window_shape, axis, len(shape))
    out = np.zeros(shape, v.dtype, like=v)
    counts = np.shape(v)[:len(shape)]
    for offsets in np.ndindex(*sizes):
        start = [0] * len(shape)
        for i, offset in zip(axes, offsets, strict=True):
            start[i] += offset
        part = tuple(slice(at, at + n) for at, n in zip(start, counts, strict=True))
        out[part] = out[part] + v[(..., *offsets)]
    return out


def _whole(g: Array, a: Array, v: Array, mode: str, start_of_same: int) -> Array:
    """The cotangent of the full convolution, of which a mode keeps a part."""
    n, m = int(np.size(a)), int(np.size(v))
    start = {"full": 0, "same": start_of_same, "valid": min(n, m) - 1}[mode]
    return scatter_add(g, slice(start, start + np.shape(g)[0]), (n + m - 1,))


def _convolve_back(of: int) -> Any:
    def rule(g: Array, y: Array, a: Array, v: Array, *, mode: str) -> Array:
        g = _whole(g, a, v, mode, (min(int(np.size(a)), int(np.size(v))) - 1) // 2)
        this, other = (v, a) if of else (a, v)
        return np.reshape(np.convolve(g, np.flip(np.ravel(other)), "valid"), np.shape(this))
    return rule


def _multiplications(y: Array, a: Array, v: Array, *, mode: str) -> int:
    """A multiplication and an addition for each pair of elements."""
    return 2 * int(np.size(a)) * int(np.size(v))


def _no_vectors(a: Array, v: Array, mode: str) -> str:
    if mode not in ("full", "same", "valid"):
        return f"mode={mode!r} is none of full, same, valid"
    return f"{np.shape(a)} and {np.shape(v)}: two vectors, neither of them empty, are asked for"


@op(symbol="∗", numpy=np.convolve, mismatch=_no_vectors,
    tex=(r"\sum_n g_n V_{n-k}", r"\sum_n g_n A_{n-k}"),
    vjp=(_convolve_back(0), _convolve_back(1)), flops=_multiplications)
def convolve(a: Array, v: Array, mode: Any = "full") -> Array:
    """The convolution of two vectors, y[n] = Σ a[k] v[n - k]; all of it, "same" (as long as the longer) or "valid".

    >>> convolve(np.array([1.0, 2.0]), np.array([1.0, 10.0]))
    array([ 1., 12., 20.])
    """
    return np.convolve(a, v, mode)


def _correlate_back(of: int) -> Any:
    def rule(g: Array, y: Array, a: Array, v: Array, *, mode: str) -> Array:
        n, m = int(np.size(a)), int(np.size(v))
        g = _whole(g, a, v, mode, (m - 1) // 2 if n >= m else n // 2)
        if of == 0:
            return np.reshape(np.convolve(g, np.conj(np.ravel(v)), "valid"), np.shape(a))
        # The correlation is the convolution with v reversed and conjugated.
        c = np.conj(np.flip(np.convolve(g, np.flip(np.ravel(a)), "valid")))
        return np.reshape(c, np.shape(v))
    return rule


@op(symbol="⋆", numpy=np.correlate, mismatch=_no_vectors,
    tex=(r"\sum_k g_k V_{n-k}^*", r"(\sum_k g_k A_{n+k})^*"),
    vjp=(_correlate_back(0), _correlate_back(1)), flops=_multiplications)
def correlate(a: Array, v: Array, mode: Any = "valid") -> Array:
    """The cross-correlation of two vectors, y[k] = Σ a[n + k] conj(v[n]); its modes are those of `convolve`.

    >>> correlate(np.array([1.0, 2.0, 3.0]), np.array([1.0, 10.0]))
    array([21., 32.])
    """
    return np.correlate(a, v, mode)
