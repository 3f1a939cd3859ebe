"""Convolution and pooling of images."""

from __future__ import annotations

import itertools

import numpy as np

from cases.samples import distinct, empty, real
from tinygraph.testing import Case


def window(v):
    return (v, v) if isinstance(v, int) else tuple(v)


def padded(x, padding, kernel, dilation, fill=0.0):
    if padding == "same":
        total = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
        widths = [(n // 2, n - n // 2) for n in total]
    else:
        widths = [(p, p) for p in window(0 if padding == "valid" else padding)]
    return np.pad(x, [(0, 0), (0, 0), *widths], constant_values=fill)


def conv2d(x, w, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """The definition, one product of numbers after the other."""
    (sh, sw), (dh, dw), (o, c, kh, kw) = window(stride), window(dilation), w.shape
    x = padded(x, padding, (kh, kw), (dh, dw))
    oh, ow = (x.shape[2] - dh * (kh - 1) - 1) // sh + 1, (x.shape[3] - dw * (kw - 1) - 1) // sw + 1
    y = np.zeros((len(x), o, oh, ow), x.dtype)
    for f, i, j, channel, k, m in np.ndindex(o, oh, ow, c, kh, kw):
        of = f // (o // groups) * c + channel
        y[:, f, i, j] += w[f, channel, k, m] * x[:, of, i * sh + k * dh, j * sw + m * dw]
    return y if bias is None else y + bias[:, None, None]


def pooled(x, kernel_size, stride, padding, dilation, ceil_mode, of):
    """A function of what each window holds of the image itself and of its padding, (N, C, elements of the window)."""
    kernel, (dh, dw) = window(kernel_size), window(dilation)
    (sh, sw), (ph, pw) = window(kernel if stride is None else stride), window(padding)
    (kh, kw), (h, w) = kernel, x.shape[2:]
    rows = [i for i in range(-ph, h + ph, sh) if i + dh * (kh - 1) < h + ph or (ceil_mode and i < h)]
    columns = [j for j in range(-pw, w + pw, sw) if j + dw * (kw - 1) < w + pw or (ceil_mode and j < w)]
    y = np.zeros((*x.shape[:2], len(rows), len(columns)), x.dtype)
    for (a, i), (b, j) in itertools.product(enumerate(rows), enumerate(columns)):
        places = [(i + dh * k, j + dw * m) for k, m in np.ndindex(kh, kw)]
        inside = [x[:, :, p, q] for p, q in places if 0 <= p < h and 0 <= q < w]
        y[:, :, a, b] = of(np.stack(inside, -1), sum(p < h + ph and q < w + pw for p, q in places))
    return y


def max_pool2d(x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
    return pooled(x, kernel_size, stride, padding, dilation, ceil_mode, lambda inside, _: inside.max(-1))


def avg_pool2d(x, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None):
    return pooled(x, kernel_size, stride, padding, 1, ceil_mode, lambda inside, whole: inside.sum(-1) / (
        divisor_override or (whole if count_include_pad else inside.shape[-1])))


def windows(shape, kernel_size, stride=1, padding=0, dilation=1):
    """For each row of im2col the image's number and the places, and for each place where it lies, if inside."""
    (kh, kw), (sh, sw), (dh, dw) = window(kernel_size), window(stride), window(dilation)
    before, after = padding if isinstance(padding, tuple) else ((padding, padding), (padding, padding))
    n, _, h, w = shape
    down = range(-before[0], h + after[0] - dh * (kh - 1), sh)
    across = range(-before[1], w + after[1] - dw * (kw - 1), sw)
    for image in range(n):
        for i in down:
            for j in across:
                yield image, [(i + dh * k, j + dw * m) for k, m in np.ndindex(kh, kw)]


def im2col(x, kernel_size, **params):
    def at(image, i, j):
        inside = 0 <= i < x.shape[2] and 0 <= j < x.shape[3]
        return x[image, :, i, j] if inside else np.zeros(x.shape[1])
    return np.stack([np.concatenate([at(image, i, j) for i, j in places])
                     for image, places in windows(x.shape, kernel_size, **params)])


def col2im(rows, shape, kernel_size, **params):
    x = np.zeros(shape)
    for row, (image, places) in zip(rows, windows(shape, kernel_size, **params), strict=True):
        for part, (i, j) in zip(np.split(row, len(places)), places, strict=True):
            if 0 <= i < shape[2] and 0 <= j < shape[3]:
                x[image, :, i, j] += part
    return x


def spread_to_max(g, y, x, kernel_size, stride=None):
    """Without ties: each window's cotangent to the one element that is its largest."""
    out, step = np.zeros_like(x), stride or kernel_size
    for n, c, i, j in np.ndindex(g.shape):
        part = x[n, c, i * step:i * step + kernel_size, j * step:j * step + kernel_size]
        k, m = np.unravel_index(np.argmax(part), part.shape)
        out[n, c, i * step + k, j * step + m] += g[n, c, i, j]
    return out


def gather_at_max(v, y, x, kernel_size, stride=None):
    out, step = np.zeros_like(y), stride or kernel_size
    for n, c, i, j in np.ndindex(y.shape):
        here = np.s_[n, c, i * step:i * step + kernel_size, j * step:j * step + kernel_size]
        out[n, c, i, j] = v[here].flat[np.argmax(x[here])]
    return out


X, XS = distinct(1, 2, 4, 4), distinct(2, 1, 3, 5)
POOLS = [(distinct(2, 3, 4, 6), {"kernel_size": 2}), (distinct(1, 2, 3, 4), {"kernel_size": (3, 2)}),
         (distinct(2, 2, 5, 6), {"kernel_size": (3, 2), "stride": (2, 1), "padding": (1, 0)}),
         (distinct(1, 2, 5, 5), {"kernel_size": 2, "ceil_mode": True}),
         (distinct(1, 1, 5, 6), {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True}),
         (empty(0, 2, 4, 4), {"kernel_size": 2})]

CASES = {
    "conv2d": [Case(*inputs, **params).against(conv2d) for inputs, params in [
        ((real(2, 3, 5, 6), real(4, 3, 2, 3), real(4)), {}),
        ((real(2, 1, 4, 9), real(2, 1, 2, 2), real(2)), {}),  # one channel: the rows lie column by column
        ((real(1, 2, 5, 6), real(3, 2, 3, 2), None), {"stride": (2, 1), "padding": (1, 2)}),
        ((real(1, 2, 6, 5), real(2, 2, 2, 2), real(2)), {"dilation": (2, 1), "stride": 2}),
        ((real(2, 4, 4, 4), real(6, 2, 3, 2), real(6)), {"groups": 2, "padding": "same"}),
        ((real(1, 3, 3, 3), real(3, 1, 1, 1)), {"groups": 3, "padding": "valid"}),
        ((empty(0, 2, 4, 4), real(3, 2, 2, 2), real(3)), {})]],
    "im2col": [Case(x, **params).against(im2col) for x, params in [
        (real(2, 3, 4, 5), {"kernel_size": 2}), (real(2, 1, 4, 9), {"kernel_size": (1, 2), "padding": 1}),
        (real(1, 2, 5, 5), {"kernel_size": 2, "stride": 2, "dilation": 2, "padding": ((1, 0), (0, 1))})]],
    "col2im": [Case(real(*shape), **params).against(col2im) for shape, params in [
        ((24, 12), {"shape": (2, 3, 4, 5), "kernel_size": 2}),
        ((4, 4), {"shape": (1, 1, 3, 5), "kernel_size": 2, "stride": (2, 2), "padding": ((1, 0), (0, 1)),
                  "dilation": (1, 2)})]],
    "max_pool2d": [Case(x, **params).against(max_pool2d) for x, params in [
        *POOLS, (distinct(1, 2, 6, 6), {"kernel_size": 2, "stride": 1, "dilation": 2})]],
    "avg_pool2d": [Case(x, **params).against(avg_pool2d) for x, params in [
        *POOLS, (XS, {"kernel_size": 2, "padding": 1, "count_include_pad": False}),
        (X, {"kernel_size": 2, "divisor_override": 3})]],
    "spread_to_max": [Case(real(1, 2, 2, 2), max_pool2d(X, 2), X, kernel_size=2).against(spread_to_max),
                      Case(real(2, 1, 2, 4), max_pool2d(XS, 2, 1), XS, kernel_size=2, stride=1).against(spread_to_max)],
    "gather_at_max": [Case(real(1, 2, 4, 4), max_pool2d(X, 2), X, kernel_size=2).against(gather_at_max),
                      Case(real(2, 1, 3, 5), max_pool2d(XS, 2, 1), XS, kernel_size=2, stride=1).against(gather_at_max)],
}
