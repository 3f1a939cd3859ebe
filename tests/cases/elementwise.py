"""Arithmetic, choices, complex parts."""

from __future__ import annotations

import numpy as np

from cases.samples import above_one, binary, cplx, distinct, each, empty, ints, mask, positive, real, unary
from tinygraph.testing import Case

_steps = [Case(np.array([5.3, -5.3, 7.1]), np.array([2.0, 2.0, -3.0])), Case(np.array([[5.3], [0.7]]), 2.0),
          Case(np.array([[5.3], [-0.7]]), np.array([2.0, -0.4]))]
_gap = np.array([0.08, np.nan, -0.32])
_bad = np.array([0.5, np.nan, np.inf, -np.inf, -1.5])

CASES = {
    "add": binary(real, real, True), "subtract": binary(real, real, True), "multiply": binary(real, real, True),
    "divide": binary(real, positive, True), "power": [*binary(positive, real, True), Case(real(3), 2), Case(real(3), 3),
                                                      Case(real(3), 1), Case(real(3), 0), Case(above_one(3), -2.0)],
    "float_power": [*binary(positive, real, True), Case(real(3), 2), Case(above_one(3), -2.0)],
    **each("remainder fmod", _steps),
    # The other of their two results is a whole number, to which no gradient flows.
    "divmod": [case.read(lambda results: results[1]) for case in _steps],
    "modf": [Case(x).read(lambda results: results[0]) for x in (
        np.array([[5.3, -5.3], [0.7, -0.2]]), np.array([1, -2]), np.array([True]), np.array(7, np.uint8))],
    "frexp": [Case(np.array([[5.3, -5.3], [0.7, -0.2]])).read(lambda results: results[0])],
    "ldexp": [Case(real(2, 3), ints(5, 3) - 2), Case(real(2), 3), Case(real(), ints(3, 2))],
    "fabs": unary(real), "cbrt": [*unary(positive), Case(-positive(3))],
    "deg2rad": unary(real), "rad2deg": unary(real),
    "sinc": [*unary(real, True), Case(np.array([0.0, 1e-3, 1.0, -2.0]))],
    "sinc_derivative": [Case(np.append(real(3), [0.0, 9.3]), n).against(lambda x, n, f=f: f(np.pi * x)) for n, f in [
        (0, lambda u: np.sinc(u / np.pi)),
        (1, lambda u: np.pi * np.divide(u * np.cos(u) - np.sin(u), u * u, out=0 * u, where=u != 0)),
        ]] + [Case(real(2, 3), 2), Case(real(), 5), Case(cplx(2), 1), Case(empty(0, 2), 3)],
    "floor_divide": [Case(np.array([5.3, -5.3]), np.array([2.0, 2.0]))],
    "maximum": [Case(distinct(2, 3), distinct(2, 3) + 0.05), Case(distinct(4), 0.0)],
    "minimum": [Case(distinct(2, 3), distinct(2, 3) + 0.05), Case(distinct(4), 0.0)],
    **each("fmax fmin", [Case(distinct(2, 3), distinct(2, 3) + 0.05), Case(distinct(4), 0.0),
                         Case(_gap, distinct(2, 3)), Case(distinct(2, 3), _gap + 0.02)]),
    "heaviside": [Case(real(2, 3), real(2, 3)), Case(np.array([-1, 0, 0, 2]), real(4)), Case(real(3), 0.5)],
    "copysign": binary(real, real),
    # Beside the largest number of all, which stands for infinity, differences of the others are lost.
    "nan_to_num": [Case(_bad).without("first order", "second order"), Case(_bad, True, 3.0, 1e3, -1e3),
                   Case(_bad, nan=np.array(7.0), posinf=2.0, neginf=np.array(0)), Case(real()), Case(np.array([1, 2])),
                   Case(np.array([complex(0.5, np.nan), complex(np.inf, 1.5), -2 - 1j]), posinf=9.0),
                   Case(empty(0, 2))],
    "negative": unary(real, True), "positive": unary(real, True), "absolute": unary(real, True),
    "sign": unary(real, True), "real_if_close": [Case(cplx(3)), Case(real(2, 3)), Case(
        np.array([1 + 1e-15j, 2])).without("first order", "second order")],  # a step makes it complex
    "angle": [*unary(real, True), Case(cplx(3), True), Case(cplx()), Case(empty(0, 2))],
    "square": unary(real, True), "reciprocal": unary(real, True), "sqrt": unary(positive, True),
    "conj": unary(real, True),
    "real": [*unary(real, True), Case(np.array(1 + 2j)), Case(empty(2, 0))],
    "imag": [*unary(real, True), Case(np.array(1 + 2j)), Case(empty(2, 0))],
    "sigmoid": [Case(x).against(lambda x: 1 / (1 + np.exp(-x))) for x in (
        real(2, 3), real(), np.array([1 + 2j, -3 + 1j, 0.5 - 4j]), empty(0, 2))],
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
