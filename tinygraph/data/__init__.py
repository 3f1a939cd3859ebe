"""Data to train on: MNIST, the UCI digits, Saito's spiral; the IDX format; mini-batches that can be saved.

>>> from tinygraph.data import Batches, load
>>> digits = load("digits")
>>> x, t = next(Batches(digits.x_train, digits.t_train, batch_size=100, seed=0))
>>> x.shape, t.shape
((100, 64), (100,))
"""

from tinygraph.data.batches import Batches
from tinygraph.data.datasets import NAMES, Dataset, load
from tinygraph.data.digits import load_digits
from tinygraph.data.idx import parse_idx, read_idx, write_idx
from tinygraph.data.mnist import cache_folder, find_mnist, load_mnist
from tinygraph.data.spiral import load_spiral, make_spiral

__all__ = [
    "NAMES",
    "Batches",
    "Dataset",
    "cache_folder",
    "find_mnist",
    "load",
    "load_digits",
    "load_mnist",
    "load_spiral",
    "make_spiral",
    "parse_idx",
    "read_idx",
    "write_idx",
]
