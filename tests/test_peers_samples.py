"""PyTorch's own sample inputs, a dozen to hundreds an op, through tinygraph's public names: values and derivatives.

They are those of PyTorch's ``op_db``, by which it tests itself: shapes that broadcast, empty and 0-d arrays, every axis
and mode, singular matrices. Nobody here has chosen them. What NumPy refuses, and what is no function of NumPy's, is
passed over; what the two give otherwise is in `OTHERWISE`, and in docs/derivatives.md.
"""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from test_peers import Torch, close

import tinygraph as tg

pytestmark = pytest.mark.long

# PyTorch's name, and ours where that is another one. A dot leads into linalg, fft or scipy.special.
WORDS = """
    abs acos acosh add asin asinh atan atan2 atanh conj copysign cos cosh deg2rad exp exp2 expm1 fmax fmin float_power
    hypot imag log log10 log1p log2 logaddexp logaddexp2 maximum minimum mul:multiply neg:negative positive pow rad2deg
    real reciprocal remainder sigmoid sin sinc sinh sqrt square sub:subtract tan tanh true_divide matmul inner outer
    kron vdot dot mv:matvec mm:matmul bmm:matmul angle fliplr flipud ravel trace diagonal diag diagflat tril triu roll
    take cumsum cumprod sum mean prod amax amin nansum nanmean logsumexp quantile nanquantile stack movedim:moveaxis
    transpose:swapaxes unsqueeze:expand_dims trapezoid linalg.inv linalg.det linalg.slogdet linalg.pinv linalg.eigvalsh
    linalg.svdvals linalg.cholesky linalg.matrix_power linalg.multi_dot linalg.norm linalg.vector_norm linalg.cross
    linalg.tensorinv linalg.vecdot fft.fft fft.ifft fft.rfft fft.irfft fft.hfft fft.ihfft fft.fft2 fft.ifft2 fft.rfft2
    fft.irfft2 fft.fftn fft.ifftn fft.rfftn fft.irfftn fft.fftshift fft.ifftshift erf:special.erf erfc:special.erfc
    erfinv:special.erfinv lgamma:special.gammaln digamma:special.digamma xlogy:special.xlogy logit:special.logit
    special.entr special.erfcx special.i0e special.i1 special.i1e special.log_ndtr special.ndtr special.ndtri
    special.xlog1py
"""
NAMES = {name: ours or name for name, _, ours in (word.partition(":") for word in WORDS.split())}
KEYWORDS = {"dim": "axis", "keepdim": "keepdims", "interpolation": "method"}
ORDER = {"sum": ["axis", "keepdims"], "mean": ["axis", "keepdims"], "prod": ["axis", "keepdims"],
         "logsumexp": ["axis", "keepdims"], "quantile": ["q", "axis", "keepdims"]}
"""Names of what PyTorch takes by position and NumPy has elsewhere."""

OTHERWISE = {
    "add sub": lambda input, args, kwargs: kwargs.get("alpha", 1) != 1,
    "sum mean prod amax amin nansum nanmean":
        lambda input, args, kwargs: kwargs.get("dim", args[:1]) in ([], (), ([],)),
    "cumsum cumprod": lambda input, args, kwargs: input.ndim == 0,
    "linalg.cholesky": lambda input, args, kwargs: input.is_complex(),
    "linalg.pinv": lambda input, args, kwargs: args or kwargs.get("atol") is not None,
    "logit": lambda input, args, kwargs: args or kwargs,
}


@pytest.fixture(scope="module")
def peer():
    return Torch()


def function(name):
    """Ours, called as PyTorch's is."""
    *spaces, last = NAMES[name].split(".")
    space = {"linalg": tg.linalg, "fft": tg.fft, "special": tg.scipy.special}[spaces[0]] if spaces else tg

    def call(x, *args, **kwargs):
        order = ORDER.get(last, [])
        kwargs = {KEYWORDS.get(key, key): value for key, value in kwargs.items()}
        kwargs |= dict(zip(order, args, strict=False))
        if isinstance(kwargs.get("axis"), list):
            kwargs["axis"] = tuple(kwargs["axis"])
        return getattr(space, last)(x, *args[len(order):], **kwargs)
    return call


class Sample:
    """One sample input, with what tensors it holds taken out."""

    def __init__(self, peer, sample):
        from torch.utils._pytree import tree_flatten
        self.peer, self.torch = peer, peer.torch
        self.leaves, self.structure = tree_flatten((sample.input, sample.args, sample.kwargs))
        self.places = [i for i, x in enumerate(self.leaves) if isinstance(x, self.torch.Tensor) and x.requires_grad]
        self.arrays = [x.numpy(force=True) if isinstance(x, self.torch.Tensor)
                       else np.dtype(str(x).split(".")[1]) if isinstance(x, self.torch.dtype) else x
                       for x in self.leaves]

    def called(self, f, leaves, xs):
        """What f gives, in a list, with other values in the places that are differentiated in."""
        from torch.utils._pytree import tree_leaves, tree_unflatten
        filled = dict(zip(self.places, xs, strict=True))
        x, args, kwargs = tree_unflatten([filled.get(i, leaf) for i, leaf in enumerate(leaves)], self.structure)
        return tree_leaves(f(x, *args, **kwargs))

    def compare(self, op, ours):
        def theirs(xs):
            return [y for y in self.called(op, self.leaves, xs) if self.peer.is_inexact(y)]

        def f(*xs):
            return [y for y in self.called(ours, self.arrays, xs) if np.result_type(y).kind in "fc"]
        given = [self.arrays[i] for i in self.places]
        ys, pull = self.peer.vjp(theirs, [self.leaves[i].detach().clone() for i in self.places])
        zs, back = tg.vjp(f, *given)
        assert len(zs) == len(ys)
        rng = np.random.default_rng(0)
        gs, weights = ([random_like(rng, a) for a in arrays] for arrays in (zs, given))
        for k, (y, z) in enumerate(zip(ys, zs, strict=True)):
            close(z, y, f"value {k}", 1e-8)
        for k, (c, wanted) in enumerate(zip(back(gs), pull(gs), strict=True)):
            close(c, wanted, f"gradient {k}", 1e-8)
        if op.supports_gradgrad:
            def weighted(*xs):
                return sum(np.sum(np.real(c * w)) for c, w in zip(tg.vjp(f, *xs)[1](gs), weights, strict=True))
            seconds = tg.grad(weighted, argnums=range(len(given)))(*given)
            xs = [self.leaves[i].detach().clone() for i in self.places]
            for k, (c, wanted) in enumerate(zip(seconds, self.peer.second(theirs, xs, gs, weights), strict=True)):
                close(c, wanted, f"second derivative {k}", 1e-7)


def random_like(rng, a):
    draw = rng.standard_normal((2, *np.shape(a)))
    return np.asarray(draw[0] + 1j * draw[1] if np.iscomplexobj(a) else draw[0])


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("name", NAMES)
def test_samples_of_pytorch(peer, name, dtype):
    database = pytest.importorskip("torch.testing._internal.common_methods_invocations", exc_type=ImportError,
                                   reason="PyTorch's own tests need expecttest: pip install 'tinygraph[peers]'")
    ops = [op for op in database.op_db if op.name == name and getattr(peer.torch, dtype) in op.dtypes
           and op.variant_test_name != "subgradients_at_zero"]
    ours, otherwise = function(name), [f for names, f in OTHERWISE.items() if name in names.split()]
    done = 0
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for op in ops:
            for sample in op.sample_inputs("cpu", getattr(peer.torch, dtype), requires_grad=True):
                if any(f(sample.input, sample.args, sample.kwargs) for f in otherwise):
                    continue
                trial = Sample(peer, sample)
                try:
                    trial.called(ours, trial.arrays, [trial.arrays[i] for i in trial.places])
                except tg.TinygraphError:  # on plain arrays: NumPy refuses
                    continue
                trial.compare(op, ours)
                done += 1
    if not done:
        pytest.skip(f"NumPy takes none of the samples of {name} in {dtype}")
