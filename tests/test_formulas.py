"""The formulas on the cards against the rules: read, worked out on single numbers, each must give what its rule gives.

So it is for the elementwise families. For products, factors and sums of matrices the formula stands here a second time,
in NumPy. What is left, such as scatter(g), says nothing that could be worked out.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from cases import CASES

import tinygraph as tg
from tinygraph.ask.derive.tex import Atom, Fraction, Root, Script, parse
from tinygraph.core.kinds import Constant
from tinygraph.core.op import OPS
from tinygraph.render.formula import parse as read
from tinygraph.render.formula import plain as drawn

special = pytest.importorskip("scipy.special", reason="SciPy is not installed: pip install 'tinygraph[scipy]'")

FAMILIES = {"elementwise", "transcendental", "choice", "complex", "special", "gamma", "bessel"}
ELEMENTWISE = sorted(name for name, op in OPS.items() if op.function.__module__.rpartition(".")[2] in FAMILIES
                     and not isinstance(op, Constant) and any(op.tex))

FUNCTIONS = {
    **{name: getattr(np, name) for name in ["log", "exp", "sin", "cos", "sinh", "cosh", "sign", "trunc"]},
    "φ": lambda x: np.exp(-x * x / 2) / np.sqrt(2 * np.pi), "Φ": special.ndtr, "σ": special.expit,
    "Γ": special.gamma, "ζ": special.zeta, "B": special.beta, "ψ": special.digamma,
}
OF_ORDER = {"J": special.jv, "Y": special.yv, "I": special.iv, "K": special.kv}
DERIVATIVES = {"ψ": special.polygamma, "sinc": lambda n, x: tg.sinc_derivative(x, int(n)),
               "I0": lambda n, x: tg.i0_derivative(x, int(n))}
OF_REAL_NUMBERS = {"sign", "absolute", "nan_to_num", "sinc_derivative"}
"""Of a complex number their derivative is not what the formula says."""
RELATIONS = {">": np.greater, "<": np.less, "=": np.equal, "≤": np.less_equal}


class Reader:
    """Works a formula out, from left to right; what stands side by side is multiplied."""

    def __init__(self, row, letters):
        self.row, self.letters, self.at = list(row), letters, 0

    def all(self):
        value = self.sum()
        assert self.at == len(self.row), f"{self.row[self.at:]} is left over"
        return value

    def within(self, row):
        return Reader(row, self.letters).all()

    def taken(self, *texts):
        """The next piece's text, if it is one of these."""
        piece = self.row[self.at] if self.at < len(self.row) else Atom("", "end")
        text = piece.text if isinstance(piece, Atom) else "a factor"
        self.at += text in texts
        return text if text in texts else None

    def sum(self):
        value = -self.product() if self.taken("−") else self.product()
        while sign := self.taken("+", "−"):
            value = value + self.product() if sign == "+" else value - self.product()
        return value

    def product(self):
        value = self.factor()
        while self.at < len(self.row):
            piece = self.row[self.at]
            closes = piece.base if isinstance(piece, Script) else piece
            if isinstance(closes, Atom) and closes.text in {*"+−)],|⌋", *RELATIONS}:
                break
            if self.taken("/"):
                value = value / self.factor()
            else:
                self.taken("⊙", "·")
                value = value * self.factor()
        return value

    def factor(self):
        piece = self.row[self.at]
        self.at += 1
        if isinstance(piece, Fraction):
            return self.within(piece.above) / self.within(piece.below)
        if isinstance(piece, Root):
            return np.sqrt(self.within(piece.inside))
        if isinstance(piece, Script):
            return self.scripted(piece)
        if piece.text in ("(", "|", "⌊"):
            change = {"|": abs, "⌊": np.floor}.get(piece.text, lambda x: x)
            return self.closed({"(": ")", "|": "|", "⌊": "⌋"}[piece.text], change)
        if piece.text == "[":
            return self.condition()
        if piece.text in self.letters and piece.kind != "t":  # a letter that stands upright is a function
            return self.letters[piece.text]
        if self.taken("'"):
            return DERIVATIVES[piece.text](1, *self.arguments())
        return FUNCTIONS[piece.text](*self.arguments()) if piece.text in FUNCTIONS else float(piece.text)

    def scripted(self, piece):
        """A name with an index, or a power, or a function's order or derivative."""
        name = piece.base.text
        if piece.below is not None and f"{name}_{plain(piece.below)}" in self.letters:
            value = self.letters[f"{name}_{plain(piece.below)}"]
        elif piece.below is not None:
            order = self.within(piece.below)
            if piece.above is not None:
                return DERIVATIVES[f"{name}{order:.0f}"](self.within(piece.above), *self.arguments())
            return OF_ORDER[name](order, *self.arguments())
        elif name in DERIVATIVES:
            return DERIVATIVES[name](self.within(piece.above), *self.arguments())
        else:
            value = self.within((piece.base,))
        return self.raised(value, piece.above)

    def raised(self, value, exponent):
        if exponent is None:
            return value
        return np.conj(value) if plain(exponent) == "*" else value ** self.within(exponent)

    def arguments(self):
        """Of a function: in brackets, or the one factor that follows."""
        if not self.taken("("):
            return [self.factor()]
        values = [self.sum()]
        while self.taken(","):
            values.append(self.sum())
        assert self.taken(")")
        return values

    def closed(self, end, change):
        """What a bracket holds; an exponent stands on its closing half."""
        value = change(self.sum())
        closing = self.row[self.at]
        self.at += 1
        if isinstance(closing, Script):
            assert closing.base.text == end
            return self.raised(value, closing.above)
        assert closing.text == end
        return value

    def condition(self):
        if plain(self.row[self.at:self.at + 2]).endswith(" finite"):
            value = 1.0 * np.isfinite(self.letters[self.row[self.at].text])
            self.at += 2
        else:
            value, left = 1.0, self.sum()
            while relation := self.taken(*RELATIONS):
                right = self.sum()
                value, left = value * RELATIONS[relation](left, right), right
        assert self.taken("]")
        return value


def plain(row):
    return "".join(getattr(piece, "text", "") for piece in row)


def left_out(name, case):
    """Whether a case is one that the formula does not speak of."""
    first = [a.ravel()[0] for a in case.arrays]
    return {"angle": len(case.args) > 1,  # in degrees
            "clip": len(first) > 2 and first[1] > first[2],  # bounds that cross
            "log_ndtr": np.min(case.arrays[0]) < -30,  # Φ is 0 there to rounding
            }.get(name, name in OF_REAL_NUMBERS and any(a.dtype.kind == "c" for a in case.arrays))


def letters_of(node):
    """What the letters of the card stand for at a node."""
    op, values = node.op, [getattr(parent, "value", parent) for parent in node.parents]
    letters = {"π": math.pi, "i": 1j, "Y": node.value, **dict(zip(op.letters, values, strict=True))}
    letters |= {name.upper(): value for name, value in (node.params or {}).items() if len(name) == 1}
    if op.name == "clip":
        low, high = (values[i] if values[i + 2] is None else values[i + 2] for i in (1, 2))
        letters |= {"min": -np.inf if low is None else low, "max": np.inf if high is None else high}
    return letters


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_a_formula_says_what_the_rule_does(name):
    op, done = OPS[name], 0
    for case in CASES[name]:
        if not case.arrays or not all(a.size for a in case.arrays) or left_out(name, case):
            continue
        leaves = [tg.tensor(a.ravel()[0], requires_grad=a.dtype.kind in "fc") for a in case.arrays]
        small = case.replaced(leaves)
        y = op(*small.args, **small.kwargs)
        if not y.requires_grad:
            continue
        g = np.array(0.7 + 0.4j if y.dtype.kind == "c" else 0.7, y.dtype)
        y.backward(g)
        for position, parent in enumerate(y.node.parents):
            leaf = next((leaf for leaf in leaves if leaf.node is parent and leaf.requires_grad), None)
            if leaf is None or op.rule(position) is None:
                continue
            formula = op.formula(position).replace(r"\frac{\partial L}{\partial Y}", "g")
            found = Reader(parse(formula), letters_of(y.node) | {"g": g}).all()
            found = found if leaf.dtype.kind == "c" else np.real(found)
            np.testing.assert_allclose(found, leaf.grad, rtol=1e-9, atol=1e-14, err_msg=f"{formula} of {case}")
            done += 1
    assert done


def test_a_wrong_formula_is_found_out():
    x = tg.tensor(0.5, requires_grad=True)
    y = np.tanh(x)
    y.backward()
    right, wrong = (Reader(parse(rf"g \odot (1 {sign} Y^2)"), letters_of(y.node) | {"g": 1.0}).all() for sign in "-+")
    assert right == pytest.approx(float(x.grad))
    assert wrong != pytest.approx(float(x.grad))


# --- matrices ---------------------------------------------------------------------------------------------------------

A, B, C = (np.random.default_rng(3).standard_normal(shape) for shape in ((3, 4), (5, 4), (4, 2)))
E = 0.2 * A[:, :3] + np.diag([1.0, 3.0, 5.0])
S = E @ E.T
T = np.transpose


def gaps(w):
    apart = w[None] - w[:, None]
    return np.where(apart == 0, 0, 1 / np.where(apart == 0, 1, apart))


def half_lower(m):
    return (np.tril(m) + np.tril(m, -1)) / 2


def copyltu(m):
    return np.tril(m) + T(np.tril(m, -1))


def sym(m):
    return (m + T(m)) / 2


def pinv(g, y, a):
    return -y.T @ g @ y.T + (np.eye(len(a)) - a @ y) @ g.T @ y @ y.T + y.T @ y @ g.T @ (np.eye(a.shape[1]) - y @ a)


def svd_u(g, y, a):
    u, s, vh = np.linalg.svd(a)
    return u @ (2 * (gaps(s * s) * ((T(u) @ g - T(g) @ u) / 2)) @ np.diag(s)) @ vh


def cond(g, y, a):
    u, s, vh = np.linalg.svd(a)
    return g / s[-1] * (np.outer(u[:, 0], vh[0]) - y * np.outer(u[:, -1], vh[-1]))


def expm(g, y, a):
    scipy = pytest.importorskip("scipy.linalg")
    places, weights = np.polynomial.legendre.leggauss(30)
    return sum(w / 2 * scipy.expm(t * a.T) @ g @ scipy.expm((1 - t) * a.T)
               for t, w in zip((places + 1) / 2, weights, strict=True))


def sums(i, n, term, within):
    return [sum(term(i, j) for j in range(n) if within(i, j)) for i in range(i)]


MATRICES = {
    # what is computed, its arguments, what the card says, and the same in NumPy: f(g, y, *arguments) an argument
    "inner": (np.inner, (A, B), ["∂L/∂Y · B", "(∂L/∂Y)ᵀ · A"], [lambda g, y, a, b: g @ b, lambda g, y, a, b: g.T @ a]),
    "outer": (np.outer, (A[0], B[0]), ["∂L/∂Y · B", "(∂L/∂Y)ᵀ · A"],
              [lambda g, y, a, b: g @ b, lambda g, y, a, b: g.T @ a]),
    "dot": (np.dot, (A, C), ["∂L/∂Y · Bᵀ", "Aᵀ · ∂L/∂Y"], [lambda g, y, a, b: g @ b.T, lambda g, y, a, b: a.T @ g]),
    "inv": (np.linalg.inv, (E,), ["−Yᵀ ∂L/∂Y Yᵀ"], [lambda g, y, a: -y.T @ g @ y.T]),
    "solve": (np.linalg.solve, (E, A), ["−A⁻ᵀ ∂L/∂Y Yᵀ", "A⁻ᵀ ∂L/∂Y"],
              [lambda g, y, a, b: -np.linalg.inv(a).T @ g @ y.T, lambda g, y, a, b: np.linalg.inv(a).T @ g]),
    "pinv": (np.linalg.pinv, (B,), ["−Yᵀ ∂L/∂Y Yᵀ + (1 − A Y)(∂L/∂Y)ᵀ Y Yᵀ + Yᵀ Y(∂L/∂Y)ᵀ(1 − Y A)"], [pinv]),
    "det": (np.linalg.det, (E,), ["∂L/∂Y cof A"], [lambda g, y, a: g * y * np.linalg.inv(a).T]),
    "cholesky": (np.linalg.cholesky, (S,), ["sym(Y⁻ᵀ Φ(Yᵀ ∂L/∂Y) Y⁻¹)"], [
        lambda g, y, a: sym(np.linalg.inv(y).T @ half_lower(y.T @ g) @ np.linalg.inv(y))]),
    "eigvalsh": (np.linalg.eigvalsh, (S,), ["V diag(∂L/∂Y) Vᵀ"], [
        lambda g, y, a: np.linalg.eigh(a)[1] @ np.diag(g) @ np.linalg.eigh(a)[1].T]),
    "svdvals": (np.linalg.svdvals, (E,), ["U diag(∂L/∂Y) Vᵀ"], [
        lambda g, y, a: np.linalg.svd(a)[0] @ np.diag(g) @ np.linalg.svd(a)[2]]),
    "svd": (lambda a: np.linalg.svd(a)[0], (E,), ["U(diag ∂L/∂Y₁ + 2(F ⊙ skew(Uᵀ ∂L/∂Y₀)) S + …) Vᵀ"], [svd_u]),
    "cond": (np.linalg.cond, (E,), ["1/σₙ ∂L/∂Y (u₁ v₁ᵀ − Y uₙ vₙᵀ)"], [cond]),
    "matrix_power": (lambda a: np.linalg.matrix_power(a, 3), (E,), ["Σₖ₌₁ⁿ(Aᵀ)^(k−1) ∂L/∂Y (Aᵀ)^(n−k)"], [
        lambda g, y, a: g @ a.T @ a.T + a.T @ g @ a.T + a.T @ a.T @ g]),
    "expm": (tg.expm, (E,), ["∫₀¹e^(tAᵀ) ∂L/∂Y e^((1−t)Aᵀ) dt"], [expm]),
    "cumprod": (np.cumprod, (A[0],), ["Σ_(j≥i) ∂L/∂Yⱼ Yⱼ/Aᵢ"], [
        lambda g, y, a: sums(4, 4, lambda i, j: g[j] * y[j] / a[i], lambda i, j: j >= i)]),
    "convolve": (np.convolve, (A[0], A[1, :2]), ["Σₙ ∂L/∂Yₙ Vₙ₋ₖ", "Σₙ ∂L/∂Yₙ Aₙ₋ₖ"], [
        lambda g, y, a, v: sums(4, 5, lambda k, n: g[n] * v[n - k], lambda k, n: 0 <= n - k < 2),
        lambda g, y, a, v: sums(2, 5, lambda k, n: g[n] * a[n - k], lambda k, n: 0 <= n - k < 4)]),
    "correlate": (np.correlate, (A[0], A[1, :2]), ["Σₖ ∂L/∂Yₖ Vₙ₋ₖ*", "(Σₖ ∂L/∂Yₖ Aₙ₊ₖ)*"], [
        lambda g, y, a, v: sums(4, 3, lambda n, k: g[k] * v[n - k], lambda n, k: 0 <= n - k < 2),
        lambda g, y, a, v: sums(2, 3, lambda n, k: g[k] * a[n + k], lambda n, k: True)]),
    "log_softmax": (tg.log_softmax, (A[0],), ["∂L/∂Y − exp(Y) Σ ∂L/∂Y"], [lambda g, y, z: g - np.exp(y) * g.sum()]),
    "vector_norm": (lambda x: np.linalg.vector_norm(x, ord=3), (A[0],), ["∂L/∂Y ⊙ sign X ⊙ (|X|/Y)^(p−1)"], [
        lambda g, y, x: g * np.sign(x) * (np.absolute(x) / y) ** 2]),
}


@pytest.mark.parametrize("name", MATRICES)
def test_a_formula_of_matrices_says_what_the_rule_does(name):
    function, arguments, told, worked_out = MATRICES[name]
    assert [drawn(read(OPS[name].formula(i))) for i in range(len(told))] == told
    y, pull = tg.vjp(function, *arguments)
    g = np.random.default_rng(4).standard_normal(np.shape(y))
    for gradient, formula in zip(pull(g), worked_out, strict=True):
        np.testing.assert_allclose(gradient, formula(g, y, *arguments), rtol=1e-9, atol=1e-11)
