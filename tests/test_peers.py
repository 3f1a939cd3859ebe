"""The same cases in JAX and PyTorch, where they are installed: values, gradients, and the gradients' gradients.

A peer's function is found by NumPy's name, unless `jax_functions` or `torch_functions` has it. What a peer does not
take is passed over; where it takes it and gives something else, `DIFFERENCES` says what, as docs/derivatives.md does.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import warnings
from pathlib import Path

import numpy as np
import pytest
from cases import CASES

import tinygraph as tg
from tinygraph.core.kinds import Constant
from tinygraph.core.op import COMPOSED, OPS
from tinygraph.testing.trial import Trial, several, weighted_sum

ALL = {name: op for name, op in (OPS | COMPOSED).items() if name in CASES and not isinstance(op, Constant)}


class Refused(Exception):
    """The peer does not take this call: another signature, dtype or shape."""


# --- the peers --------------------------------------------------------------------------------------------------------

class Jax:
    """JAX, in double precision; its convention for complex numbers is ours."""

    roots = {"numpy": "jax.numpy", "scipy": "jax.scipy"}

    def __init__(self):
        os.environ.setdefault("JAX_PLATFORMS", "cpu")
        os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")  # compiling is what takes the time
        self.jax = pytest.importorskip("jax", reason="JAX is not installed: pip install 'tinygraph[peers]'")
        self.jax.config.update("jax_enable_x64", True)
        self.module = self.jax.numpy
        self.functions = jax_functions(self.jax)

    def array(self, a):
        return self.jax.numpy.asarray(a)

    def is_inexact(self, y):
        return self.jax.numpy.issubdtype(y.dtype, self.jax.numpy.inexact)

    def vjp(self, f, xs):
        def pull(xs, gs):
            return self.jax.vjp(f, xs)[1](gs)[0]
        ys = self.jax.jit(f)(xs)  # one compilation in place of one for each operation
        return [np.asarray(y) for y in ys], lambda gs: [
            np.asarray(c) for c in self.jax.jit(pull)(xs, [self.array(g) for g in gs])]

    def second(self, f, xs, gs, weights):
        def total(xs, gs, weights):
            cotangents, = self.jax.vjp(f, xs)[1](gs)
            return sum(self.jax.numpy.sum((c * w).real) for c, w in zip(cotangents, weights, strict=True))
        given = ([self.array(a) for a in arrays] for arrays in (gs, weights))
        return [np.asarray(c) for c in self.jax.jit(self.jax.grad(total))(xs, *given)]


class Torch:
    """PyTorch, whose gradients of complex numbers are the conjugates of ours."""

    roots = {"numpy": "torch", "scipy": "torch", "scipy.special": "torch.special"}

    def __init__(self):
        self.torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'tinygraph[peers]'")
        self.torch.set_default_dtype(self.torch.float64)
        self.module = self.torch
        self.functions = torch_functions(self.torch)

    def array(self, a):
        return self.torch.tensor(np.array(a))

    def is_inexact(self, y):
        return y.is_floating_point() or y.is_complex()

    def vjp(self, f, xs):
        for x in xs:
            x.requires_grad_(True)
        ys = f(xs)
        return [y.numpy(force=True) for y in ys], lambda gs: [self._plain(c, x) for c, x in zip(
            self._pull(ys, xs, gs, retain_graph=True), xs, strict=True)]

    def second(self, f, xs, gs, weights):
        for x in xs:
            x.requires_grad_(True)
        cotangents = self._pull(f(xs), xs, gs, create_graph=True)
        total = sum(((c * self.array(w)).sum().real for c, w in zip(cotangents, weights, strict=True) if c is not None),
                    self.torch.zeros(()))
        found = [None] * len(xs)
        if total.requires_grad:
            found = self.torch.autograd.grad(total, xs, allow_unused=True)
        return [self._plain(None if c is None else c.conj(), x) for c, x in zip(found, xs, strict=True)]

    def _pull(self, ys, xs, gs, **options):
        kept = [(y, self.array(g).conj()) for y, g in zip(ys, gs, strict=True) if y.requires_grad]
        if not kept:
            return [None] * len(xs)
        found = self.torch.autograd.grad([y for y, _ in kept], xs, [g for _, g in kept], allow_unused=True, **options)
        return [None if c is None else c.conj() for c in found]

    def _plain(self, c, x):
        return np.zeros(x.shape) if c is None else c.numpy(force=True)


def jax_functions(jax):
    jnp = jax.numpy

    def both(v):
        return (v, v) if isinstance(v, int) else v

    def conv2d(x, w, bias=None, stride=1, padding=0, dilation=1, groups=1):
        padding = padding.upper() if isinstance(padding, str) else [(p, p) for p in both(padding)]
        y = jax.lax.conv_general_dilated(x, w, both(stride), padding, rhs_dilation=both(dilation),
                                         feature_group_count=groups)
        return y if bias is None else y + bias[:, None, None]

    return {
        "relu": jax.nn.relu, "sigmoid": jax.nn.sigmoid, "softmax": jax.nn.softmax, "log_softmax": jax.nn.log_softmax,
        "logsumexp": jax.scipy.special.logsumexp,
        "getitem": lambda x, index: x[index], "setitem": lambda x, index, v: x.at[index].set(v),
        "scatter_add": lambda v, index, shape: jnp.zeros(shape, v.dtype).at[index].add(v),
        "astype": lambda x, dtype, copy=True: x.astype(dtype),
        "affine": lambda x, w, b: x @ w + b, "add_bias": lambda x, b: x + b, "conv2d": conv2d,
    }


def torch_functions(torch):
    def each_axis(f):
        """Over one axis after the other, since PyTorch takes one."""
        def over(x, axis=None, keepdims=False):
            axes = range(x.ndim) if axis is None else np.atleast_1d(axis)
            for i in sorted((int(i) % x.ndim for i in axes), reverse=True):
                x = f(x, i, keepdims)
            return x
        return over

    def spread(f):
        return lambda x, axis=None, ddof=0, keepdims=False: f(x, dim=axis, correction=ddof, keepdim=keepdims)

    return {
        "relu": torch.relu, "sigmoid": torch.sigmoid, "softmax": lambda x, axis=-1: torch.softmax(x, axis),
        "log_softmax": lambda x, axis=-1: torch.log_softmax(x, axis), "power": torch.pow,
        "logsumexp": each_axis(torch.logsumexp), "max": torch.amax, "min": torch.amin, "prod": each_axis(torch.prod),
        "var": spread(torch.var), "std": spread(torch.std),
        "getitem": lambda x, index: x[index],
        "astype": lambda x, dtype, copy=True: x.to(getattr(torch, np.dtype(dtype).name)),
        "transpose": lambda x, axes=None: x.permute(*(axes or range(x.ndim)[::-1])),
        "split": torch.tensor_split, "affine": lambda x, w, b: x @ w + b, "add_bias": lambda x, b: x + b,
        "flip": lambda x, axis=None: torch.flip(x, list(range(x.ndim) if axis is None else np.atleast_1d(axis))),
        "meshgrid": lambda *xs, indexing="xy": torch.meshgrid(*xs, indexing=indexing),
        "qr": lambda a, mode="reduced": tuple(torch.linalg.qr(a, mode))[mode == "r":],
        "conv2d": torch.nn.functional.conv2d, "max_pool2d": torch.nn.functional.max_pool2d,
        "avg_pool2d": torch.nn.functional.avg_pool2d,
    }


PEERS = {"jax": Jax, "torch": Torch}


@pytest.fixture(scope="module", params=PEERS)
def peer(request):
    made = PEERS[request.param]()
    made.name = request.param
    return made


# --- what they do otherwise -------------------------------------------------------------------------------------------

def over_no_axis(case):
    return case.kwargs.get("axis", None) in ((), [])


def is_singular(case):
    a = case.args[0]
    return a.size > 0 and bool(np.any(np.linalg.matrix_rank(a) < a.shape[-1]))


def has_zero(case):
    return any(not np.all(a) for a in case.arrays)


def is_complex(case):
    return any(a.dtype.kind == "c" for a in case.arrays)


def at_an_element(case):
    """Whether a quantile falls upon an element, between whose two slopes NumPy takes one."""
    a, q = (np.asarray(x) for x in case.args[:2])
    place = q * ((a.size if case.kwargs.get("axis") is None else 0) - 1)
    return bool(np.any(place == np.floor(place)))


def always(case):
    return True


DIFFERENCES = [
    ("torch", "sum mean var std max min nansum", over_no_axis, "**PyTorch**: `axis=()` means all axes."),
    ("torch", "median nanmedian", always, "**PyTorch**: `median` of an even number of elements is the lower of two."),
    ("torch jax", "det", is_singular,
     "**PyTorch, JAX**: the gradient of `det` at a singular matrix (JAX: the second derivative) is wrong."),
    ("torch", "svd", lambda case: case.args[1:] == (True,),
     "**PyTorch**: the vectors that `svd` adds with `full_matrices=True` have no derivative."),
    ("torch", "ldexp", lambda case: np.min(case.args[1]) < 0,
     "**PyTorch**: the gradient of `ldexp` with a negative exponent is 0."),
    ("torch", "sinc", has_zero, "**PyTorch**: the second derivative of `sinc` at 0 is NaN."),
    ("torch jax", "quantile nanquantile percentile nanpercentile", at_an_element,
     "**PyTorch, JAX**: `quantile` has derivative 0 in q where it falls upon an element; here that of one side."),
    ("torch", "linspace logspace geomspace", always, "**PyTorch**: `linspace` has no derivative in its ends."),
    ("torch jax", "lstsq", always, "**PyTorch, JAX**: `lstsq` gives other residuals than NumPy's."),
    ("jax", "arccosh", is_complex,
     "**JAX**: the gradient of `arccosh` at a complex number with a negative real part has the wrong sign."),
    ("jax", "sign", is_complex, "**JAX**: `sign` of a complex number has derivative 0; here that of z/|z|."),
    ("jax", "vander", has_zero, "**JAX**: the gradient of `vander` at 0 is NaN."),
    ("jax", "nanstd", always,
     "**JAX**: the gradient of `norm`, `std` and `nanstd` where they are 0 is NaN; here it is 0."),
]


PAGE = (Path(__file__).parents[1] / "docs" / "derivatives.md").read_text(encoding="utf-8")


def test_the_differences_stand_in_the_docs():
    assert [sentence for _, _, _, sentence in DIFFERENCES if sentence not in " ".join(PAGE.split())] == []


def max_pooled(m, x):
    """The one maximum of a window of two, by what stands for max_pool2d in each of the three."""
    if m is np or hasattr(m, "max_pool2d"):
        return (tg if m is np else m).max_pool2d(x.reshape(1, 1, 1, 2), (1, 2))
    lax = importlib.import_module("jax.lax")
    return lax.reduce_window(x, -np.inf, lax.max, (2,), (2,), "VALID")


# Of the docs' table of kinks: f(m, x) for a module m, and where.
KINKS = {
    "`abs` at 0": (lambda m, x: m.abs(x), [0.0]),
    "`max` of two that tie": (lambda m, x: m.max(x), [1.0, 1.0]),
    "`max_pool2d` of two that tie": (max_pooled, [1.0, 1.0]),
    "`maximum(x, 1)` at 1": (lambda m, x: m.maximum(x, m.ones_like(x)), [1.0]),
    "`fmax(x, 1)` at 1": (lambda m, x: m.fmax(x, m.ones_like(x)), [1.0]),
    "`clip(x, 0, 1)` at 0 and 1": (lambda m, x: m.clip(x, 0.0, 1.0), [0.0, 1.0]),
    "`linalg.norm` at (0, 0)": (lambda m, x: m.linalg.norm(x), [0.0, 0.0]),
    "`hypot` at (0, 0)": (lambda m, x: m.hypot(x[0], x[1]), [0.0, 0.0]),
    "`arctan2` at (0, 0)": (lambda m, x: m.arctan2(x[0], x[1]), [0.0, 0.0]),
    "`median` of 1, 2": (lambda m, x: m.median(x), [1.0, 2.0]),
    "`copysign(x, 1)` at 0": (lambda m, x: m.copysign(x, m.ones_like(x)), [0.0]),
    "`prod` of 0, 2, 3": (lambda m, x: m.prod(x), [0.0, 2.0, 3.0]),
    "`sqrt` at 0": (lambda m, x: m.sqrt(x), [0.0]),
    "`logaddexp(x, x)` at -inf": (lambda m, x: m.logaddexp(x, x), [-np.inf]),
}


def documented(what, column):
    line, = (line for line in PAGE.splitlines() if line.startswith(f"| {what} |"))
    return [float(number) for number in line.split("|")[2 + column].split(",")]


@pytest.mark.parametrize("what", KINKS)
def test_the_docs_tell_what_happens_at_a_kink(what):
    f, x = KINKS[what]
    with np.errstate(all="ignore"):
        np.testing.assert_equal(tg.grad(lambda x: f(np, x).sum())(np.array(x)), documented(what, 0))


@pytest.mark.parametrize("what", KINKS)
def test_the_docs_tell_what_a_peer_does_at_a_kink(peer, what):
    f, x = KINKS[what]
    _, pull = peer.vjp(lambda xs: [f(peer.module, xs[0]).sum()], [peer.array(x)])
    np.testing.assert_equal(pull([np.array(1.0)])[0], documented(what, ["torch", "jax"].index(peer.name) + 1))


# --- the comparison ---------------------------------------------------------------------------------------------------

def found(peer, name):
    """The peer's function for an op, or None."""
    if name in peer.functions:
        return peer.functions[name]
    for function in ALL[name].stands_for:
        path = function
        if not isinstance(function, str):
            path = f"{getattr(function, '__module__', None) or 'numpy'}.{function.__name__}"
        module, _, last = path.rpartition(".")
        roots = [root for root in peer.roots if f"{module}.".startswith(f"{root}.")]
        if roots:
            root = max(roots, key=len)
            with contextlib.suppress(ImportError, AttributeError):
                return getattr(importlib.import_module(peer.roots[root] + module[len(root):]), last)
    return None


def close(got, wanted, what, tolerance):
    got, wanted = np.asarray(got), np.zeros(np.shape(got)) if wanted is None else np.asarray(wanted)
    assert got.shape == wanted.shape, what
    if got.size:
        finite = np.where(np.isfinite(wanted), np.absolute(wanted), 0)
        np.testing.assert_allclose(got, wanted, rtol=tolerance, atol=tolerance * max(1.0, finite.max()), err_msg=what)


@contextlib.contextmanager
def refusing():
    """Whatever a peer raises for a call is its refusal."""
    try:
        yield
    except Exception as error:
        raise Refused(f"{type(error).__name__}: {error}"[:200]) from error


class Comparison:
    """One case of one op, here and at the peer's.

    The peer is given the arrays as the case prepares them, and its outputs are read as the case reads them. Of both
    ways the derivatives are taken here, so that the peer's own part is all that is compared.
    """

    def __init__(self, peer, function, trial):
        self.peer, self.trial, self.case = peer, trial, trial.case
        self.prepared = self.case.prepare or (lambda a: a)
        self.given = [np.asarray(self.prepared(a)) for a in trial.arrays]
        self.kept = [i for i in trial.wrt if self.given[i].dtype.kind in "fc"]
        self.answer = trial.call(trial.arrays, read=False)
        self.outputs = [np.asarray(y) for y in several(self.answer)]
        self.places = [k for k, y in enumerate(self.outputs) if y.dtype.kind in "fc"]

        def f(xs):
            arrays = (xs[self.kept.index(i)] if i in self.kept else peer.array(a) for i, a in enumerate(self.given))
            return [y for y in several(self.case.called(function, lambda _: next(arrays))) if peer.is_inexact(y)]
        self.f = f

    @property
    def xs(self):
        return [self.peer.array(self.given[i]) for i in self.kept]

    def read(self, *ys):
        """What the case reads of the floating outputs."""
        filled = list(self.outputs)
        for y, k in zip(ys, self.places, strict=True):
            filled[k] = y
        answer = filled[0]
        if isinstance(self.answer, tuple | list):
            answer = type(self.answer)(*filled) if hasattr(self.answer, "_fields") else type(self.answer)(filled)
        return floating(self.case.reader(answer) if self.case.reader else answer)

    def run(self):
        with refusing():
            ys, pull = self.peer.vjp(self.f, self.xs)
        assert len(ys) == len(self.places)
        if self.case.reader is None:  # else they are defined up to a phase, say
            for y, k in zip(ys, self.places, strict=True):
                close(y, self.outputs[k], "value", 1e-9)
        leaves = self.trial.tensors(self.trial.arrays)
        here = floating(self.trial.call(leaves))
        there, back = tg.vjp(self.read, *ys)
        seeds = [self.trial.like(z) for z in there]
        gs = back(seeds)
        with refusing():
            cotangents = pull(gs)
        weighted_sum(here, [tg.tensor(seed) for seed in seeds]).backward(create_graph=True)
        first = [leaves[i].grad for i in self.kept]
        for i, c, wanted in zip(self.kept, cotangents, first, strict=True):
            c, = tg.vjp(self.prepared, self.trial.arrays[i])[1](c)
            close(c, None if wanted is None else wanted.data, f"gradient in array {i}", 1e-8)
        if not (self.case.prepare or self.case.reader or "second order" in self.case.skip):
            self.second_order(leaves, first, gs)

    def second_order(self, leaves, first, gs):
        weights = [self.trial.like(self.given[i]) for i in self.kept]
        with refusing():
            seconds = self.peer.second(self.f, self.xs, gs, weights)
        for i in self.kept:
            leaves[i].zero_grad()
        total = weighted_sum(first, weights)
        if isinstance(total, tg.Tensor) and total.requires_grad:
            total.backward()
        for i, c in zip(self.kept, seconds, strict=True):
            close(c, leaves[i].grad, f"second derivative in array {i}", 1e-7)


def floating(answer):
    return [y for y in several(answer) if y.dtype.kind in "fc"]


@pytest.mark.parametrize("name", sorted(ALL))
def test_peer(peer, name):
    function = found(peer, name)
    if function is None:
        pytest.skip(f"{peer.name} has no {name}")
    applies = [applies for which, names, applies, _ in DIFFERENCES if peer.name in which and name in names.split()]
    done, refusals = 0, []
    for number, case in enumerate(CASES[name]):
        trial = Trial(ALL[name], case)
        if not trial.wrt or any(differs(case) for differs in applies):
            continue
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                Comparison(peer, function, trial).run()
            done += 1
        except Refused as refused:
            refusals.append(str(refused))
        except AssertionError as error:
            raise AssertionError(f"case {number} {case}: {error}") from error
    if not done:
        pytest.skip(f"{peer.name} takes none of the cases of {name}: {refusals[:1]}")


def test_most_ops_are_compared(peer):
    assert sum(found(peer, name) is not None for name in ALL) > 150
