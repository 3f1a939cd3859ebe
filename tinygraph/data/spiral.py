"""Saito's spiral: points on arms that wind around each other, which no straight line can tell apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import DTypeLike

from tinygraph.core.errors import ArgumentError
from tinygraph.data.arrange import Pair, Pairs, floating, one_hot

if TYPE_CHECKING:
    from numpy.random import Generator

MAX_CLASSES = 11
"""Arms begin 4 rad apart, and 44 rad is seven whole turns: a twelfth would lie on the first."""


def make_spiral(
    seed: int | Generator = 0,
    samples: int = 100,
    classes: int = 3,
    *,
    noise: float = 0.2,
    dtype: DTypeLike = np.float32,
) -> Pair:
    """Generate one shuffled spiral: on arm c the point at radius r is at the angle 4 (c + r) + noise * N(0, 1) rad.

    seed: an integer, or a generator to draw from. samples: how many points an arm has, at the radii 0, 1 / samples, ...
    classes: how many arms, 1..11. noise: the angle's standard deviation, in rad.
    -> x: (samples * classes, 2) of ``dtype``, r (sin, cos) of the angle, within the unit circle
    -> t: (samples * classes,) int64, the arm of each point

    Raises ArgumentError for a count out of range or a negative noise.

    >>> x, t = make_spiral(seed=1, samples=50)
    >>> x.shape, np.bincount(t)
    ((150, 2), array([50, 50, 50]))

    Source: K. Saito, Deep Learning from Scratch 2 (O'Reilly Japan, 2018), section 1.4.1.
    """
    if samples < 1 or not 1 <= classes <= MAX_CLASSES:
        raise ArgumentError(
            f"a spiral has at least 1 sample an arm and 1..{MAX_CLASSES} arms, and was asked for samples={samples}, "
            f"classes={classes}"
        )
    if not noise >= 0:
        raise ArgumentError(f"a spiral's noise is a standard deviation, at least 0, and was given as {noise}")
    rng = np.random.default_rng(seed)
    radius = np.arange(samples) / samples
    arms = np.arange(classes)[:, np.newaxis]
    angle = 4.0 * (arms + radius) + noise * rng.standard_normal((classes, samples))
    points = np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=-1).reshape(-1, 2)
    order = rng.permutation(samples * classes)
    return points.astype(floating(dtype))[order], np.repeat(np.arange(classes, dtype=np.int64), samples)[order]


def load_spiral(
    seed: int | Generator = 0,
    samples: int = 100,
    classes: int = 3,
    one_hot_label: bool = False,
    *,
    noise: float = 0.2,
    dtype: DTypeLike = np.float32,
) -> Pairs:
    """Load a spiral to train on and another to test on: ``(x_train, t_train), (x_test, t_test)``, equally large.

    x: (samples * classes, 2) of ``dtype``. t: (samples * classes,) int64, or one-hot rows (samples * classes, classes).
    The first is `make_spiral` of the same arguments, the second is what the same generator gives next.

    >>> (x_train, t_train), (x_test, t_test) = load_spiral(samples=100, one_hot_label=True)
    >>> x_train.shape, t_test.shape
    ((300, 2), (300, 3))

    Source: as `make_spiral`.
    """
    rng = np.random.default_rng(seed)
    x_train, t_train = make_spiral(rng, samples, classes, noise=noise, dtype=dtype)
    x_test, t_test = make_spiral(rng, samples, classes, noise=noise, dtype=dtype)
    if one_hot_label:
        t_train, t_test = one_hot(t_train, classes, dtype), one_hot(t_test, classes, dtype)
    return (x_train, t_train), (x_test, t_test)
