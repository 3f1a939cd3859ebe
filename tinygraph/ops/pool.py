"""Pooling: the largest element, or the mean, of each window of a stack of images.

Axes are PyTorch's, (N, C, H, W). The results keep the order in which the images lie in memory: channels last, as
`conv2d` leaves them.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from tinygraph.core.arguments import Array
from tinygraph.core.op import op
from tinygraph.ops.conv import Pair, Window, channels_last, col2im, pair, placed, window

__all__ = ["avg_pool2d", "gather_at_max", "max_pool2d", "spread_to_max"]


def _window(shape: Any, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool) -> Window:
    """The window of a pooling; under ``ceil_mode`` with as much more padding as lets one more begin in the images."""
    if len(shape) != 4:
        raise ValueError(f"images are (N, C, H, W), not {shape}"
                         + ("; x[None] makes a stack of one image" if len(shape) == 3 else ""))
    padding = pair(padding, "padding", 0)
    win = window(kernel_size, kernel_size if stride is None else stride, padding, dilation)
    if any(2 * p > k for p, k in zip(padding, win.kernel, strict=True)):
        raise ValueError(f"padding={padding} is more than half of kernel_size={win.kernel}: a window would hold "
                         "nothing else")
    if not ceil_mode:
        return win
    after = []
    for n, e, s, p in zip(win.padded(shape), win.extent, win.stride, padding, strict=True):
        steps = -(-(n - e) // s)
        if steps * s >= n - p:  # it would begin in the padding
            steps -= 1
        after.append(p + max(0, steps * s + e - n))
    return win._replace(after=(after[0], after[1]))


def _split(x: Array, win: Window, fill: float) -> tuple[list[Array], Pair]:
    """For each place in the window what lies there, (N, OH, OW, C), and how many windows there are."""
    counts = win.counts(np.shape(x))
    x = channels_last(x, win, fill)
    return [x[:, *part] for part in win.parts(counts)], counts


def _tiled(shape: Any, win: Window) -> bool:
    """Whether the windows lie side by side and cover the images, so that each element is in one of them."""
    (kh, kw), (h, w) = win.kernel, shape[2:]
    side_by_side = win.stride == win.kernel and win.dilation == (1, 1) and win.padded(shape) == (h, w)
    return side_by_side and not (h % kh or w % kw)


def _channels_last(y: Array) -> Array:
    return np.transpose(y, (0, 2, 3, 1))


def _lowest(x: Array) -> float:
    return -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min


def _times(found: list[Array]) -> Array:
    """In how many of the places the largest lies; once for NaN, which nothing equals."""
    # The narrowest integers: with wider ones a float32 quotient would be computed as float64.
    narrow = np.int8 if len(found) < 128 else np.int16
    times = functools.reduce(lambda a, b: np.add(a, b, dtype=narrow), found)
    return times + np.equal(times, 0)  # np.maximum(times, 1) takes five times as long


def _spread_back(c: Array, value: Array, g: Array, y: Array, x: Array, *, kernel_size: Any, stride: Any, padding: Any,
                 dilation: Any, ceil_mode: bool) -> Array:
    return gather_at_max(c, y, x, kernel_size, stride, padding, dilation, ceil_mode)


def _gather_back(c: Array, value: Array, v: Array, y: Array, x: Array, *, kernel_size: Any, stride: Any, padding: Any,
                 dilation: Any, ceil_mode: bool) -> Array:
    return spread_to_max(c, y, x, kernel_size, stride, padding, dilation, ceil_mode)


def _max_back(g: Array, y: Array, x: Array, *, kernel_size: Any, stride: Any, padding: Any, dilation: Any,
              ceil_mode: bool) -> Array:
    return spread_to_max(g, y, x, kernel_size, stride, padding, dilation, ceil_mode)


@op(symbol="at max", tex=(r"\operatorname{gather}(g)",), vjp=(_spread_back, None, None))
def spread_to_max(g: Array, y: Array, x: Array, kernel_size: Any, stride: Any = None, padding: Any = 0,
                  dilation: Any = 1, ceil_mode: bool = False) -> Array:
    """Images in which each element of g stands where the largest of its window is; those that tie share it equally.

    g, y: (N, C, OH, OW), y = max_pool2d(x)   x: (N, C, H, W)  ->  (N, C, H, W)

    >>> x = np.array([[[[1.0, 3.0], [3.0, 2.0]]]])
    >>> spread_to_max(np.ones((1, 1, 1, 1)), max_pool2d(x, 2), x, 2)[0, 0]
    array([[0. , 0.5],
           [0.5, 0. ]])
    """
    win = _window(np.shape(x), kernel_size, stride, padding, dilation, ceil_mode)
    if _tiled(np.shape(x), win):  # all places at once, in a view of the images
        (kh, kw), (n, c, oh, ow) = win.kernel, np.shape(y)
        within = (slice(None), slice(None), None, slice(None), None)
        here = np.equal(np.reshape(_channels_last(x), (n, oh, kh, ow, kw, c)), _channels_last(y)[within])
        # Where g comes in another order than x, every product would be walked through in a bad one.
        share = np.copy(_channels_last(g), "C") / _times([here[:, :, i, :, j] for i, j in np.ndindex(kh, kw)])
        # A product, since np.where guesses at each element whether it is chosen and takes ten times as long.
        return np.transpose(np.reshape(here * share[within], (n, oh * kh, ow * kw, c)), (0, 3, 1, 2))
    parts, counts = _split(x, win, _lowest(x))
    found = [np.equal(part, _channels_last(y)) for part in parts]
    share = _channels_last(g) / _times(found)
    return placed([share * here for here in found], np.shape(x), win, counts)


@op(symbol="from max", tex=(r"\operatorname{spread}(g)",), vjp=(_gather_back, None, None))
def gather_at_max(v: Array, y: Array, x: Array, kernel_size: Any, stride: Any = None, padding: Any = 0,
                  dilation: Any = 1, ceil_mode: bool = False) -> Array:
    """For each window of x the element of v at its largest; the mean over those that tie. Undoes `spread_to_max`.

    v, x: (N, C, H, W)   y: (N, C, OH, OW), max_pool2d(x)  ->  (N, C, OH, OW)

    >>> x = np.array([[[[1.0, 3.0], [3.0, 2.0]]]])
    >>> gather_at_max(np.array([[[[5.0, 6.0], [8.0, 9.0]]]]), max_pool2d(x, 2), x, 2)
    array([[[[7.]]]])
    """
    win = _window(np.shape(x), kernel_size, stride, padding, dilation, ceil_mode)
    found = [np.equal(part, _channels_last(y)) for part in _split(x, win, _lowest(x))[0]]
    chosen = [part * here for part, here in zip(_split(v, win, 0)[0], found, strict=True)]
    return np.transpose(functools.reduce(np.add, chosen) / _times(found), (0, 3, 1, 2))


@op(symbol="max pool", vjp=(_max_back,),
    flops=lambda y, x, kernel_size, **params: int(np.size(y)) * int(np.prod(pair(kernel_size, "kernel_size"))),
    tex=(r"\operatorname{spread}(g) \odot [X = Y]",))
def max_pool2d(input: Array, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
               ceil_mode: bool = False) -> Array:
    """The largest element of each window, as PyTorch's function of this name gives it.

    Elements that tie share the gradient equally, as with `max`; PyTorch gives it to the first.

    Args:
        input: (N, C, H, W) images.
        kernel_size: The window's size: a number, or one for the height and one for the width; so are the next three.
        stride: How far it is from window to window; None for the window's size.
        dilation: How far from element to element of a window.
        padding: How much smaller than anything lies on both sides; at most half a window.
        ceil_mode: Let a last window that begins within the images reach over their end.

    Returns:
        (N, C, OH, OW).

    Raises ShapeError where the window does not fit.

    >>> max_pool2d(np.arange(16.0).reshape(1, 1, 4, 4), 2)[0, 0]
    array([[ 5.,  7.],
           [13., 15.]])
    """
    win = _window(np.shape(input), kernel_size, stride, padding, dilation, ceil_mode)
    parts, _ = _split(input, win, _lowest(input))
    return np.transpose(functools.reduce(np.maximum, parts), (0, 3, 1, 2))


def _divisors(x: Array, win: Window, counts: Pair, padding: Any, count_include_pad: bool) -> Array:
    """How many elements each window has, (OH, OW), what reaches over the end of the padding left out."""
    sides = []
    for n, p, s, k, size in zip(counts, pair(padding, "padding", 0), win.stride, win.kernel, np.shape(x)[2:],
                                strict=True):
        begin = np.arange(n, like=x) * s - p
        end = np.minimum(begin + k, size + p)
        sides.append(end - begin if count_include_pad else np.minimum(end, size) - np.maximum(begin, 0))
    return np.multiply(sides[0][:, None], sides[1][None, :], dtype=x.dtype)


def _avg_back(g: Array, y: Array, x: Array, *, kernel_size: Any, stride: Any, padding: Any, ceil_mode: bool,
              count_include_pad: bool, divisor_override: Any) -> Array:
    win = _window(np.shape(x), kernel_size, stride, padding, 1, ceil_mode)
    (n, c), counts, places = np.shape(x)[:2], win.counts(np.shape(x)), win.kernel[0] * win.kernel[1]
    each = g / (divisor_override or _divisors(x, win, counts, padding, count_include_pad))
    rows = np.broadcast_to(np.expand_dims(_channels_last(each), 3), (n, *counts, places, c))
    rows = np.reshape(rows, (n * counts[0] * counts[1], places * c))
    return col2im(rows, np.shape(x), win.kernel, win.stride, (win.before, win.after))


@op(symbol="avg pool", tex=(r"\frac{1}{n} \operatorname{spread}(g)",), vjp=(_avg_back,),
    flops=lambda y, x, kernel_size, **params:
    int(np.size(y)) * (int(np.prod(pair(kernel_size, "kernel_size"))) + 1))
def avg_pool2d(input: Array, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
               count_include_pad: bool = True, divisor_override: int | None = None) -> Array:
    """The mean of each window, as PyTorch's function of this name gives it.

    Args:
        input: (N, C, H, W) images.
        kernel_size: See `max_pool2d`, as for the next three.
        stride: How far it is from window to window; None for the window's size.
        padding: How many zeros lie on both sides; at most half a window.
        ceil_mode: Let a last window that begins within the images reach over their end.
        count_include_pad: Divide by the window's size also where it reaches into the padding.
        divisor_override: What to divide by instead.

    Returns:
        (N, C, OH, OW).

    Raises ShapeError where the window does not fit.

    >>> avg_pool2d(np.arange(16.0).reshape(1, 1, 4, 4), 2)[0, 0]
    array([[ 2.5,  4.5],
           [10.5, 12.5]])
    """
    win = _window(np.shape(input), kernel_size, stride, padding, 1, ceil_mode)
    parts, counts = _split(input, win, 0)
    total = np.transpose(functools.reduce(np.add, parts), (0, 3, 1, 2))
    return total / (divisor_override or _divisors(input, win, counts, padding, count_include_pad))
