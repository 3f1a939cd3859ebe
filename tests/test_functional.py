"""tg.nn.functional, against its definition and, where it is installed, PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

import tinygraph as tg
from tinygraph.nn import functional as F

RNG = np.random.default_rng(5)
Z, T = RNG.standard_normal((4, 3)), np.array([0, 2, 1, 2])
GAPS = np.array([-100, 2, 1, -100])
SOFT = np.array([[0.2, 0.5, 0.3], [1, 0, 0], [0.25, 0.25, 0.5], [0, 0.1, 0.9]])
W, B = RNG.standard_normal((5, 3)), RNG.standard_normal(5)

CALLS = {
    "linear": (lambda f, z: f.linear(z, W, B), lambda f, z: f.linear(z, W)),
    "softmax": (lambda f, z: f.softmax(z, 0), lambda f, z: f.softmax(z, dim=-1)),
    "log_softmax": (lambda f, z: f.log_softmax(z, 1),),
    "layer_norm": (lambda f, z: f.layer_norm(z, (3,)), lambda f, z: f.layer_norm(z, (4, 3), SOFT, Z),
                   lambda f, z: f.layer_norm(z, [3], W[0], W[1], 0.1)),
    "embedding": (lambda f, z: f.embedding(np.array([[0, 3], [3, 1]]), z),),
    "scaled_dot_product_attention": (
        lambda f, z: f.scaled_dot_product_attention(z[None], z[None] * 2, z[None, :, :2]),
        lambda f, z: f.scaled_dot_product_attention(z[None], z[None] * 2, z[None], is_causal=True),
        lambda f, z: f.scaled_dot_product_attention(z[None], z[None] * 2, z[None], Z @ Z.T > 0),
        lambda f, z: f.scaled_dot_product_attention(z[None], z[None] * 2, z[None], Z @ Z.T, 0.0, False, scale=0.5)),
    "activations": (lambda f, z: f.leaky_relu(z), lambda f, z: f.leaky_relu(z, 0.2), lambda f, z: f.elu(3 * z),
                    lambda f, z: f.elu(1000 * z, 0.5), lambda f, z: f.silu(z), lambda f, z: f.gelu(z),
                    lambda f, z: f.gelu(z, approximate="tanh"), lambda f, z: f.softplus(z),
                    lambda f, z: f.softplus(z, 3)),
    "l1_loss": tuple(lambda f, z, r=r: f.l1_loss(z, SOFT, reduction=r) for r in ("mean", "sum", "none")),
    "binary_cross_entropy_with_logits": tuple(
        lambda f, z, w=w, r=r: f.binary_cross_entropy_with_logits(z, SOFT, *w, reduction=r)
        for w in ((), (np.array([0.5, 2.0, 0.0]),)) for r in ("mean", "sum", "none")),
    "mse_loss": tuple(lambda f, z, r=r: f.mse_loss(z, SOFT, reduction=r) for r in ("mean", "sum", "none")),
    "cross_entropy": tuple(lambda f, z, t=t, r=r, s=s: f.cross_entropy(z, t, reduction=r, label_smoothing=s)
                           for t in (T, SOFT) for r in ("mean", "sum", "none") for s in (0.0, 0.1)),
    "cross_entropy of classes that count": tuple(
        lambda f, z, t=t, i=i, w=w, r=r, s=s: f.cross_entropy(z, t, *w, reduction=r, label_smoothing=s, **i)
        for t, i in ((T, {}), (SOFT, {}), (GAPS, {"ignore_index": -100}), (T, {"ignore_index": 2}))
        for w in ((), (np.array([0.5, 2.0, 0.0]),)) for r in ("mean", "sum", "none") for s in (0.0, 0.1)),
}


class Torch:
    """torch.nn.functional on NumPy's arrays as its other arguments."""

    def __init__(self, torch):
        self.torch = torch

    def __getattr__(self, name):
        function = getattr(self.torch.nn.functional, name)
        return lambda *args, **kwargs: function(
            *(self.torch.tensor(a) if isinstance(a, np.ndarray) else a for a in args), **kwargs)


@pytest.mark.parametrize("name", CALLS)
def test_equal_to_pytorchs(name):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'tinygraph[peers]'")
    for call in CALLS[name]:
        z, theirs = tg.tensor(Z, requires_grad=True), torch.tensor(Z, requires_grad=True)
        ours, wanted = call(F, z), call(Torch(torch), theirs)
        g = RNG.standard_normal(ours.shape)
        ours.backward(g)
        wanted.backward(torch.tensor(g))
        np.testing.assert_allclose(ours.data, wanted.detach().numpy(), rtol=1e-12)
        np.testing.assert_allclose(z.grad, theirs.grad.numpy(), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", CALLS)
def test_derivatives_to_second_order(name):
    for call in CALLS[name]:
        tg.check_grads(lambda z, call=call: call(F, z), Z)
        tg.check_grads(lambda z, call=call: tg.grad(lambda z: (call(F, z) ** 2).sum())(z), Z)


def test_the_rest_of_what_the_functions_say():
    assert F.one_hot(np.array([[1, 0]]), 3).tolist() == [[[0, 1, 0], [1, 0, 0]]]
    weighted = F.binary_cross_entropy_with_logits(Z, SOFT, pos_weight=np.array([2.0, 1.0, 3.0]), reduction="none")
    p = 1 / (1 + np.exp(-Z))
    np.testing.assert_allclose(weighted, -np.array([2.0, 1.0, 3.0]) * SOFT * np.log(p) - (1 - SOFT) * np.log(1 - p))
    with pytest.raises(tg.ShapeError, match=r"layer_norm: the last axes of \(4, 3\) are not \(4,\)"):
        F.layer_norm(Z, 4)
    with pytest.raises(tg.ArgumentError, match="gelu: approximate='sigmoid' is none of"):
        F.gelu(Z, "sigmoid")
    for loss in (F.l1_loss, F.mse_loss, F.binary_cross_entropy_with_logits):
        with pytest.raises(tg.ShapeError, match=rf"{loss.__name__}: \(4, 3\) and a target of \(4,\) differ"):
            loss(Z, T)


@pytest.mark.parametrize("name", CALLS)
def test_compiled_is_the_same(name):
    for call in CALLS[name]:
        step = tg.compile(lambda z, call=call: tg.value_and_grad(lambda z: (call(F, z) ** 2).sum())(z))
        for _ in range(3):
            value, g = step(Z)
        wanted = tg.value_and_grad(lambda z, call=call: (call(F, z) ** 2).sum())(Z)
        np.testing.assert_allclose(value, wanted[0], rtol=1e-12)
        np.testing.assert_allclose(g, wanted[1], rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_cross_entropy_is_its_definition(smoothing):
    p = np.exp(Z) / np.exp(Z).sum(axis=1, keepdims=True)
    rows = np.eye(3)[T] * (1 - smoothing) + smoothing / 3
    each = -(rows * np.log(p)).sum(axis=1)
    for reduction, wanted in (("mean", each.mean()), ("sum", each.sum()), ("none", each)):
        np.testing.assert_allclose(F.cross_entropy(Z, T, reduction=reduction, label_smoothing=smoothing), wanted)
    np.testing.assert_allclose(F.cross_entropy(Z[0], 2, reduction="none", label_smoothing=smoothing),
                               -(rows[T == 2][0] * np.log(p[0])).sum())


def test_samples_that_do_not_count_are_left_out_of_the_mean():
    weight, p = np.array([0.5, 2.0, 4.0]), np.exp(Z) / np.exp(Z).sum(axis=1, keepdims=True)
    each = -np.log(p[[1, 2], [2, 1]])
    np.testing.assert_allclose(F.cross_entropy(Z, GAPS, ignore_index=-100), each.mean())
    np.testing.assert_allclose(F.cross_entropy(Z, GAPS, weight, ignore_index=-100), (4 * each[0] + 2 * each[1]) / 6)
    np.testing.assert_allclose(tg.nn.SoftmaxWithLoss(weight, ignore_index=-100, reduction="none")(Z, GAPS[:, None]),
                               [0, 4 * each[0], 2 * each[1], 0])


def test_a_compiled_loss_checks_the_labels_of_each_call():
    def loss(z, t):
        return F.cross_entropy(z, t, np.array([0.5, 2.0, 4.0]), ignore_index=-100, label_smoothing=0.1)
    compiled = tg.compile(lambda t: loss(tg.tensor(Z, requires_grad=True), t))
    for labels in (T, GAPS, T[::-1].copy()):
        np.testing.assert_allclose(compiled(labels).data, loss(Z, labels))
    with pytest.raises(tg.ArgumentError, match="labels from 0 to 3"):
        compiled(T + (T == 2))


def test_a_float32_loss_stays_float32():
    z = Z.astype(np.float32)
    assert F.cross_entropy(z, GAPS, ignore_index=-100).dtype == np.float32
    assert F.cross_entropy(z, T, reduction="none", label_smoothing=0.1).dtype == np.float32
    assert F.dropout(z).dtype == np.float32


def test_a_class_that_is_ruled_out_costs_nothing_where_it_is_not_the_label():
    assert F.cross_entropy(np.array([[0.0, -np.inf]]), np.array([0]), reduction="sum") == 0


def test_dropout_leaves_the_mean_and_its_gradient_passes_where_the_value_did():
    tg.random.seed(1)
    x = tg.tensor(np.ones(10_000), requires_grad=True)
    y = F.dropout(x, 0.25)
    y.sum().backward()
    assert np.unique(y.data).tolist() == [0, 1 / 0.75]
    assert abs(np.mean(y.data) - 1) < 0.02
    assert np.array_equal(x.grad, y.data)
    tg.random.seed(1)
    assert np.array_equal(F.dropout(x, 0.25).data, y.data)


def test_dropout_without_effect_or_of_everything():
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    assert F.dropout(x, 0.5, training=False) is x
    assert F.dropout(x, 0.0) is x
    assert F.dropout(x, 1.0).data.tolist() == [0, 0]


@pytest.mark.parametrize(("call", "kind", "sentence"), [
    (lambda: F.dropout(Z, 1.5), tg.ArgumentError, "p=1.5 is a probability"),
    (lambda: F.mse_loss(Z, Z[0]), tg.ShapeError, r"\(4, 3\) and a target of \(3,\) differ"),
    (lambda: F.mse_loss(Z, Z, reduction="avg"), tg.ArgumentError, "reduction='avg' is none of 'mean', 'sum', 'none'"),
    (lambda: F.cross_entropy(Z, T, label_smoothing=2), tg.ArgumentError, "label_smoothing=2 is a share"),
    (lambda: F.cross_entropy(Z, T[:2], reduction="sum"), tg.ShapeError, "2 labels for 4 rows"),
    (lambda: F.cross_entropy(Z, T, np.ones(2)), tg.ShapeError, r"weight \(2,\) for logits \(4, 3\): give one a class"),
    (lambda: F.cross_entropy(Z, SOFT, ignore_index=0), tg.ArgumentError, "ignore_index=0 is for class indices"),
    (lambda: F.cross_entropy(Z, GAPS), tg.ArgumentError, "labels from -100 to 2"),
    (lambda: F.cross_entropy(Z, T, reduction="max"), tg.ArgumentError, "reduction='max' is none of"),
])
def test_an_error_says_what_would_be_right(call, kind, sentence):
    with pytest.raises(kind, match=sentence):
        call()


def test_compiled_dropout_draws_anew_from_the_same_generator():
    x = np.ones((4, 5))
    compiled = tg.compile(lambda x: F.dropout(tg.tensor(x), 0.5) * 2)
    tg.random.seed(3)
    got = [np.asarray(compiled(x).data) for _ in range(5)]
    tg.random.seed(3)
    for y in got:
        assert np.array_equal(y, F.dropout(x, 0.5) * 2)
    assert not np.array_equal(got[3], got[4])
