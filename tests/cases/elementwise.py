"""Arithmetic, choices, complex parts."""

from __future__ import annotations

import numpy as np

from cases.samples import above_one, binary, cplx, distinct, empty, mask, positive, real, unary
from tinygraph.testing import Case

CASES = {
    "add": binary(real, real, True), "subtract": binary(real, real, True), "multiply": binary(real, real, True),
    "divide": binary(real, positive, True), "power": [*binary(positive, real, True), Case(real(3), 2), Case(real(3), 3),
                                                      Case(real(3), 1), Case(real(3), 0), Case(above_one(3), -2.0)],
    "remainder": [Case(np.array([5.3, -5.3, 7.1]), np.array([2.0, 2.0, -3.0])), Case(np.array([[5.3], [0.7]]), 2.0)],
    "floor_divide": [Case(np.array([5.3, -5.3]), np.array([2.0, 2.0]))],
    "maximum": [Case(distinct(2, 3), distinct(2, 3) + 0.05), Case(distinct(4), 0.0)],
    "minimum": [Case(distinct(2, 3), distinct(2, 3) + 0.05), Case(distinct(4), 0.0)],
    "negative": unary(real, True), "positive": unary(real, True), "absolute": unary(real, True),
    "sign": unary(real, True),
    "square": unary(real, True), "reciprocal": unary(real, True), "sqrt": unary(positive, True),
    "conj": unary(real, True),
    "real": [*unary(real, True), Case(np.array(1 + 2j)), Case(empty(2, 0))],
    "imag": [*unary(real, True), Case(np.array(1 + 2j)), Case(empty(2, 0))],
    "sigmoid": [Case(x).against(lambda x: 1 / (1 + np.exp(-x))) for x in (real(2, 3), real(), empty(0, 2))],
    "relu": [Case(x).against(lambda x: x * (x > 0)) for x in (real(2, 3), real(), empty(0, 2))],
    "where": [Case(mask(2, 3), real(2, 3), real(3)), Case(mask(3), real(2, 1), 0.0),
              Case(np.array(True), real(), real()), Case(mask(0, 2), empty(0, 2), real(2)),
              Case(mask(3), cplx(3), real(3))],
    "clip": [Case(distinct(3, 4), -0.26, 0.24), Case(distinct(5), None, 0.0), Case(distinct(5), 0.0, None),
             Case(distinct(2, 3), np.array([-0.21, -0.11, 0.0]), np.array([[0.22], [0.11]])), Case(real(), -3, 3),
             Case(distinct(5), min=-0.06, max=0.12), Case(distinct(3), min=np.array(-0.06), max=np.array([0.03])),
             Case(distinct(5), 0.24, -0.26), Case(empty(0, 2), 0.0, 1.0),
             Case(distinct(3), np.array([0.22, -0.11, 0.01]), np.array(-0.06))],
}
