"""Functions that layers are made of, with PyTorch's names, signatures and layout.

Convolution and pooling take PyTorch's (N, C, H, W); a loss takes ``reduction``: "mean", "sum" or "none".
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygraph import random
from tinygraph.core.arguments import Array
from tinygraph.core.errors import ArgumentError, ShapeError
from tinygraph.core.messages import here
from tinygraph.core.op import as_array
from tinygraph.nn.activations import elu, gelu, leaky_relu, silu, softplus
from tinygraph.ops.conv import conv2d
from tinygraph.ops.elementwise import relu, sigmoid
from tinygraph.ops.index import take
from tinygraph.ops.linalg import affine
from tinygraph.ops.loss import are_indices, check_labels, softmax_with_loss, weighted
from tinygraph.ops.loss import log_softmax as _log_softmax
from tinygraph.ops.loss import one_hot as _rows
from tinygraph.ops.loss import softmax as _softmax
from tinygraph.ops.pool import avg_pool2d, max_pool2d
from tinygraph.ops.transcendental import tanh
from tinygraph.tensors import Tensor

__all__ = ["affine", "avg_pool2d", "binary_cross_entropy_with_logits", "conv2d", "cross_entropy", "dropout", "elu",
           "embedding", "gelu", "l1_loss", "layer_norm", "leaky_relu", "linear", "log_softmax", "max_pool2d",
           "mse_loss", "one_hot", "relu", "scaled_dot_product_attention", "sigmoid", "silu", "softmax", "softplus",
           "tanh"]


def softmax(input: Array, dim: int = -1) -> Array:
    """exp(input) scaled to sum to one along an axis: `tinygraph.softmax` with PyTorch's name for the axis.

    >>> softmax(np.array([0.0, 0.0]))
    array([0.5, 0.5])
    """
    return _softmax(input, dim)


def log_softmax(input: Array, dim: int = -1) -> Array:
    """log(softmax(input)) without overflow: `tinygraph.log_softmax` with PyTorch's name for the axis.

    >>> log_softmax(np.array([0.0, -1e4]))
    array([     0., -10000.])
    """
    return _log_softmax(input, dim)


def linear(input: Array, weight: Array, bias: Array | None = None) -> Array:
    """input @ weight.T + bias, with the weight as PyTorch keeps it: the other way round than `affine` takes it.

    input: (..., D)   weight: (M, D)   bias: (M,)  ->  (..., M)

    >>> linear(np.array([[1.0, 2.0]]), np.array([[1.0, 1.0], [0.0, 1.0], [1.0, 0.0]]))
    array([[3., 2., 1.]])
    """
    turned = np.transpose(weight)
    return np.matmul(input, turned) if bias is None else affine(input, turned, bias)


def dropout(input: Array, p: float = 0.5, training: bool = True) -> Array:
    """Each element 0 with probability p, else divided by 1 - p, so that the mean stays; as it is outside training.

    The numbers are drawn from `tinygraph.random`. Srivastava et al., "Dropout" (2014), scaled as in section 10.

    >>> import tinygraph as tg
    >>> tg.random.seed(0)
    >>> dropout(np.ones(4), 0.5)
    array([2., 0., 0., 0.])
    >>> dropout(np.ones(4), 0.5, training=False)
    array([1., 1., 1., 1.])
    """
    if not 0 <= p <= 1:
        raise ArgumentError(f"dropout: p={p!r} is a probability, between 0 and 1{here()}")
    if not training or p == 0:
        return input
    if p == 1:
        return input * 0
    kept = (random.random(np.shape(input)) >= p) / (1 - p)
    return input * kept.astype(input.dtype)


def embedding(input: Array, weight: Array) -> Array:
    """The rows of ``weight`` that the integers name: a vector for each word, say.

    input: (...) integers   weight: (n, D)  ->  (..., D)

    >>> embedding(np.array([2, 0]), np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]))
    array([[5., 6.],
           [1., 2.]])
    """
    return take(weight, input, 0)


def one_hot(tensor: Array, num_classes: int) -> Array:
    """For each integer a row that is 1 at its place and 0 elsewhere; integers, as PyTorch's.

    tensor: (...) in 0..num_classes - 1  ->  (..., num_classes)

    >>> one_hot(np.array([2, 0]), 3)
    array([[0, 0, 1],
           [1, 0, 0]])
    """
    return np.equal(np.expand_dims(tensor, -1), np.arange(num_classes)).astype(np.int64)


def layer_norm(input: Array, normalized_shape: Any, weight: Array | None = None, bias: Array | None = None,
               eps: float = 1e-5) -> Array:
    """Each sample brought to mean 0 and variance 1 over its last axes, then scaled by weight and shifted by bias.

    Ba et al., "Layer Normalization" (2016), equation 4.

    Args:
        input: (..., *normalized_shape).
        normalized_shape: The sizes of those last axes, or of the last one.
        weight: Of that shape, or None.
        bias: Likewise.
        eps: What is added to the variance.

    Raises ShapeError where the last axes have other sizes.

    >>> layer_norm(np.array([[1.0, 3.0], [5.0, 1.0]]), 2).round(3)
    array([[-1.,  1.],
           [ 1., -1.]])
    """
    sizes = tuple(normalized_shape) if isinstance(normalized_shape, tuple | list) else (normalized_shape,)
    if np.shape(input)[-len(sizes):] != sizes:
        raise ShapeError(f"layer_norm: the last axes of {np.shape(input)} are not {sizes}{here()}")
    axes = tuple(range(-len(sizes), 0))
    centred = input - np.mean(input, axis=axes, keepdims=True)
    y = centred / np.sqrt(np.mean(np.square(centred), axis=axes, keepdims=True) + eps)
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


def scaled_dot_product_attention(query: Array, key: Array, value: Array, attn_mask: Array | None = None,
                                 dropout_p: float = 0.0, is_causal: bool = False, scale: float | None = None) -> Array:
    """softmax(query keyᵀ scale) value: for each query a mean of the values, weighted by how its key fits.

    Vaswani et al., "Attention Is All You Need" (2017), equation 1.

    Args:
        query: (..., L, D).
        key: (..., S, D).
        value: (..., S, M).
        attn_mask: True where a query may look, or what is added to the scores; broadcasts with (..., L, S).
        dropout_p: The probability that a weight is dropped.
        is_causal: Let query i look at the first i + 1 keys alone.
        scale: What the scores are multiplied with; None for 1/√D.

    Returns:
        (..., L, M).

    >>> x = np.eye(2)
    >>> scaled_dot_product_attention(x, x, x, is_causal=True).round(3)
    array([[1.  , 0.  ],
           [0.33, 0.67]])
    """
    scale = 1 / math.sqrt(np.shape(query)[-1]) if scale is None else scale
    scores = np.matmul(query, np.swapaxes(key, -1, -2)) * scale
    if is_causal:
        scores = np.where(np.tri(*np.shape(scores)[-2:]) == 1, scores, -np.inf)
    if attn_mask is not None:
        allowed = as_array(attn_mask).dtype.kind == "b"
        scores = np.where(attn_mask, scores, -np.inf) if allowed else scores + attn_mask
    return np.matmul(dropout(_softmax(scores), dropout_p), value)


def _reduced(losses: Array, reduction: str, name: str) -> Array:
    if reduction not in ("mean", "sum", "none"):
        raise ArgumentError(f"{name}: reduction={reduction!r} is none of 'mean', 'sum', 'none'{here()}")
    return losses if reduction == "none" else np.mean(losses) if reduction == "mean" else np.sum(losses)


def _check_target(input: Array, target: Array, name: str) -> None:
    """Raise where the shapes differ, since broadcasting would count elements several times."""
    if np.shape(input) != np.shape(target):
        raise ShapeError(f"{name}: {np.shape(input)} and a target of {np.shape(target)} differ{here()}")


def l1_loss(input: Array, target: Array, *, reduction: str = "mean") -> Array:
    """The absolute error of each element, or their mean or sum. Raises ShapeError where the shapes differ.

    >>> l1_loss(np.array([1.0, 2.0]), np.array([1.0, 5.0]))
    np.float64(1.5)
    """
    _check_target(input, target, "l1_loss")
    return _reduced(np.abs(input - target), reduction, "l1_loss")


def binary_cross_entropy_with_logits(input: Array, target: Array, weight: Array | None = None, *,
                                     reduction: str = "mean", pos_weight: Array | None = None) -> Array:
    """The cross entropy of sigmoid(input) against the probabilities ``target``, without the log of 0.

    Args:
        input: Logits.
        target: What each should be, in [0, 1], of the logits' shape.
        weight: How much each element counts; None for all alike.
        reduction: "mean", "sum" or "none".
        pos_weight: How much more a target of 1 counts than one of 0.

    Raises ShapeError where the shapes differ.

    >>> binary_cross_entropy_with_logits(np.array([0.0, 1000.0]), np.array([1.0, 1.0])).round(3)
    np.float64(0.347)
    """
    _check_target(input, target, "binary_cross_entropy_with_logits")
    of_one = softplus(-input) if pos_weight is None else softplus(-input) * pos_weight
    losses = target * of_one + (1 - target) * softplus(input)
    return _reduced(losses if weight is None else losses * weight, reduction, "binary_cross_entropy_with_logits")


def mse_loss(input: Array, target: Array, *, reduction: str = "mean") -> Array:
    """The squared error of each element, or their mean or sum. Raises ShapeError where the shapes differ.

    >>> mse_loss(np.array([1.0, 2.0]), np.array([1.0, 5.0]))
    np.float64(4.5)
    """
    _check_target(input, target, "mse_loss")
    return _reduced(np.square(input - target), reduction, "mse_loss")


def _checked(input: Array, target: Array) -> None:
    """`check_labels`, which a compiled step does again at each call, on the labels of that call."""
    values = tuple(x.data if isinstance(x, Tensor) else x for x in (input, target))
    later = next((v.check_later for v in values if hasattr(v, "check_later")), None)
    if later is None:
        check_labels(*values)
    else:
        later(check_labels, values, {})


def cross_entropy(input: Array, target: Array, weight: Array | None = None, *, ignore_index: int | None = None,
                  reduction: str = "mean", label_smoothing: float = 0.0) -> Array:
    """The cross entropy of softmax(input) against labels, with log-sum-exp taken care of.

    Args:
        input: Logits, (N, C), or (C,) of one sample.
        target: Class indices, integers (N,) or (); or a distribution a row, of the logits' shape.
        weight: How much each class counts, (C,); None for all alike.
        ignore_index: The index of samples that do not count, say -100, which PyTorch takes for one unasked.
        reduction: "mean" over the samples, where these are indices by their classes' weights; "sum"; or "none" for one
            loss a sample.
        label_smoothing: How much of each row is spread evenly over the classes, in [0, 1] (Szegedy et al., "Rethinking
            the Inception Architecture" (2016), section 7).

    Returns:
        (), or with "none" one loss a sample, (N,), in nats.

    Raises ShapeError, DTypeError or ArgumentError where the labels do not fit the logits.

    >>> cross_entropy(np.array([[0.0, 0.0], [2.0, 0.0]]), np.array([1, 0]), reduction="none").round(3)
    array([0.693, 0.127])
    """
    if not 0 <= label_smoothing <= 1:
        raise ArgumentError(f"cross_entropy: label_smoothing={label_smoothing!r} is a share, between 0 and 1{here()}")
    if reduction == "mean" and not label_smoothing and weight is None and ignore_index is None:
        return softmax_with_loss(input, target)
    input, target = as_array(input), as_array(target)
    kept: Any = None
    if ignore_index is not None:
        if not are_indices(input, target):
            raise ArgumentError(f"cross_entropy: ignore_index={ignore_index} is for class indices, and labels "
                                f"{np.shape(target)} are one distribution a row{here()}")
        kept = np.not_equal(target, ignore_index)
        target = np.where(kept, target, 0)
        kept = np.reshape(kept, np.shape(input)[:-1])
    _checked(input, target)
    rows = _rows(input, target)
    if weight is not None and np.shape(weight) != np.shape(input)[-1:]:
        raise ShapeError(f"cross_entropy: weight {np.shape(weight)} for logits {np.shape(input)}: give one a class, "
                         f"{np.shape(input)[-1:]}{here()}")
    counts = kept  # how much each sample does in a mean
    if weight is not None and are_indices(input, target):
        of_class = np.sum(rows * weight, axis=-1)
        counts = of_class if kept is None else of_class * kept
    if label_smoothing:
        rows = (rows * (1 - label_smoothing) + label_smoothing / np.shape(input)[-1]).astype(input.dtype)
    parts = weighted(rows, _log_softmax(input))
    losses = -np.sum(parts if weight is None else parts * weight, axis=-1)
    if kept is not None:
        losses = np.where(kept, losses, 0)
    if reduction == "mean" and counts is not None:
        return np.sum(losses) / np.sum(counts, dtype=losses.dtype)
    return _reduced(losses, reduction, "cross_entropy")
