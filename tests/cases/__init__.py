"""Sample inputs of every op: what `tinygraph.testing.check_op` tries them on, one family a file.

`CASES` has an entry for each op of the registry, several cases where an op has modes. Inputs stay 0.01 away from kinks
and ties; what happens on them is written out in test_ops.py. The 0-d and empty inputs of a NumPy ufunc are made by the
suite itself; other ops have theirs here.
"""

from cases import (
    constants,
    decompositions,
    einsum,
    elementwise,
    fft,
    index,
    linalg,
    loss,
    making,
    matrices,
    nanreduction,
    quantile,
    reduction,
    sampled,
    shape,
    special,
    transcendental,
    windows,
)
from tinygraph.core.op import load_all

load_all()
FAMILIES = (
    elementwise, transcendental, reduction, nanreduction, quantile, shape, linalg, decompositions, einsum, fft, loss,
    special, index, making, matrices, sampled, constants, windows,
)
CASES = {name: cases for family in FAMILIES for name, cases in family.CASES.items()}
