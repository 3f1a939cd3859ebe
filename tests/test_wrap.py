"""The lecture's classes, unchanged, as nodes: right answers, and each mistake named."""

from __future__ import annotations

import gc
import weakref

import lecture_layers as lecture
import numpy as np
import pytest

import tinygraph as tg
from tinygraph.core.op import OPS


class Scale:
    """A layer without a fault, and without anything that is hard to copy."""

    def __init__(self, w):
        self.w, self.dw, self.x, self.backwards = w, None, None, 0

    def forward(self, x):
        self.x = x
        return self.w * x

    def backward(self, dout):
        self.backwards += 1
        self.dw = (dout * self.x).sum(axis=0)
        return dout * self.w


class Sigmoid:
    def __init__(self):
        self.out = None

    def forward(self, x):
        self.out = 1 / (1 + np.exp(-x))
        return self.out

    def backward(self, dout):
        return dout * (1.0 - self.out) * self.out


class Multiply:
    """The lecture's node of two inputs: backward returns two gradients."""

    def __init__(self):
        self.x = self.y = None

    def forward(self, x, y):
        self.x, self.y = x, y
        return x * y

    def backward(self, dout):
        return dout * self.y, dout * self.x


def affine(rng, *shape):
    return lecture.Affine(rng.normal(size=shape), rng.normal(size=shape[1]))


def leaf(rng, *shape):
    return tg.tensor(rng.normal(size=shape), requires_grad=True)


def mistakes(match):
    return pytest.warns(UserWarning, match=match)


# --- it is a node ------------------------------------------------------------------------------------------------


def test_affine_gives_what_the_op_gives(rng):
    layer = affine(rng, 4, 3)
    wrapped, x, g = tg.wrap_layer(layer), leaf(rng, 5, 4), rng.normal(size=(5, 3))
    y = wrapped(x)
    y.backward(g)
    twin, w, b = (tg.tensor(a, requires_grad=True) for a in (x.data, layer.W, layer.b))
    tg.affine(twin, w, b).backward(g)
    np.testing.assert_allclose(y.data, tg.affine(x.data, layer.W, layer.b))
    for ours, theirs in ((x, twin), (wrapped.weights["W"], w), (wrapped.weights["b"], b)):
        np.testing.assert_allclose(ours.grad, theirs.grad, rtol=1e-14)
    # As the lecture's own loop leaves them.
    np.testing.assert_array_equal(layer.dW, w.grad)
    np.testing.assert_array_equal(layer.db, b.grad)
    assert wrapped.mistakes == []


def test_it_is_one_node_with_the_name_of_the_class(rng):
    x = leaf(rng, 5, 4)
    y = tg.wrap_layer(affine(rng, 4, 3))(x)
    assert (y.node.op.name, y.node.op.symbol, y.node.op.opaque) == ("Affine", "Affine", True)
    assert [parent.name for parent in y.node.parents] == [None, "W", "b"]
    assert y.node.parents[0] is x.node
    assert "op=Affine" in repr(y)
    assert "Affine" not in OPS
    assert y.node.location[0] == __file__


def test_weights_are_the_layers_own_arrays(rng):
    layer = affine(rng, 4, 3)
    wrapped = tg.wrap_layer(layer)
    assert list(wrapped.weights) == ["W", "b"]
    assert wrapped.weights["W"].data is layer.W
    assert wrapped.weights["W"].requires_grad
    with tg.no_grad():
        wrapped.weights["W"] -= 1.0
    assert wrapped.weights["W"].data is layer.W
    x = rng.normal(size=(2, 4))
    np.testing.assert_array_equal(wrapped(x).data, layer.forward(x))
    assert repr(wrapped) == "<WrappedLayer Affine, W (4, 3), b (3,)>"


def test_weights_that_are_replaced_on_either_side_are_followed(rng):
    layer = affine(rng, 4, 3)
    wrapped, x = tg.wrap_layer(layer), rng.normal(size=(2, 4))
    layer.W = layer.W * 2
    np.testing.assert_allclose(wrapped(x).data, x @ layer.W + layer.b)
    assert wrapped.weights["W"].data is layer.W
    wrapped.weights["b"].data = np.ones(3)
    np.testing.assert_allclose(wrapped(x).data, x @ layer.W + 1)
    assert layer.b is wrapped.weights["b"].data
    wrapped(x).sum().backward()
    np.testing.assert_allclose(wrapped.weights["b"].grad, [2, 2, 2])


def test_a_layer_of_two_inputs_and_a_constant_among_them(rng):
    wrapped, x, y = tg.wrap_layer(Multiply()), leaf(rng, 3), leaf(rng, 3)
    wrapped(x, y).sum().backward()
    np.testing.assert_array_equal(x.grad, y.data)
    np.testing.assert_array_equal(y.grad, x.data)
    z = leaf(rng, 3)
    wrapped([1.0, 2.0, 3.0], z).sum().backward()
    assert z.grad.tolist() == [1, 2, 3]
    assert wrapped.check(np.ones(3), np.ones(3) * 2) == []


def test_arrays_in_arrays_out(rng):
    assert type(tg.wrap_layer(Sigmoid())(np.zeros(2))) is np.ndarray
    with tg.no_grad():
        assert not tg.wrap_layer(affine(rng, 4, 3))(np.ones((2, 4))).requires_grad


def test_keywords_reach_forward(rng):
    class Dropout:
        def forward(self, x, train_flg=True):
            self.mask = np.arange(x.size) % 2 == 0 if train_flg else np.ones(x.size, bool)
            return x * self.mask

        def backward(self, dout):
            return dout * self.mask

    wrapped, x = tg.wrap_layer(Dropout()), tg.tensor(np.ones(4), requires_grad=True)
    wrapped(x).sum().backward()
    wrapped(x, train_flg=False).sum().backward()
    assert x.grad.tolist() == [2, 1, 2, 1]
    assert wrapped.check(np.ones(4), train_flg=False) == []
    with pytest.raises(tg.UnsupportedError, match="Dropout: the tensor given as train_flg= would leave the graph"):
        wrapped(x, train_flg=x)


def test_a_float_for_a_value_and_float32(rng):
    class Sum:
        def forward(self, x):
            self.shape, self.dtype = x.shape, x.dtype
            return float(x.sum())

        def backward(self, dout):
            return np.full(self.shape, dout, self.dtype)

    x = tg.tensor([1.0, 2.0], dtype=np.float32, requires_grad=True)
    loss = tg.wrap_layer(Sum())(x)
    assert loss.item() == 3
    loss.backward()
    assert (x.grad.tolist(), x.grad.dtype) == ([1, 1], np.float32)


# --- once a sweep ------------------------------------------------------------------------------------------------


def test_backward_is_called_once_a_sweep_and_afresh_in_the_next(rng):
    layer = Scale(rng.normal(size=4))
    wrapped, x = tg.wrap_layer(layer), leaf(rng, 3, 4)
    y = wrapped(x)
    y.backward(np.ones((3, 4)))
    first = layer.backwards
    for sweep in range(1, 4):
        y.backward(np.ones((3, 4)))
        assert layer.backwards == first + sweep
    np.testing.assert_allclose(x.grad, 4 * np.broadcast_to(layer.w, (3, 4)))
    np.testing.assert_allclose(wrapped.weights["w"].grad, 4 * x.data.sum(axis=0))


def test_a_seed_that_is_filled_anew_between_sweeps_is_read_anew(rng):
    layer = Scale(rng.normal(size=4))
    wrapped, x, seed = tg.wrap_layer(layer), leaf(rng, 3, 4), np.ones((3, 4))
    y = wrapped(x)
    for factor in (1, 10, 100):
        x.zero_grad()
        wrapped.weights["w"].zero_grad()
        seed[...] = factor
        y.backward(seed)
        np.testing.assert_allclose(x.grad, factor * np.broadcast_to(layer.w, (3, 4)))
        np.testing.assert_allclose(wrapped.weights["w"].grad, factor * x.data.sum(axis=0))


def test_weights_that_changed_between_sweeps_are_not_answered_from_memory(rng):
    layer = Scale(np.ones(4))
    wrapped, x, seed = tg.wrap_layer(layer), leaf(rng, 3, 4), np.ones((3, 4))
    y = wrapped(x)
    y.backward(seed)
    layer.w[...] = 5
    x.zero_grad()
    y.backward(seed)
    assert x.grad.tolist() == np.full((3, 4), 5.0).tolist()


def test_a_sweep_that_asked_for_some_inputs_only_leaves_no_answer_to_the_next(rng):
    layer = Scale(np.ones(4))
    wrapped, x, seed = tg.wrap_layer(layer), leaf(rng, 3, 4), np.ones((3, 4))
    y = wrapped(x)
    wrapped.weights["w"].requires_grad = False
    for w in (1.0, 5.0):
        layer.w[...] = w
        x.zero_grad()
        y.backward(seed)
        assert x.grad.tolist() == np.full((3, 4), w).tolist()


def test_gradients_are_not_kept_after_the_sweep(rng):
    given = []

    class Watched(Scale):
        def backward(self, dout):
            dx = super().backward(dout)
            given.append(weakref.ref(dx))
            return dx

    y = tg.wrap_layer(Watched(rng.normal(size=4)))(leaf(rng, 3, 4) * 2)
    y.sum().backward()
    assert [gradient() for gradient in given] == [None] * len(given) != []


def test_sweeps_that_ask_for_different_inputs_of_one_node(rng):
    layer = Scale(rng.normal(size=4))
    wrapped, x, seed = tg.wrap_layer(layer), leaf(rng, 3, 4), np.ones((3, 4))
    w = wrapped.weights["w"]
    y = wrapped(x)
    w.requires_grad = False
    y.backward(seed)
    np.testing.assert_allclose(x.grad, np.broadcast_to(layer.w, (3, 4)))
    x.requires_grad, w.requires_grad = False, True
    seed[...] = 10
    y.backward(seed)
    np.testing.assert_allclose(w.grad, 10 * x.data.sum(axis=0))


def test_sweeps_of_a_pullback(rng):
    layer = Scale(rng.normal(size=4))
    wrapped, seed = tg.wrap_layer(layer), np.ones((3, 4))
    with tg.no_grad():
        y, pull = tg.vjp(wrapped, rng.normal(size=(3, 4)))
        for factor in (1, 2):
            seed[...] = factor
            np.testing.assert_allclose(pull(seed)[0], factor * np.broadcast_to(layer.w, (3, 4)))


def test_no_graph_is_kept_alive(rng):
    gc.disable()
    try:
        wrapped, x = tg.wrap_layer(affine(rng, 4, 3)), leaf(rng, 5, 4)
        y = wrapped(x)
        y.sum().backward()
        alive = weakref.ref(y)
        value = weakref.ref(y.data)
        del y
        assert alive() is None
        assert value() is None
    finally:
        gc.enable()


# --- the lecture's two faults ------------------------------------------------------------------------------------


def test_relu_writes_into_dout_and_is_right_here_all_the_same():
    wrapped = tg.wrap_layer(lecture.Relu())
    x = tg.tensor([-1.0, 1.0], requires_grad=True)
    with mistakes(r"Relu\.backward wrote into dout.* \(here it had a copy .*\) \(test_wrap\.py:\d+\)"):
        (wrapped(x) + x).sum().backward()
    assert x.grad.tolist() == [1, 2]
    # Once is enough.
    (wrapped(x) + x).sum().backward()
    assert [m.split(",")[0] for m in wrapped.mistakes] == ["Relu.backward wrote into dout"]


def test_the_callers_seed_is_not_written_into():
    wrapped, seed = tg.wrap_layer(lecture.Relu()), np.ones(2)
    with mistakes("wrote into dout"):
        wrapped(tg.tensor([-1.0, 1.0], requires_grad=True)).backward(seed)
    assert seed.tolist() == [1, 1]


def test_softmax_with_loss_ignores_dout_and_is_right_here_all_the_same(rng):
    wrapped, t = tg.wrap_layer(lecture.SoftmaxWithLoss()), np.eye(4)[[0, 2, 1]]
    x = leaf(rng, 3, 4)
    twin = tg.tensor(x.data, requires_grad=True)
    (tg.softmax_with_loss(twin, t) * 3).backward()
    with mistakes(r"SoftmaxWithLoss\.backward ignored dout"):
        (wrapped(x, t) * 3).backward()
    np.testing.assert_allclose(x.grad, twin.grad, rtol=1e-13)
    # Also where it comes first to 1 and then to another, and in later calls.
    x.zero_grad()
    loss = wrapped(x, t)
    loss.backward()
    loss.backward(np.array(-1.0))
    np.testing.assert_allclose(x.grad, np.zeros((3, 4)), atol=1e-16)
    assert [m.split(":")[0] for m in wrapped.mistakes] == ["SoftmaxWithLoss.backward ignored dout"]


def test_strict_makes_errors_of_them_every_time(rng):
    relu, last = tg.wrap_layer(lecture.Relu(), strict=True), tg.wrap_layer(lecture.SoftmaxWithLoss(), strict=True)
    x, t = leaf(rng, 3, 4), np.eye(4)[[0, 2, 1]]
    for _ in range(2):
        with pytest.raises(tg.GradientError, match=r"Relu\.backward wrote into dout.* \(test_wrap\.py:\d+\)"):
            relu(x).sum().backward()
        with pytest.raises(tg.GradientError, match=r"SoftmaxWithLoss\.backward ignored dout"):
            last(x, t).backward()
        with pytest.raises(tg.GradientError, match="wrote into dout"):
            relu.check(x)


def test_check_finds_the_two_faults_and_no_others(rng):
    x, t = rng.normal(size=(5, 4)), np.eye(4)[[0, 1, 2, 3, 0]]
    uses = [(affine(rng, 4, 3), (x,)), (lecture.Relu(), (x,)), (lecture.SoftmaxWithLoss(), (x, t)), (Sigmoid(), (x,)),
            (Scale(rng.normal(size=4)), (x,))]
    found = {type(layer).__name__: tg.wrap_layer(layer).check(*inputs) for layer, inputs in uses}
    told = {name: [mistake.split(",")[0].split(":")[0] for mistake in mistakes] for name, mistakes in found.items()}
    assert told == {"Affine": [], "Relu": ["Relu.backward wrote into dout"],
                    "SoftmaxWithLoss": ["SoftmaxWithLoss.backward ignored dout"], "Sigmoid": [], "Scale": []}


def test_check_finds_what_soft_labels_do_to_softmax_with_loss():
    """Forward takes the argmax of the labels, backward y - t."""
    wrapped = tg.wrap_layer(lecture.SoftmaxWithLoss())
    found = wrapped.check(np.array([[1.0, 0.0]]), np.array([[0.6, 0.4]]))
    assert [m.partition(":")[0] for m in found] == ["SoftmaxWithLoss.backward ignored dout", "SoftmaxWithLoss.backward"]
    assert "the gradient of input 0 at [0, 0] is 0.131059 and central differences give -0.268941" in found[1]
    assert wrapped.mistakes == found


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_lectures_net_trains_under_it(rng):
    params = {"W1": 0.1 * rng.normal(size=(6, 5)), "b1": np.zeros(5), "W2": 0.1 * rng.normal(size=(5, 3)),
              "b2": np.zeros(3)}
    theirs = lecture.TwoLayerNet({name: w.copy() for name, w in params.items()})
    ours = lecture.TwoLayerNet(params)
    layers = [tg.wrap_layer(layer) for layer in ours.layers.values()]
    last = tg.wrap_layer(ours.lastLayer)
    x, t = rng.normal(size=(8, 6)), np.eye(3)[rng.integers(0, 3, 8)]
    for _ in range(20):
        h = x
        for layer in layers:
            h = layer(h)
        last(h, t).backward()
        for layer in layers:
            for weight in layer.weights.values():
                with tg.no_grad():
                    weight -= 0.5 * weight.grad
                weight.zero_grad()
        for name, gradient in theirs.gradient(x, t).items():
            theirs.params[name] -= 0.5 * gradient
    for name, w in theirs.params.items():
        np.testing.assert_array_equal(params[name], w)


# --- used twice --------------------------------------------------------------------------------------------------


def test_a_layer_that_is_used_twice_in_one_graph_is_named(rng):
    wrapped, x = tg.wrap_layer(affine(rng, 4, 4)), leaf(rng, 5, 4)
    y = wrapped(wrapped(x))
    message = r"Affine was used twice in one graph.*\(x\) was overwritten.*test_wrap\.py:\d+"
    with pytest.raises(tg.GradientError, match=message):
        y.sum().backward()


def test_also_by_hand_under_another_wrapper_or_without_recording(rng):
    layer, x = affine(rng, 4, 4), leaf(rng, 5, 4)
    uses = [lambda: layer.forward(x.data), lambda: tg.wrap_layer(layer)(x), lambda: tg.wrap_layer(layer).check(x)]
    for use in uses:
        y = tg.wrap_layer(layer)(x)
        use()
        with pytest.raises(tg.GradientError, match="Affine was used twice"):
            y.sum().backward()
    wrapped = tg.wrap_layer(layer)
    y = wrapped(x)
    with tg.no_grad():
        wrapped(x)
    with pytest.raises(tg.GradientError, match="Affine was used twice in one graph, or again before backward"):
        y.sum().backward()


def test_also_where_it_remembers_in_a_buffer_of_its_own(rng):
    class Square:
        def __init__(self):
            self.buffer = np.zeros(3)

        def forward(self, x):
            self.buffer[...] = x
            return x * x

        def backward(self, dout):
            return 2 * self.buffer * dout

    wrapped, x = tg.wrap_layer(Square()), leaf(rng, 3)
    y = wrapped(x)
    assert wrapped.check(x) == []
    with pytest.raises(tg.GradientError, match="Square was used twice"):
        y.sum().backward()


def test_two_layers_may_share_their_weights(rng):
    layer = affine(rng, 4, 4)
    first, second, x = tg.wrap_layer(layer), tg.wrap_layer(lecture.Affine(layer.W, layer.b)), leaf(rng, 5, 4)
    second(first(x)).sum().backward()
    w, b = (tg.tensor(a, requires_grad=True) for a in (layer.W, layer.b))
    tg.affine(tg.affine(x.data, w, b), w, b).sum().backward()
    np.testing.assert_allclose(first.weights["W"].grad + second.weights["W"].grad, w.grad)


def test_a_layer_that_remembers_nothing_may_be_used_as_often_as_one_likes():
    class Double:
        def forward(self, x):
            return 2 * x

        def backward(self, dout):
            return 2 * dout

    wrapped, x = tg.wrap_layer(Double()), tg.tensor(1.0, requires_grad=True)
    wrapped(wrapped(wrapped(x))).backward()
    assert x.grad == 8


def test_a_layer_that_lets_go_of_what_it_saved(rng):
    class Frugal(Scale):
        def backward(self, dout):
            dx = super().backward(dout)
            self.x = None
            return dx

    wrapped, x = tg.wrap_layer(Frugal(rng.normal(size=4))), leaf(rng, 3, 4)
    y = wrapped(x)
    y.sum().backward()
    y.sum().backward()
    np.testing.assert_allclose(wrapped.weights["w"].grad, 2 * x.data.sum(axis=0))
    assert wrapped.check(x) == []


# --- create_graph ------------------------------------------------------------------------------------------------


def test_under_create_graph_it_says_that_it_cannot(rng):
    wrapped, x = tg.wrap_layer(affine(rng, 4, 3)), leaf(rng, 5, 4)
    with pytest.raises(tg.GradientError, match=r"Affine: the backward of a wrapped layer .* no create_graph=True"):
        wrapped(x).sum().backward(create_graph=True)
    with pytest.raises(tg.GradientError, match="Affine"):
        tg.grad(lambda x: (tg.grad(lambda x: wrapped(x).sum())(x) ** 2).sum())(x.data)


def test_first_derivatives_by_the_functions_from_functions(rng):
    layer = affine(rng, 4, 3)
    wrapped, x = tg.wrap_layer(layer), rng.normal(size=(5, 4))
    tg.check_grads(wrapped, x, order=1)
    with tg.no_grad():
        gradient = tg.grad(lambda x: wrapped(x).sum())(x)
    np.testing.assert_allclose(gradient, np.broadcast_to(layer.W.sum(axis=1), (5, 4)))


# --- other mistakes ----------------------------------------------------------------------------------------------


def test_check_names_the_element_that_is_wrong(rng):
    class Wrong(lecture.Affine):
        def backward(self, dout):
            dx = super().backward(dout)
            self.dW[1, 2] += 0.01 * dout.sum()
            return dx

    layer = affine(rng, 4, 3)
    found = tg.wrap_layer(Wrong(layer.W, layer.b)).check(rng.normal(size=(5, 4)))
    assert len(found) == 1
    assert found[0].startswith("Wrong.backward: the gradient of W at [1, 2] is ")


class Odd:
    """A layer whose methods a test gives."""

    def __init__(self, forward, backward, **attributes):
        self._forward, self._backward = forward, backward
        vars(self).update(attributes)

    def forward(self, x):
        return self._forward(self, x)

    def backward(self, dout):
        return self._backward(self, dout)


def test_a_layer_of_many_numbers_that_ignores_dout_cannot_be_made_good():
    wrapped = tg.wrap_layer(Odd(lambda self, x: 3 * x, lambda self, dout: np.full(2, 3.0)))
    assert wrapped.check(np.ones(2)) == [wrapped.mistakes[0]]
    y = wrapped(tg.tensor(np.ones(2), requires_grad=True))
    for _ in range(2):
        with pytest.raises(tg.GradientError, match=r"Odd\.backward ignored dout"):
            y.sum().backward()


@pytest.mark.parametrize("backward", [
    lambda self, dout: dout ** 2, lambda self, dout: dout + 1, lambda self, dout: abs(dout),
    lambda self, dout: np.maximum(dout, 0),
], ids=["square", "shifted", "absolute", "guided"])
def test_a_layer_that_is_not_linear_in_dout(backward):
    wrapped = tg.wrap_layer(Odd(lambda self, x: x + 0, backward))
    y = wrapped(tg.tensor(np.ones(2), requires_grad=True))
    for _ in range(2):
        with pytest.raises(tg.GradientError, match=r"Odd\.backward is not linear in dout: its gradient of input 0 for"):
            y.sum().backward()
    assert "not linear" in wrapped.check(np.ones(2))[0]


def test_a_layer_that_adds_to_its_gradient_instead_of_setting_it():
    def backward(self, dout):
        self.dw += dout
        return dout * self.w

    wrapped = tg.wrap_layer(Odd(lambda self, x: x * self.w, backward, w=np.ones(2), dw=np.zeros(2)))
    with pytest.raises(tg.GradientError, match=r"its dw for -2 dout is not .* do not add to what was there"):
        wrapped(np.ones(2)).sum().backward()


def test_zero_gradients_say_nothing_about_dout():
    """A dead relu gives zeros for any dout; that alone does not mean that it takes no notice."""
    wrapped = tg.wrap_layer(Odd(lambda self, x: np.maximum(x, 0), lambda self, dout: dout * self.alive, alive=0.0))
    x = tg.tensor(-np.ones(2), requires_grad=True)
    y = wrapped(x)
    y.sum().backward()
    y.backward(np.zeros(2))
    assert x.grad.tolist() == [0, 0]
    assert wrapped.mistakes == []


@pytest.mark.parametrize("seed", [np.nan, np.inf, 1e-300, 1e300])
def test_a_gradient_of_nan_or_next_to_nothing_is_no_mistake_of_the_layers(seed):
    wrapped, x = tg.wrap_layer(Sigmoid()), tg.tensor(np.zeros(2), requires_grad=True)
    wrapped(x).backward(np.full(2, seed))
    np.testing.assert_array_equal(x.grad, np.full(2, seed / 4))
    assert wrapped.mistakes == []


@pytest.mark.parametrize(("gradient", "message"), [
    (None, "gave no gradient of input 0: it is None"),
    (np.ones(3), r"the gradient of input 0 has shape \(3,\), and input 0 has \(2,\)"),
    (np.ones((1, 2)), r"has shape \(1, 2\)"),
    ((), "gave 0 gradients, and input 0 requires one too"),
])
def test_a_gradient_that_is_none_or_does_not_fit(gradient, message):
    def backward(self, dout):
        return gradient * dout[0] if isinstance(gradient, np.ndarray) else gradient

    wrapped = tg.wrap_layer(Odd(lambda self, x: x + 0, backward))
    with pytest.raises(tg.GradientError, match=rf"Odd\.backward.*{message}.*\(test_wrap\.py:\d+\)"):
        wrapped(tg.tensor(np.ones(2), requires_grad=True)).sum().backward()
    if not isinstance(gradient, tuple):
        assert "gradient of input 0" in wrapped.check(np.ones(2))[0]


def test_an_input_without_a_gradient_may_not_require_one(rng):
    wrapped = tg.wrap_layer(lecture.SoftmaxWithLoss())
    t = tg.tensor(np.eye(3), requires_grad=True)
    with mistakes("ignored dout"), pytest.raises(tg.GradientError, match="gave 1 gradients, and input 1 requires one"):
        wrapped(leaf(rng, 3, 3), t).backward()


def test_a_weight_of_which_there_was_no_sign():
    def backward(self, dout):
        self.dw = dout * self.x
        return dout * self.w

    def forward(self, x):
        self.x = x
        return x * self.w

    x = tg.tensor(np.array([2.0, 3.0]), requires_grad=True)
    wrapped = tg.wrap_layer(Odd(forward, backward, w=np.ones(2)))
    assert wrapped.weights == {}
    with mistakes(r"Odd\.backward set dw, and the layer had none .* weights=\[\.\.\.\]"):
        wrapped(x).sum().backward()
    told = tg.wrap_layer(Odd(forward, backward, w=np.ones(2)), weights=["w"])
    told(x).sum().backward()
    assert told.weights["w"].grad.tolist() == [2, 3]
    assert (told.mistakes, told.check(x)) == ([], [])


def test_a_weight_whose_gradient_backward_forgets():
    wrapped = tg.wrap_layer(Odd(lambda self, x: x * self.w, lambda self, dout: dout * self.w, w=np.ones(2), dw=None))
    with pytest.raises(tg.GradientError, match=r"Odd\.backward gave no gradient of w"):
        wrapped(np.ones(2)).sum().backward()


def test_forward_that_writes_into_its_input_harms_nobody():
    def forward(self, x):
        x[x < 0] = 0
        self.mask = x > 0
        return x

    wrapped = tg.wrap_layer(Odd(forward, lambda self, dout: dout * self.mask))
    x = tg.tensor([-1.0, 2.0], requires_grad=True)
    (wrapped(x) * x).sum().backward()
    assert x.data.tolist() == [-1, 2]
    assert x.grad.tolist() == [0, 4]
    assert wrapped.check(x) == ["Odd.forward wrote into input 0: let it write into a copy"]


def test_forward_that_does_not_repeat_itself(rng):
    wrapped = tg.wrap_layer(Odd(lambda self, x: x * rng.random(), lambda self, dout: dout))
    found = wrapped.check(np.ones(2))
    assert len(found) == 1
    assert found[0].startswith("Odd.forward gave two different values for the same inputs")


@pytest.mark.parametrize(("value", "kind"), [((1, 2), "tuple"), (None, "NoneType"), (tg.tensor(1.0), "Tensor")])
def test_forward_gives_one_array(value, kind):
    wrapped = tg.wrap_layer(Odd(lambda self, x: value, lambda self, dout: dout))
    with pytest.raises(tg.UnsupportedError, match=rf"Odd\.forward gave a {kind}, and a layer gives one array"):
        wrapped(tg.tensor(1.0, requires_grad=True))


def test_shapes_that_do_not_fit_are_told_by_the_layers_name(rng):
    message = r"Affine: forward\(float64 \(5, 3\)\): shapes .* \(test_wrap\.py:\d+\)"
    with pytest.raises(tg.ShapeError, match=message) as caught:
        tg.wrap_layer(affine(rng, 4, 3))(leaf(rng, 5, 3))
    assert isinstance(caught.value.__cause__, ValueError)


def test_what_is_no_layer(rng):
    with pytest.raises(tg.ArgumentError, match=r"Relu is a class; give one of its instances, Relu\(\.\.\.\)"):
        tg.wrap_layer(lecture.Relu)
    with pytest.raises(tg.ArgumentError, match="function has no method forward"):
        tg.wrap_layer(lecture.softmax)
    with pytest.raises(tg.ArgumentError, match="Affine has no array of floats called 'V'"):
        tg.wrap_layer(affine(rng, 4, 3), weights=["V"])
