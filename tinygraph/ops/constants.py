"""Functions without a derivative: comparisons, predicates, logic, roundings, places of extremes, counts.

Called with a Tensor they give a Tensor that requires no gradient; nothing is recorded.
"""

from __future__ import annotations

import numpy as np

from tinygraph.core.kinds import constant

__all__ = ["all", "allclose", "any", "argmax", "argmin", "argsort", "around", "array_equal", "array_equiv",
           "bitwise_and", "bitwise_count", "bitwise_invert", "bitwise_left_shift", "bitwise_not", "bitwise_or",
           "bitwise_right_shift", "bitwise_xor", "ceil", "count_nonzero", "diag_indices_from", "empty_like", "equal",
           "fix", "floor", "gcd", "greater", "greater_equal", "invert", "isclose", "iscomplex", "iscomplexobj",
           "isfinite", "isinf", "isnan", "isneginf", "isposinf", "isreal", "isrealobj", "lcm", "left_shift", "less",
           "less_equal", "logical_and", "logical_not", "logical_or", "logical_xor", "nanargmax", "nanargmin", "ndim",
           "nextafter", "nonzero", "not_equal", "ones_like", "result_type", "right_shift", "rint", "round",
           "searchsorted", "shape", "signbit", "size", "spacing", "tril_indices_from", "triu_indices_from", "trunc",
           "zeros_like"]

equal = constant(np.equal, "Whether a and b are equal, elementwise.")
not_equal = constant(np.not_equal, "Whether a and b differ, elementwise.")
less = constant(np.less, "Whether a < b, elementwise.")
less_equal = constant(np.less_equal, "Whether a <= b, elementwise.")
greater = constant(np.greater, "Whether a > b, elementwise.")
greater_equal = constant(np.greater_equal, "Whether a >= b, elementwise.")

logical_and = constant(np.logical_and, "Whether both hold, elementwise.")
logical_or = constant(np.logical_or, "Whether at least one holds, elementwise.")
logical_xor = constant(np.logical_xor, "Whether exactly one holds, elementwise.")
logical_not = constant(np.logical_not, "Whether it does not hold, elementwise.")
bitwise_and = constant(np.bitwise_and, "The bits set in both, elementwise.")
bitwise_or = constant(np.bitwise_or, "The bits set in at least one, elementwise.")
bitwise_xor = constant(np.bitwise_xor, "The bits set in exactly one, elementwise.")
invert = constant(np.invert, "Every bit turned round, elementwise.")

isnan = constant(np.isnan, "Whether it is not a number, elementwise.")
isinf = constant(np.isinf, "Whether it is infinite, elementwise.")
isfinite = constant(np.isfinite, "Whether it is neither infinite nor NaN, elementwise.")
isposinf = constant(np.isposinf, "Whether it is plus infinity, elementwise.")
isneginf = constant(np.isneginf, "Whether it is minus infinity, elementwise.")
isreal = constant(np.isreal, "Whether the imaginary part is zero, elementwise.")
iscomplex = constant(np.iscomplex, "Whether the imaginary part is not zero, elementwise.")
signbit = constant(np.signbit, "Whether the sign is set, elementwise: also for -0.0.")
isclose = constant(np.isclose, "Whether a and b are equal within a tolerance, elementwise.")
allclose = constant(np.allclose, "Whether all of a and b are equal within a tolerance.")
array_equiv = constant(np.array_equiv, "Whether a and b have the same elements once they are broadcast.")
array_equal = constant(np.array_equal, "Whether a and b have the same shape and elements.")
any = constant(np.any, "Whether any element holds, along an axis.")
all = constant(np.all, "Whether all elements hold, along an axis.")
count_nonzero = constant(np.count_nonzero, "How many elements are not zero, along an axis.")

floor = constant(np.floor, "The largest integer not above x, elementwise.")
ceil = constant(np.ceil, "The smallest integer not below x, elementwise.")
trunc = constant(np.trunc, "x without its fraction, elementwise.")
rint = constant(np.rint, "The nearest integer, the even one of two, elementwise.")
round = constant(np.round, "x to a number of decimals, elementwise.")

around = constant(np.around, "x to a number of decimals, elementwise.")
fix = constant(np.fix, "The nearest integer towards zero, elementwise.")
nextafter = constant(np.nextafter, "The next number after a on the way to b, elementwise.")
spacing = constant(np.spacing, "How far the next number is, elementwise.")

gcd = constant(np.gcd, "The greatest common divisor of two integers, elementwise.")
lcm = constant(np.lcm, "The lowest common multiple of two integers, elementwise.")
left_shift = constant(np.left_shift, "The bits of an integer moved up by a number of places, elementwise.")
right_shift = constant(np.right_shift, "The bits of an integer moved down by a number of places, elementwise.")
bitwise_count = constant(np.bitwise_count, "How many bits of an integer are set, elementwise.")

argmax = constant(np.argmax, "The place of the first largest element, along an axis.")
argmin = constant(np.argmin, "The place of the first smallest element, along an axis.")
argsort = constant(np.argsort, "The places of the elements in rising order, along an axis.")
nanargmax = constant(np.nanargmax, "The place of the first largest element that is a number, along an axis.")
nanargmin = constant(np.nanargmin, "The place of the first smallest element that is a number, along an axis.")
nonzero = constant(np.nonzero, "The places of the elements that are not zero, one array an axis.")
searchsorted = constant(np.searchsorted, "Where elements would go in a sorted array.")

zeros_like = constant(np.zeros_like, "Zeros of another array's shape and dtype.")
ones_like = constant(np.ones_like, "Ones of another array's shape and dtype.")
empty_like = constant(np.empty_like, "An array of another's shape and dtype, not filled.")

shape = constant(np.shape, "The sizes of the axes.")
ndim = constant(np.ndim, "The number of axes.")
size = constant(np.size, "The number of elements, or the size of an axis.")
result_type = constant(np.result_type, "The dtype that NumPy's promotion gives for these operands.")
iscomplexobj = constant(np.iscomplexobj, "Whether the dtype is complex.")
isrealobj = constant(np.isrealobj, "Whether the dtype is not complex.")

diag_indices_from = constant(np.diag_indices_from, "The places on the diagonal of an array, one array an axis.")
tril_indices_from = constant(np.tril_indices_from, "The places on and below a diagonal of a matrix.")
triu_indices_from = constant(np.triu_indices_from, "The places on and above a diagonal of a matrix.")

# NumPy's other names.
bitwise_not = bitwise_invert = invert
bitwise_left_shift, bitwise_right_shift = left_shift, right_shift
