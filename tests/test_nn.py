"""Modules and layers: what their weights are called, how they are drawn, saved and trained."""

from __future__ import annotations

import numpy as np
import pytest

import tinygraph as tg
from tinygraph import nn
from tinygraph.training.script import accuracy_of, what_lacks


class Block(nn.Module):
    def __init__(self, size):
        self.affine = nn.Affine(size, size)
        self.norm = tg.tensor(np.zeros(size))  # remembered, and not trained

    def forward(self, x):
        return tg.relu(self.affine(x)) + x


class Net(nn.Module):
    """Blocks in a list, one weight of its own, the same block at both ends."""

    def __init__(self, size=4, classes=3):
        self.blocks = [Block(size), Block(size)]
        self.scale = tg.tensor(np.ones(size), requires_grad=True)
        self.head = nn.Sequential(nn.Dropout(0.5), last=nn.Affine(size, classes, bias=False))
        self.again = self.blocks[0]
        self.loss_layer = nn.SoftmaxWithLoss()

    def predict(self, x):
        for block in (*self.blocks, self.again):
            x = block(x)
        return self.head(x * self.scale)

    def loss(self, x, t):
        return self.loss_layer(self.predict(x), t)


X, T = np.random.default_rng(0).standard_normal((6, 4)), np.array([0, 1, 2, 0, 1, 2])
WEIGHTS = ["blocks1.affine.W", "blocks1.affine.b", "blocks2.affine.W", "blocks2.affine.b", "head.last.W", "scale"]


def test_weights_are_found_wherever_they_are_and_once():
    net = Net()
    assert sorted(net.weights) == WEIGHTS
    assert list(net.params) == list(net.weights)
    assert sorted(net.state()) == ["blocks1.norm", "blocks2.norm"]
    assert sorted(net.state_dict()) == sorted([*WEIGHTS, "blocks1.norm", "blocks2.norm"])
    assert {t.name for t in net.weights.values()} == {"W", "b", "scale"}


def test_two_weights_of_one_name_are_refused():
    class Twice(tg.nn.Module):
        def __init__(self):
            self.encoder, self.decoder = {"W": tg.tensor(1.0)}, {"W": tg.tensor(2.0)}
    with pytest.raises(tg.ArgumentError, match="Twice: two of its tensors are called 'W'"):
        Twice().tensors()


def test_a_weight_that_two_modules_share_is_one():
    first, second = nn.Affine(3, 3), nn.Affine(3, 3)
    second.W = first.W
    assert list(nn.Sequential(first, second).weights) == ["affine1.W", "affine1.b", "affine2.b"]


def test_what_a_layer_computes_stands_in_its_scope():
    net = Net()
    loss = net.loss(X, T)
    scopes = {".".join(part.split("#")[0] for part in node.scope) for node in tg.graph(loss).nodes if node.op}
    assert {"blocks1", "blocks1.affine", "blocks2.affine", "head.dropout1", "head.last", "loss_layer"} <= scopes


def test_a_module_is_a_model_that_can_be_trained():
    """By the contract of model scripts; dropout is off while the accuracy is measured, and on again after it."""
    tg.random.seed(0)
    net = Net()
    assert what_lacks(net) == ""
    assert accuracy_of(net, X, T) == accuracy_of(net, X, T)
    assert net.training
    assert net.head.layers["dropout1"].training
    before = net.eval().loss(X, T).item()
    optimizer = tg.optim.SGD(net.train().weights, lr=0.1)
    for _ in range(100):
        optimizer.zero_grad()
        net.loss(X, T).backward()
        optimizer.step()
    assert net.eval().loss(X, T).item() < before / 2


def test_state_goes_through_a_file(tmp_path):
    one, other = Net(), Net()
    tg.save_state(tmp_path / "net.safetensors", one.state_dict())
    other.load_state_dict(tg.load_state(tmp_path / "net.safetensors"))
    assert np.array_equal(one.eval().predict(X).data, other.eval().predict(X).data)


def test_a_state_that_does_not_fit_changes_nothing():
    net = nn.Affine(3, 2)
    before = net.state_dict()
    with pytest.raises(tg.StateError, match="the state has c too many and lacks b"):
        net.load_state_dict({"W": np.ones((3, 2)), "c": np.ones(2)})
    with pytest.raises(tg.StateError, match=r"b has shape \(2,\) here and \(3,\) in the state"):
        net.load_state_dict({"W": np.ones((3, 2)), "b": np.ones(3)})
    for name, array in net.state_dict().items():
        assert np.array_equal(array, before[name])


def test_layers_are_their_functions():
    x, images = tg.tensor(X), np.random.default_rng(1).standard_normal((2, 2, 6, 6))
    for layer, function in ((nn.ReLU(), tg.relu), (nn.Sigmoid(), tg.sigmoid), (nn.Tanh(), tg.tanh),
                            (nn.Softmax(), tg.softmax), (nn.Softmax(0), lambda x: tg.softmax(x, 0))):
        assert np.array_equal(layer(x).data, function(x).data)
    conv = nn.Conv2d(2, 4, (3, 2), stride=2, padding=1, groups=2)
    assert conv.W.shape == (4, 1, 3, 2)
    assert np.array_equal(conv(images).data, tg.conv2d(images, conv.W, conv.b, 2, 1, 1, 2).data)
    assert np.array_equal(nn.MaxPool2d(3, 2, ceil_mode=True)(images), tg.max_pool2d(images, 3, 2, ceil_mode=True))
    assert np.array_equal(nn.AvgPool2d(3, padding=1)(images), tg.avg_pool2d(images, 3, padding=1))
    assert nn.Flatten()(images[:0]).shape == (0, 72)
    assert nn.Conv2d(2, 4, 3, bias=False).b is None


@pytest.mark.parametrize("shape", [(5, 3), (2, 3, 4, 2)])
def test_batch_normalisation_is_pytorchs(shape, rng):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'tinygraph[peers]'")
    theirs = (torch.nn.BatchNorm1d if len(shape) == 2 else torch.nn.BatchNorm2d)(3, dtype=torch.float64)
    layer = nn.BatchNorm(3)
    for training in (True, True, False):
        layer.train(training)
        theirs.train(training)
        x, g = rng.standard_normal(shape) * 3 + 1, rng.standard_normal(shape)
        ours, given = tg.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
        layer.gamma.zero_grad()
        theirs.zero_grad()
        y, wanted = layer(ours), theirs(given)
        y.backward(g)
        wanted.backward(torch.tensor(g))
        for a, b in ((y.data, wanted), (ours.grad, given.grad), (layer.gamma.grad, theirs.weight.grad),
                     (layer.running_mean.data, theirs.running_mean), (layer.running_var.data, theirs.running_var)):
            np.testing.assert_allclose(a, b.detach().numpy(), rtol=1e-10, atol=1e-12)


def test_batch_normalisation_compiled_follows_the_batches_as_eager_does(rng):
    layers = [nn.BatchNorm(3), nn.BatchNorm(3)]

    def stepping(layer):
        def step(x):
            for weight in layer.weights.values():
                weight.zero_grad()
            loss = (layer(x) ** 3).sum()
            loss.backward()
            layer.gamma.data -= 0.01 * layer.gamma.grad
            return loss
        return step
    eager, compiled = stepping(layers[0]), tg.compile(stepping(layers[1]))
    for _ in range(6):
        x = rng.standard_normal((5, 3))
        np.testing.assert_allclose(compiled(x).item(), eager(x).item(), rtol=1e-10)
    for path, t in layers[0].tensors().items():
        np.testing.assert_allclose(layers[1].tensors()[path].data, t.data, rtol=1e-10, err_msg=path)
    assert sorted(layers[0].state()) == ["running_mean", "running_var"]


def test_batch_normalisation_of_one_value_is_refused():
    with pytest.raises(tg.ShapeError, match=r"BatchNorm: \(1, 3\) has one value a channel"):
        nn.BatchNorm(3)(np.ones((1, 3)))
    assert np.array_equal(nn.BatchNorm(3).eval()(np.zeros((1, 3))).data, np.zeros((1, 3)))


@pytest.mark.parametrize(("init", "variance"), [
    (nn.initial.normal(0.01), 1e-4), (nn.initial.he_normal, 2 / 300), (nn.initial.he_uniform, 2 / 300),
    (nn.initial.xavier_normal, 2 / 500), (nn.initial.xavier_uniform, 2 / 500)])
def test_first_weights_have_the_variance_of_their_name_and_the_dtype(init, variance):
    tg.random.seed(2)
    layer = nn.Affine(300, 200, init=init, dtype=np.float32)
    assert layer.W.dtype == layer.b.dtype == np.float32
    np.testing.assert_allclose(np.var(layer.W.data), variance, rtol=0.03)
    tg.random.seed(2)
    assert np.array_equal(nn.Affine(300, 200, init=init, dtype=np.float32).W.data, layer.W.data)


@pytest.mark.parametrize(("call", "sentence"), [
    (lambda: nn.Sequential(tg.relu), "op1 is of type Op, and its layers are Modules"),
    (lambda: nn.Sequential(nn.ReLU(), relu1=nn.ReLU()), "two layers are called 'relu1'"),
    (lambda: nn.Conv2d(3, 4, 3, groups=2), "groups=2 does not divide 3 and 4 channels"),
])
def test_an_error_says_what_would_be_right(call, sentence):
    with pytest.raises(tg.ArgumentError, match=rf"{sentence}.*test_nn\.py"):
        call()


def test_pytorchs_and_the_lectures_other_names_lead_to_ours():
    assert all(hasattr(nn, name) for name in nn._HERE.values())
    with pytest.raises(AttributeError, match="no attribute 'Linear'; it is called Affine here"):
        nn.Linear  # noqa: B018
    with pytest.raises(AttributeError, match=r"no attribute 'Lineal'$"):
        nn.Lineal  # noqa: B018
