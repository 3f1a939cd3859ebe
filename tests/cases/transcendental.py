"""Exponentials, logarithms, angles."""

from __future__ import annotations

import numpy as np

from cases.samples import above_one, binary, empty, inside, positive, real, unary
from tinygraph.testing import Case

CASES = {
    "exp": unary(real, True), "expm1": unary(real, True), "exp2": unary(real, True),
    "log": unary(positive, True), "log1p": unary(positive, True), "log2": unary(positive, True),
    "log10": unary(positive, True), "logaddexp": binary(real, real),
    "logaddexp2": binary(real, real),
    "i0": [*unary(real), Case(np.array([0.0, 12.5, -20.0])), Case(real()), Case(empty(0, 2))],
    "i0_derivative": [Case(np.append(real(3), 0.0), 0).against(lambda x, n: np.i0(x)), Case(real(2, 3), 1),
                      Case(real(), 4), Case(empty(0, 2), 1)],
    "sin": unary(real, True), "cos": unary(real, True), "tan": unary(inside, True),
    "arcsin": unary(inside, True), "arccos": unary(inside, True), "arctan": unary(real, True),
    "arctan2": binary(real, real), "hypot": binary(real, real),
    "sinh": unary(real, True), "cosh": unary(real, True), "tanh": unary(real, True),
    "arcsinh": unary(real, True), "arccosh": unary(above_one, True), "arctanh": unary(inside, True),
}
