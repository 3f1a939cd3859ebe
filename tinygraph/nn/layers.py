"""Layers: modules around one function each. A name of the lecture's or PyTorch's, the other in its docstring."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from tinygraph.core.arguments import Array
from tinygraph.core.errors import ArgumentError, ShapeError
from tinygraph.core.messages import here
from tinygraph.nn import functional as F  # noqa: N812 - PyTorch's users know it by this name
from tinygraph.nn.initial import Initializer, he_normal
from tinygraph.nn.module import Module
from tinygraph.ops.conv import pair
from tinygraph.tensors import Tensor, tensor


def _weight(array: Any, dtype: DTypeLike) -> Tensor:
    return tensor(array, requires_grad=True, dtype=np.dtype(dtype))


class Affine(Module):
    """x @ W + b: the lecture's Affine layer, PyTorch's Linear with W the other way round.

    x: (..., D), W: (D, M), b: (M,) zeros at first  ->  (..., M)

    >>> layer = Affine(3, 2)
    >>> layer(np.ones((5, 3))).shape
    (5, 2)
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True, *, init: Initializer = he_normal,
                 dtype: DTypeLike = np.float64) -> None:
        self.W = _weight(init((in_features, out_features)), dtype)
        self.b = _weight(np.zeros(out_features), dtype) if bias else None

    def forward(self, x: Array) -> Any:
        """The product, and the bias."""
        return np.matmul(x, self.W) if self.b is None else F.affine(x, self.W, self.b)


class Conv2d(Module):
    """Convolution of images with a set of filters: `tinygraph.conv2d` with its W and b; the lecture's Convolution.

    x: (N, C, H, W), W: (O, C / groups, KH, KW), b: (O,) zeros at first  ->  (N, O, OH, OW)

    >>> Conv2d(1, 30, 5)(np.ones((2, 1, 28, 28))).shape
    (2, 30, 24, 24)
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1, padding: Any = 0,
                 dilation: Any = 1, groups: int = 1, bias: bool = True, *, init: Initializer = he_normal,
                 dtype: DTypeLike = np.float64) -> None:
        if groups < 1 or in_channels % groups or out_channels % groups:
            raise ArgumentError(f"Conv2d: groups={groups} does not divide {in_channels} and {out_channels} channels"
                                f"{here()}")
        self.stride, self.padding, self.dilation, self.groups = stride, padding, dilation, groups
        shape = (out_channels, in_channels // groups, *pair(kernel_size, "kernel_size"))
        self.W = _weight(init(shape), dtype)
        self.b = _weight(np.zeros(out_channels), dtype) if bias else None

    def forward(self, x: Array) -> Any:
        """The convolution."""
        return F.conv2d(x, self.W, self.b, self.stride, self.padding, self.dilation, self.groups)


class MaxPool2d(Module):
    """The largest element of each window: `tinygraph.max_pool2d`; the lecture's Pooling.

    >>> MaxPool2d(2)(np.arange(16.0).reshape(1, 1, 4, 4))[0, 0]
    array([[ 5.,  7.],
           [13., 15.]])
    """

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
                 ceil_mode: bool = False) -> None:
        self.window = {"kernel_size": kernel_size, "stride": stride, "padding": padding, "dilation": dilation,
                       "ceil_mode": ceil_mode}

    def forward(self, x: Array) -> Any:
        """The pooling."""
        return F.max_pool2d(x, **self.window)


class AvgPool2d(Module):
    """The mean of each window: `tinygraph.avg_pool2d`.

    >>> AvgPool2d(2)(np.arange(16.0).reshape(1, 1, 4, 4))[0, 0]
    array([[ 2.5,  4.5],
           [10.5, 12.5]])
    """

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
                 count_include_pad: bool = True) -> None:
        self.window = {"kernel_size": kernel_size, "stride": stride, "padding": padding, "ceil_mode": ceil_mode,
                       "count_include_pad": count_include_pad}

    def forward(self, x: Array) -> Any:
        """The pooling."""
        return F.avg_pool2d(x, **self.window)


class Flatten(Module):
    """(N, ...) as (N, D): everything but the first axis in one.

    >>> Flatten()(np.ones((2, 3, 4, 4))).shape
    (2, 48)
    """

    def forward(self, x: Array) -> Any:
        """The same elements."""
        n, *rest = np.shape(x)
        return np.reshape(x, (n, int(np.prod(rest))))


class BatchNorm(Module):
    """Each channel brought to mean 0 and variance 1 over the batch, then scaled by gamma and shifted by beta.

    While it is trained the batch's own mean and variance are used, and running ones follow them, which are used later.
    PyTorch's BatchNorm1d and BatchNorm2d. Ioffe and Szegedy, "Batch Normalization" (2015), algorithm 1.

    x: (N, C) or (N, C, H, W), gamma: (C,), beta: (C,)  ->  the shape of x

    >>> y = BatchNorm(2)(np.array([[1.0, 10.0], [3.0, 30.0]]))
    >>> y.data.round(3)
    array([[-1., -1.],
           [ 1.,  1.]])
    """

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1, *,
                 dtype: DTypeLike = np.float64) -> None:
        self.eps, self.momentum = eps, momentum
        self.gamma, self.beta = _weight(np.ones(num_features), dtype), _weight(np.zeros(num_features), dtype)
        self.running_mean = tensor(np.zeros(num_features), dtype=np.dtype(dtype))
        self.running_var = tensor(np.ones(num_features), dtype=np.dtype(dtype))

    def forward(self, x: Array) -> Any:
        """The normalised channels."""
        axes = (0, *range(2, len(np.shape(x))))
        along = (slice(None), *(None for _ in axes[1:]))  # (C,) as (C, 1, 1)
        mean, var = self.running_mean.data, self.running_var.data
        if self.training:
            mean, var = np.mean(x, axis=axes), np.var(x, axis=axes)
            n = int(np.prod([np.shape(x)[axis] for axis in axes]))
            if n < 2:
                raise ShapeError(f"BatchNorm: {np.shape(x)} has one value a channel, whose variance is 0{here()}")
            self._follow(self.running_mean, mean)
            self._follow(self.running_var, var * (n / (n - 1)))  # that of all there is, of which this is a sample
        scale = self.gamma / np.sqrt(var + self.eps)
        return (x - mean[along]) * scale[along] + self.beta[along]

    def _follow(self, running: Tensor, value: Any) -> None:
        now = value.data if isinstance(value, Tensor) else value
        running.data += self.momentum * (now - running.data)


class Dropout(Module):
    """While it is trained, each element 0 with probability p, else divided by 1 - p: `tinygraph.nn.functional.dropout`.

    >>> Dropout(0.5).eval()(np.ones(3))
    array([1., 1., 1.])
    """

    def __init__(self, p: float = 0.5) -> None:
        self.p = p

    def forward(self, x: Array) -> Any:
        """What is left."""
        return F.dropout(x, self.p, self.training)


class ReLU(Module):
    """max(x, 0): `tinygraph.relu`.

    >>> ReLU()(np.array([-1.0, 2.0]))
    array([0., 2.])
    """

    def forward(self, x: Array) -> Any:
        """The function."""
        return F.relu(x)


class Sigmoid(Module):
    """1 / (1 + exp(-x)): `tinygraph.sigmoid`.

    >>> Sigmoid()(np.array([0.0]))
    array([0.5])
    """

    def forward(self, x: Array) -> Any:
        """The function."""
        return F.sigmoid(x)


class Tanh(Module):
    """The hyperbolic tangent.

    >>> Tanh()(np.array([0.0]))
    array([0.])
    """

    def forward(self, x: Array) -> Any:
        """The function."""
        return F.tanh(x)


class Softmax(Module):
    """exp(x) scaled to sum to one along an axis, the last one unless ``dim`` says otherwise.

    >>> Softmax()(np.array([0.0, 0.0]))
    array([0.5, 0.5])
    """

    def __init__(self, dim: int = -1) -> None:
        self.dim = dim

    def forward(self, x: Array) -> Any:
        """The function."""
        return F.softmax(x, self.dim)


class SoftmaxWithLoss(Module):
    """The lecture's last layer, PyTorch's CrossEntropyLoss: the cross entropy of softmax(x) against labels.

    x: (N, C) logits   t: (N,) indices or (N, C) distributions  ->  ()

    >>> SoftmaxWithLoss()(np.zeros((2, 4)), np.array([1, 3])).round(3)
    np.float64(1.386)
    """

    def __init__(self, weight: Array | None = None, *, ignore_index: int | None = None, reduction: str = "mean",
                 label_smoothing: float = 0.0) -> None:
        self.weight, self.ignore_index = weight, ignore_index
        self.reduction, self.label_smoothing = reduction, label_smoothing

    def forward(self, x: Array, t: Array) -> Any:
        """The loss."""
        return F.cross_entropy(x, t, self.weight, ignore_index=self.ignore_index, reduction=self.reduction,
                               label_smoothing=self.label_smoothing)
