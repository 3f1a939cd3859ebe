"""The UCI handwritten digits, 1,797 small images that come with the package, so that there is always data."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from tinygraph.data.arrange import Pairs, arrange, floating

TEST_PER_CLASS = 36


def load_digits(
    normalize: bool = True,
    flatten: bool = True,
    one_hot_label: bool = False,
    *,
    dtype: DTypeLike = np.float32,
) -> Pairs:
    """Load the UCI handwritten digits: ``(x_train, t_train), (x_test, t_test)``, 1,437 and 360 images of 8 x 8.

    x: (N, 64) or, unflattened, (N, 1, 8, 8), of ``dtype``, brightness 0..1; without ``normalize`` uint8 0..16
    t: (N,) int64 labels 0..9, or (N, 10) one-hot rows of ``dtype``

    The test images are the last 36 of each class in the file's order, the rest is to train on: always the same split,
    with every class equally often in the test.

    >>> (x_train, t_train), (x_test, t_test) = load_digits()
    >>> x_train.shape, x_test.shape, t_train[:5]
    ((1437, 64), (360, 64), array([0, 1, 2, 3, 4]))

    Source: E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository, 1998,
    https://doi.org/10.24432/C50P49, CC BY 4.0; see digits.LICENSE.md beside this file.
    """
    dtype = floating(dtype)
    images, labels = _read()
    # How many of its own class come after it, for each image: the test set is where that is fewer than 36.
    after = np.cumsum(labels[::-1, np.newaxis] == np.arange(10), axis=0)[::-1]
    test = after[np.arange(labels.size), labels] <= TEST_PER_CLASS
    first, second = (
        arrange(
            images[rows],
            labels[rows],
            white=16,
            normalize=normalize,
            flatten=flatten,
            one_hot_label=one_hot_label,
            dtype=dtype,
        )
        for rows in (~test, test)
    )
    return first, second


def _read() -> tuple[NDArray[Any], NDArray[Any]]:
    """The images (1797, 8, 8) and labels (1797,), uint8, from the package, which may be a zip file."""
    from importlib.resources import files

    with files("tinygraph.data").joinpath("digits.npz").open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        return arrays["images"], arrays["labels"]
