"""Exponentials, logarithms, angles."""

from __future__ import annotations

from cases.samples import above_one, binary, inside, positive, real, unary

CASES = {
    "exp": unary(real, True), "expm1": unary(real, True), "exp2": unary(real, True),
    "log": unary(positive, True), "log1p": unary(positive, True), "log2": unary(positive, True),
    "log10": unary(positive, True), "logaddexp": binary(real, real),
    "sin": unary(real, True), "cos": unary(real, True), "tan": unary(inside, True),
    "arcsin": unary(inside, True), "arccos": unary(inside, True), "arctan": unary(real, True),
    "arctan2": binary(real, real), "hypot": binary(real, real),
    "sinh": unary(real, True), "cosh": unary(real, True), "tanh": unary(real, True),
    "arcsinh": unary(real, True), "arccosh": unary(above_one, True), "arctanh": unary(inside, True),
}
