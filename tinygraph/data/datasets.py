"""Any of the data sets by its name, in one form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from tinygraph.core.errors import ArgumentError
from tinygraph.data.digits import load_digits
from tinygraph.data.mnist import load_mnist
from tinygraph.data.spiral import load_spiral

NAMES = ("mnist", "digits", "spiral")


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """A named data set, split in two, with the sizes that a net for it needs.

    x_train, x_test: (N, input_size), or (N, 1, H, W) for unflattened images. t_train, t_test: (N,) int64 labels
    0..classes - 1, or (N, classes) one-hot rows. input_size: how many numbers a sample has.

    >>> load("digits")
    Dataset('digits': 1,437 samples to train on and 360 to test on, input_size=64, classes=10)
    """

    name: str
    x_train: NDArray[Any]
    t_train: NDArray[Any]
    x_test: NDArray[Any]
    t_test: NDArray[Any]
    input_size: int
    classes: int

    def __repr__(self) -> str:
        """Tell the sizes; the arrays themselves would fill pages."""
        return (
            f"Dataset({self.name!r}: {len(self.x_train):,} samples to train on and {len(self.x_test):,} to test on, "
            f"input_size={self.input_size}, classes={self.classes})"
        )


def load(name: str, *, flatten: bool = True, one_hot_label: bool = False, dtype: DTypeLike = np.float32) -> Dataset:
    """Load the data set called ``mnist``, ``digits`` or ``spiral``, its samples scaled to the unit range.

    flatten: images as (N, H * W), not (N, 1, H, W); it says nothing to the spiral. one_hot_label: labels as rows.
    dtype: of the samples and of one-hot rows. Raises ArgumentError for another name, DataError where MNIST is nowhere
    to be had.

    >>> spiral = load("spiral", dtype=np.float64)
    >>> spiral.input_size, spiral.classes, spiral.x_train.dtype
    (2, 3, dtype('float64'))
    """
    if name == "mnist":
        train, test = load_mnist(flatten=flatten, one_hot_label=one_hot_label, dtype=dtype)
    elif name == "digits":
        train, test = load_digits(flatten=flatten, one_hot_label=one_hot_label, dtype=dtype)
    elif name == "spiral":
        train, test = load_spiral(one_hot_label=one_hot_label, dtype=dtype)
    else:
        raise ArgumentError(f"there is no data set {name!r}: choose one of {', '.join(NAMES)}")
    classes = 3 if name == "spiral" else 10
    return Dataset(name, *train, *test, input_size=train[0][0].size, classes=classes)
