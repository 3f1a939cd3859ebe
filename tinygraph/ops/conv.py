"""Convolution of images as one matrix product: each window a row (im2col), and the sum that undoes it (col2im).

Axes are PyTorch's, (N, C, H, W); what is computed lies in memory with the channels last, so that no copy stands
between a convolution, what follows it and the products of its derivatives.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from tinygraph.core.arguments import Array
from tinygraph.core.errors import ShapeError
from tinygraph.core.op import op

__all__ = ["col2im", "conv2d", "im2col"]

Pair = tuple[int, int]
"""Of the height and of the width."""


class Window(NamedTuple):
    """How windows lie over images."""

    kernel: Pair
    stride: Pair
    before: Pair
    after: Pair
    dilation: Pair

    @property
    def extent(self) -> Pair:
        """What a window spans, the gaps of its dilation with it."""
        (kh, kw), (dh, dw) = self.kernel, self.dilation
        return dh * (kh - 1) + 1, dw * (kw - 1) + 1

    def counts(self, shape: Any) -> Pair:
        """How many windows lie over images of a shape, (..., H, W), down and across."""
        (h, w), (eh, ew) = self.padded(shape), self.extent
        if h < eh or w < ew:
            raise ValueError(f"a window of {eh} x {ew} does not fit into images of {h} x {w}"
                             + (", padding counted in" if (h, w) != tuple(shape[-2:]) else ""))
        return (h - eh) // self.stride[0] + 1, (w - ew) // self.stride[1] + 1

    def padded(self, shape: Any) -> Pair:
        """Height and width of the images with their padding."""
        return (int(shape[-2]) + self.before[0] + self.after[0], int(shape[-1]) + self.before[1] + self.after[1])

    def parts(self, counts: Pair) -> Iterator[tuple[slice, slice]]:
        """For each place in the window, row by row: what lies there in all windows, as slices of height and width."""
        for i, j in np.ndindex(*self.kernel):
            top, left = i * self.dilation[0], j * self.dilation[1]
            yield (slice(top, top + (counts[0] - 1) * self.stride[0] + 1, self.stride[0]),
                   slice(left, left + (counts[1] - 1) * self.stride[1] + 1, self.stride[1]))


def pair(value: Any, name: str, least: int = 1) -> Pair:
    """One whole number or two as (of the height, of the width)."""
    two = tuple(value) if isinstance(value, tuple | list) else (value,)
    two = two * 2 if len(two) == 1 else two
    if len(two) != 2 or any(not isinstance(n, int | np.integer) or n < least for n in two):
        raise ValueError(f"{name}={value!r}: give one whole number, or one for the height and one for the width, "
                         f"each at least {least}")
    return int(two[0]), int(two[1])


def window(kernel_size: Any, stride: Any = 1, padding: Any = 0, dilation: Any = 1) -> Window:
    """The window of these sizes; padding is as many on both sides, "same", "valid", or (before, after)."""
    kernel, stride, dilation = pair(kernel_size, "kernel_size"), pair(stride, "stride"), pair(dilation, "dilation")
    if padding == "same":
        if stride != (1, 1):
            raise ValueError(f"padding='same' is for stride 1, and this is stride={stride}")
        total = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
        padding = (total[0] // 2, total[1] // 2), ((total[0] + 1) // 2, (total[1] + 1) // 2)
    if padding == "valid":
        padding = 0
    if isinstance(padding, str):
        raise ValueError(f"padding={padding!r}: give 'same', 'valid', one whole number or two")
    both = padding if isinstance(padding, tuple) and padding and isinstance(padding[0], tuple) else (padding, padding)
    return Window(kernel, stride, pair(both[0], "padding", 0), pair(both[1], "padding", 0), dilation)


def channels_last(x: Array, win: Window, fill: float = 0) -> Array:
    """Images as (N, H, W, C), with their padding."""
    x = np.transpose(x, (0, 2, 3, 1))
    if win.before == win.after == (0, 0):
        return x
    return np.pad(x, ((0, 0), *zip(win.before, win.after, strict=True), (0, 0)), constant_values=fill)


def _im2col_back(g: Array, y: Array, x: Array, *, kernel_size: Any, stride: Any, padding: Any, dilation: Any) -> Array:
    return col2im(g, np.shape(x), kernel_size, stride, padding, dilation)


@op(symbol="im2col", tex=(r"\operatorname{col2im}(g)",), vjp=(_im2col_back,))
def im2col(x: Array, kernel_size: Any, stride: Any = 1, padding: Any = 0, dilation: Any = 1) -> Array:
    """Each window of a stack of images as one row, so that a convolution is a matrix product.

    The rows go image by image and, in each, from left to right and down. In a row the channels run fastest, which is
    where it differs from the book's function of this name.

    x: (N, C, H, W)   kernel_size: (KH, KW)  ->  (N OH OW, KH KW C)

    >>> im2col(np.arange(9.0).reshape(1, 1, 3, 3), 2)
    array([[0., 1., 3., 4.],
           [1., 2., 4., 5.],
           [3., 4., 6., 7.],
           [4., 5., 7., 8.]])
    """
    win = window(kernel_size, stride, padding, dilation)
    (oh, ow), (kh, kw), n, c = win.counts(np.shape(x)), win.kernel, *np.shape(x)[:2]
    views = np.lib.stride_tricks.sliding_window_view(channels_last(x, win), win.extent, (1, 2))
    if win.stride != (1, 1) or win.dilation != (1, 1):
        (sh, sw), (dh, dw) = win.stride, win.dilation
        views = views[:, ::sh, ::sw, :, ::dh, ::dw]
    # Copying is quick along what lies together in both: a window's row where there are many channels, else the
    # images' own rows. BLAS takes either order.
    if kw * c < ow:
        return np.transpose(np.reshape(np.transpose(views, (4, 5, 3, 0, 1, 2)), (kh * kw * c, n * oh * ow)))
    return np.reshape(np.transpose(views, (0, 1, 2, 4, 5, 3)), (n * oh * ow, kh * kw * c))


@op(symbol="col2im", tex=(r"\operatorname{im2col}(g)",),
    vjp=(lambda g, y, rows, *, kernel_size, stride, padding, dilation:
         im2col(g, kernel_size, stride, padding, dilation),))
def col2im(rows: Array, shape: Any, kernel_size: Any, stride: Any = 1, padding: Any = 0, dilation: Any = 1) -> Array:
    """Images of a shape in which every row is added where its window lies: the transpose of `im2col`.

    rows: (N OH OW, KH KW C)   shape: (N, C, H, W)  ->  (N, C, H, W)

    >>> col2im(np.ones((4, 4)), (1, 1, 3, 3), 2)[0, 0]
    array([[1., 2., 1.],
           [2., 4., 2.],
           [1., 2., 1.]])
    """
    win = window(kernel_size, stride, padding, dilation)
    n, c = shape[:2]
    counts = win.counts(shape)
    pieces = np.reshape(rows, (n, *counts, win.kernel[0] * win.kernel[1], c))
    return placed([pieces[:, :, :, k] for k in range(np.shape(pieces)[3])], shape, win, counts)


def placed(pieces: list[Array], shape: Any, win: Window, counts: Pair) -> Array:
    """Images of a shape to which is added, for each place in the window, a piece (N, OH, OW, C) of all windows."""
    n, c, h, w = shape
    out = np.zeros((n, *win.padded(shape), c), pieces[0].dtype, like=pieces[0])
    for part, piece in zip(win.parts(counts), pieces, strict=True):
        out[:, *part] += piece
    (top, left) = win.before
    return np.transpose(out[:, top:top + h, left:left + w], (0, 3, 1, 2))


# --- the product, group by group: for each a matrix of rows, of weights and of results --------------------------------

def _rows(rows: Array, groups: int, c: int) -> Array:
    """(M, KH KW C) as (G, M, KH KW C/G); as it is where there is one group."""
    if groups == 1:
        return rows
    m, k = np.shape(rows)
    return np.reshape(np.transpose(np.reshape(rows, (m, k // c, groups, c // groups)), (2, 0, 1, 3)),
                      (groups, m, k // groups))


def _rows_back(rows: Array, groups: int, c: int) -> Array:
    if groups == 1:
        return rows
    _, m, k = np.shape(rows)
    split = np.reshape(rows, (groups, m, k * groups // c, c // groups))
    return np.reshape(np.transpose(split, (1, 2, 0, 3)), (m, k * groups))


def _matrix(w: Array, groups: int) -> Array:
    """(O, C/G, KH, KW) as (G, KH KW C/G, O/G); without the first axis where there is one group."""
    o, c, kh, kw = np.shape(w)
    if groups == 1:
        return np.reshape(np.transpose(w, (2, 3, 1, 0)), (kh * kw * c, o))
    split = np.reshape(w, (groups, o // groups, c, kh, kw))
    return np.reshape(np.transpose(split, (0, 3, 4, 2, 1)), (groups, kh * kw * c, o // groups))


def _matrix_back(m: Array, shape: Any, groups: int) -> Array:
    o, c, kh, kw = shape
    if groups == 1:
        return np.transpose(np.reshape(m, (kh, kw, c, o)), (3, 2, 0, 1))
    split = np.transpose(np.reshape(m, (groups, kh, kw, c, o // groups)), (0, 4, 3, 1, 2))
    return np.reshape(split, shape)


UNPACKED = 10 ** 6
"""How many multiplications a product may have for OpenBLAS to make it on the matrices as they lie, uncopied."""


def _blocks(rows: Array, o: int) -> int:
    """In how many equal parts many rows meet a few filters; in one where a part would not be many times as long.

    That takes half the time. OpenBLAS copies the matrices of a larger product into an order of its own, which is made
    up for where each number is used often.
    """
    m, k = np.shape(rows)[-2:]
    if np.ndim(rows) != 2 or k * o > 1024:
        return 1
    least = -(-m * k * o // UNPACKED)
    return next((n for n in range(least, 4 * least) if m % n == 0), 1)


def _forward(rows: Array, matrix: Array) -> Array:
    """rows @ matrix, or all parts of it one after the other, (parts, M / parts, O)."""
    (m, k), n = np.shape(rows)[-2:], _blocks(rows, np.shape(matrix)[-1])
    return np.matmul(rows if n == 1 else np.reshape(rows, (n, m // n, k)), matrix)


def _backward(rows: Array, g: Array) -> Array:
    """rows.T @ g."""
    (m, k), n, o = np.shape(rows)[-2:], _blocks(rows, np.shape(g)[-1]), np.shape(g)[-1]
    if n == 1:
        return np.matmul(np.swapaxes(rows, -1, -2), g)
    parts = np.matmul(np.swapaxes(np.reshape(rows, (n, m // n, k)), -1, -2), np.reshape(g, (n, m // n, o)))
    return np.sum(parts, axis=0)


def _results(y: Array, groups: int) -> Array:
    """(M, O) as (G, M, O/G); as it is where there is one group."""
    if groups == 1:
        return y
    m, o = np.shape(y)
    return np.transpose(np.reshape(y, (m, groups, o // groups)), (1, 0, 2))


def _results_back(y: Array, groups: int) -> Array:
    if groups == 1:
        return y
    _, m, o = np.shape(y)
    return np.reshape(np.transpose(y, (1, 0, 2)), (m, groups * o))


def _flat(g: Array, memo: dict[str, Array]) -> Array:
    """(N, O, OH, OW) as (N OH OW, O): a view where the channels lie last, as they do in what this op gives."""
    if "g" not in memo:
        n, o, oh, ow = np.shape(g)
        memo["g"] = np.reshape(np.transpose(g, (0, 2, 3, 1)), (n * oh * ow, o))
    return memo["g"]


def _conv_dx(g: Any, y: Any, x: Array, w: Array, bias: Array, *, stride: Any, padding: Any, dilation: Any,
             groups: int, memo: dict[str, Array]) -> Array:
    rows = g[1]  # what a second derivative hands to the rows
    if g[0] is not None:
        through = np.matmul(_results(_flat(g[0], memo), groups), np.swapaxes(_matrix(w, groups), -1, -2))
        through = _rows_back(through, groups, int(np.shape(x)[1]))
        rows = through if rows is None else through + rows
    return col2im(rows, np.shape(x), np.shape(w)[2:], stride, padding, dilation)


def _conv_dw(g: Any, y: Any, x: Array, w: Array, bias: Array, *, groups: int, memo: dict[str, Array]) -> Array:
    if g[0] is None:
        return None
    rows = _rows(y[1], groups, int(np.shape(x)[1]))
    product = _backward(rows, _results(_flat(g[0], memo), groups))
    return _matrix_back(product, np.shape(w), groups)


def _conv_db(g: Any, y: Any, x: Array, w: Array, bias: Array, *, memo: dict[str, Array]) -> Array:
    if g[0] is None:
        return None
    flat = _flat(g[0], memo)
    return np.matmul(np.ones_like(flat[:, 0]), flat)  # a sum over so many rows, at the speed of BLAS


def _check(x: Array, w: Array, bias: Array, groups: int) -> None:
    xs, ws = np.shape(x), np.shape(w)
    if len(xs) != 4 or len(ws) != 4:
        raise ShapeError(f"conv2d: images are (N, C, H, W) and weights (O, C / groups, KH, KW), not {xs} and {ws}"
                         + ("; x[None] makes a stack of one image" if len(xs) == 3 else ""))
    if groups < 1 or xs[1] % groups or ws[0] % groups:
        raise ShapeError(f"conv2d: groups={groups} does not divide the {xs[1]} channels of {xs} and the {ws[0]} of "
                         f"the weights {ws}")
    if xs[1] != ws[1] * groups:
        raise ShapeError(f"conv2d: {xs} has {xs[1]} channels, and weights {ws} are for {ws[1] * groups}"
                         + (f" in {groups} groups" if groups > 1 else ""))
    if bias is not None and np.shape(bias) != ws[:1]:
        raise ShapeError(f"conv2d: a bias for weights {ws} has shape {ws[:1]}, not {np.shape(bias)}")


@op(symbol="conv", outputs=2, hidden=1, vjp=(_conv_dx, _conv_dw, _conv_db),
    flops=lambda y, x, w, bias, **params: int(np.size(y[0])) * (2 * int(np.prod(np.shape(w)[1:])) + (bias is not None)),
    tex=(r"\operatorname{col2im}(g_0 \cdot W)", r"\operatorname{im2col}(X)^\top \cdot g_0", r"\sum g_0"))
def conv2d(input: Array, weight: Array, bias: Array = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
           groups: int = 1) -> Array:
    """The cross-correlation of images with a set of filters, as PyTorch's function of this name gives it.

    Y[n, o, i, j] = b[o] + Σ over c, k, l of W[o, c, k, l] X[n, c, s i + d k - p, s j + d l - p].

    Args:
        input: (N, C, H, W) images.
        weight: (O, C / groups, KH, KW) filters.
        bias: (O,), or None.
        stride: How far it is from window to window: a number, or one for the height and one for the width.
        dilation: How far from element to element of a window, likewise.
        padding: Zeros on both sides: a number or two; "valid" for none, "same" for as many as keep height and width.
        groups: How many parts the channels are divided into, each with filters of its own.

    Returns:
        (N, O, OH, OW); it lies in memory as (N, OH, OW, O).

    Raises ShapeError where the shapes do not fit or the sizes make no sense.

    >>> conv2d(np.ones((1, 1, 3, 3)), np.ones((1, 1, 2, 2)))[0, 0]
    array([[4., 4.],
           [4., 4.]])
    """
    _check(input, weight, bias, groups)
    (n, c), (o, _, *kernel) = np.shape(input)[:2], np.shape(weight)
    win = window(tuple(kernel), stride, padding, dilation)
    rows = im2col.function(input, tuple(kernel), stride, padding, dilation)
    y = _results_back(_forward(_rows(rows, groups, int(c)), _matrix(weight, groups)), groups)
    if bias is not None:
        if y.dtype == np.result_type(y, bias):
            y += bias
        else:
            y = y + bias
    return np.transpose(np.reshape(y, (n, *win.counts(np.shape(input)), o)), (0, 3, 1, 2)), rows
