"""What every loader does with its arrays: scale to 0..1, flatten, write labels as one-hot rows."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

from tinygraph.core.errors import ArgumentError, DTypeError

Pair: TypeAlias = tuple[NDArray[Any], NDArray[Any]]
"""(x, t): samples and their labels."""

Pairs: TypeAlias = tuple[Pair, Pair]
"""(x_train, t_train), (x_test, t_test)."""


def floating(dtype: DTypeLike) -> np.dtype[Any]:
    """Give the dtype, if it is one that samples can have; raise DTypeError otherwise.

    >>> floating("float64")
    dtype('float64')
    """
    found = np.dtype(dtype)
    if not np.issubdtype(found, np.floating):
        raise DTypeError(f"samples are floating point numbers, such as float32 or float64, and cannot be {found}")
    return found


def one_hot(labels: NDArray[Any], classes: int, dtype: DTypeLike = np.float32) -> NDArray[Any]:
    """Write each label as a row that is 1 at its class and 0 elsewhere.

    labels: (N,) integers 0..classes - 1  ->  (N, classes). Raises ArgumentError for a label out of range.

    >>> one_hot(np.array([2, 0]), 3)
    array([[0., 0., 1.],
           [1., 0., 0.]], dtype=float32)
    """
    if labels.size and not 0 <= labels.min() <= labels.max() < classes:
        raise ArgumentError(f"labels should be 0..{classes - 1} and are {labels.min()}..{labels.max()}")
    rows = np.zeros((labels.size, classes), dtype=floating(dtype))
    rows[np.arange(labels.size), labels] = 1
    return rows


def arrange(
    images: NDArray[Any],
    labels: NDArray[Any],
    *,
    white: int,
    normalize: bool,
    flatten: bool,
    one_hot_label: bool,
    dtype: DTypeLike,
) -> Pair:
    """Bring images and labels of ten classes into the form that a loader was asked for.

    images: (N, H, W) uint8 0..white  ->  (N, H * W) or (N, 1, H, W), of ``dtype`` 0..1 or as they are
    labels: (N,) uint8 0..9  ->  (N,) int64 or (N, 10) of ``dtype``

    >>> x, t = arrange(np.full((1, 2, 2), 16, dtype=np.uint8), np.array([7], dtype=np.uint8), white=16, normalize=True,
    ...                flatten=True, one_hot_label=False, dtype=np.float64)
    >>> x, t
    (array([[1., 1., 1., 1.]]), array([7]))
    """
    count, height, width = images.shape
    x = images.reshape((count, height * width) if flatten else (count, 1, height, width))
    if normalize:
        x = x.astype(dtype)
        x /= white
    # uint8 labels, as the files hold them, would wrap around in the first t - 1 that somebody writes.
    return x, one_hot(labels, 10, dtype) if one_hot_label else labels.astype(np.int64)
