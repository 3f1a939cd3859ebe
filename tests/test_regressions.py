"""What breaks elsewhere and must not here: one test for each item under "Where they break" of the study of peers.

Many have fuller tests in the file of their subject. Here the list itself is kept, under the items' own names.
"""

from __future__ import annotations

import ast
import asyncio
import gc
import sys
import threading
import weakref
from collections import Counter
from pathlib import Path

import lecture_layers as lecture
import numpy as np
import pytest

import tinygraph as tg
from tinygraph.core.op import OPS

# --- the lecture's own code --------------------------------------------------------------------------------------


def test_relu_backward_writes_into_its_incoming_gradient():
    """Lecture: "relu(x) + x gives [0, 2] for [1, 2]"."""
    x = tg.tensor([-1.0, 1.0], requires_grad=True)
    (tg.relu(x) + x).sum().backward()
    assert x.grad.tolist() == [1, 2]
    seed = np.ones(2)
    tg.relu(x).backward(seed)
    assert seed.tolist() == [1, 1]


def test_softmax_with_loss_ignores_dout():
    """Lecture: "SoftmaxWithLoss.backward ignores dout"."""
    z, t = np.array([[0.3, 2.9, 4.0]]), np.array([1])
    once, thrice = (tg.tensor(z, requires_grad=True) for _ in range(2))
    tg.softmax_with_loss(once, t).backward()
    (3 * tg.softmax_with_loss(thrice, t)).backward()
    np.testing.assert_allclose(thrice.grad, 3 * once.grad, rtol=1e-15)


def test_the_gradient_of_1d_logits_is_divided_by_c():
    """Lecture: "1-D logits: the gradient is divided by C instead of 1"."""
    z, t = np.array([0.3, 2.9, 4.0]), np.array([0, 1, 0])
    layer = lecture.SoftmaxWithLoss()
    layer.forward(z, t)
    x = tg.tensor(z, requires_grad=True)
    tg.softmax_with_loss(x, t).backward()
    np.testing.assert_allclose(x.grad, lecture.softmax(z) - t, rtol=1e-14)
    np.testing.assert_allclose(x.grad, 3 * layer.backward(), rtol=1e-14)


def test_labels_of_shape_n_1():
    """Lecture: "Labels of shape (N, 1): loss and gradient silently wrong (2.10 for 0.55)"."""
    z, t = np.array([[2.0, 1.0, 0.0], [0.0, 3.0, 1.0]]), np.array([0, 1])
    flat, column = (tg.tensor(z, requires_grad=True) for _ in range(2))
    first, second = tg.softmax_with_loss(flat, t), tg.softmax_with_loss(column, t[:, None])
    first.backward()
    second.backward()
    assert first.item() == second.item()
    assert np.array_equal(flat.grad, column.grad)


def test_soft_labels():
    """Lecture: "Soft labels: forward takes the argmax, backward y - t: analytic 0.231, numeric 0.731"."""
    t = np.array([[0.5, 0.3, 0.2]])
    tg.check_grads(lambda z: tg.softmax_with_loss(z, t), np.array([[0.3, 2.9, 4.0]]))


def test_labels_guessed_from_size():
    """Lecture: "One-hot or indices guessed from `t.size == y.size`: (N, 1) logits with (N,) labels fail"."""
    x = tg.tensor(np.arange(3.0).reshape(3, 1), requires_grad=True)
    loss = tg.softmax_with_loss(x, np.zeros(3, int))
    loss.backward()
    assert loss.item() == 0
    assert x.grad.tolist() == [[0], [0], [0]]


def test_float_labels():
    """Lecture: "Float labels: IndexError"."""
    with pytest.raises(tg.DTypeError, match="class indices are integers"):
        tg.softmax_with_loss(tg.tensor(np.zeros((3, 2))), np.array([0.0, 1.0, 0.0]))


def test_a_layer_used_twice_overwrites_what_it_saved(rng):
    """Lecture: "A layer used twice overwrites what it saved". An op saves nothing outside its node."""
    w, b = rng.normal(size=(3, 3)), rng.normal(size=3)
    tg.check_grads(lambda x, w, b: tg.affine(tg.relu(tg.affine(x, w, b)), w, b), (rng.normal(size=(2, 3)), w, b))
    layer = tg.wrap_layer(lecture.Affine(w, b))
    with pytest.raises(tg.GradientError, match="used twice in one graph"):
        layer(layer(np.ones((2, 3)))).sum().backward()


def test_numerical_gradient_on_an_int_array():
    """Lecture: "`numerical_gradient` on an int array returns nonsense ([5000, 15000, 25000])"."""
    with pytest.raises(tg.DTypeError, match=r"int64.*astype\(float\)"):
        tg.numerical_gradient(lambda x: (x ** 2).sum(), np.array([0, 1, 2]))


# --- the engines -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("f", [
    lambda a, b: a + b, lambda a, b: (a + 0) + (b + 0), lambda a, b: a.reshape(2) + b.T, lambda a, b: tg.stack([a, b])])
def test_two_gradients_in_one_buffer(f):
    """Engines: "`gx0, gx1 = gy, gy`: two gradients in one buffer (DeZero)"."""
    a, b, seed = tg.tensor([1.0, 2.0], requires_grad=True), tg.tensor([3.0, 4.0], requires_grad=True), np.ones(2)
    y = f(a, b)
    y.backward(np.broadcast_to(seed, y.shape))
    assert not np.shares_memory(a.grad, b.grad)
    assert not np.shares_memory(a.grad, seed)
    a.grad += 100
    assert b.grad.tolist() == [1, 1]


def test_x_plus_x_is_two_edges():
    """Engines: "x + x drawn or counted once (micrograd, Chainer, MyGrad)"."""
    x = tg.tensor(3.0, requires_grad=True, name="x")
    y = x + x
    y.backward()
    assert x.grad == 2
    assert list(y.node.parents) == [x.node, x.node]
    edges = tg.graph(y).to_networkx().edges(data="position")
    assert [position for _, _, position in edges] == [0, 1]
    into_the_plus = [line for line in tg.draw(y).source.splitlines() if "-> n1 " in line and 'class="forward' in line]
    assert len(into_the_plus) == 2


def test_backward_twice():
    """Engines: "Backward twice: four libraries, four answers". Leaves add up, what lies between starts anew."""
    x = tg.tensor(3.0, requires_grad=True)
    between = x * x
    between.retain_grad()
    y = between * 2
    y.backward()
    y.backward()
    assert (x.grad, between.grad) == (24, 4)
    x.zero_grad()
    y.backward()
    assert x.grad == 12
    z = x * x
    z.backward(retain_graph=False)
    with pytest.raises(tg.GradientError, match="retain_graph=True"):
        z.backward()


def test_non_scalar_seeds():
    """Engines: "Non-scalar seeds: four libraries, four answers". None is guessed, and a given one has the shape."""
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    y = x * 3
    with pytest.raises(tg.GradientError, match=r"shape \(2,\) has no single derivative"):
        y.backward()
    for seed in (1.0, np.ones(1), np.ones((1, 2)), np.ones(3)):
        with pytest.raises(tg.GradientError, match=r"the gradient given has shape"):
            y.backward(seed)
    y.backward(np.array([1.0, 10.0]))
    assert x.grad.tolist() == [3, 30]


def test_recursion_in_the_sort_in_freeing_in_drawing():
    """Engines: "Recursion in the sort, in freeing, in drawing (MyGrad fails in all three)"."""
    limit = sys.getrecursionlimit()
    x = tg.tensor(1.0, requires_grad=True)
    y = x
    for _ in range(3_000):
        y = y + 1
    whole = len(tg.draw(y, collapse=False).source)  # its first import may go deep, its walk may not
    sys.setrecursionlimit(200)
    try:
        y.backward()
        assert len(tg.draw(y, collapse=False).source) > whole / 2 > 3_000 * 20
        assert len(tg.graph(y)) == 3_001
        del y
    finally:
        sys.setrecursionlimit(limit)
    assert x.grad == 1


def test_drawing_without_a_visited_set():
    """Engines: "Drawing without a visited set: an 18-level diamond makes 1.57 million DOT lines in 32 s (MyGrad)"."""
    x = tg.tensor(1.0, requires_grad=True)
    y = x
    for _ in range(18):
        y = y + y
    assert len(tg.graph(y)) == 19
    assert len(tg.draw(y).source.splitlines()) < 1_000
    y.backward()
    assert x.grad == 2 ** 18


def test_a_saved_array_changed_before_backward():
    """Engines: "A saved array changed before backward: silently wrong (autograd, Chainer)".

    Whatever is done to a tensor by its handle leaves what was computed from it alone, or is an error.
    """
    x = tg.tensor([2.0, 3.0], requires_grad=True)
    a = x * 1
    y = a * a
    a += 100
    a[0] = 7.0
    y.sum().backward()
    assert x.grad.tolist() == [4, 6]
    with pytest.raises(tg.GradientError, match="assigning to a leaf"):
        x += 1
    with pytest.raises(tg.GradientError, match="assigning to a leaf"):
        x[0] = 1
    with pytest.raises(tg.UnsupportedError, match="out="):
        np.exp(a, out=x.data)


def test_float32_times_a_python_float():
    """Engines: "float32 times a Python float becomes float64 (DeZero, MyGrad)"."""
    x = tg.tensor([1.0, 2.0], dtype=np.float32, requires_grad=True)
    for y in (x * 2.0, 2.0 * x, x / 3, x ** 2.0, x - 1.5, 1.5 - x, np.multiply(x, 2.0), tg.maximum(x, 1.5),
              x.mean() * 2.0):
        assert y.dtype == np.float32
        x.zero_grad()
        y.sum().backward()
        assert x.grad.dtype == np.float32
    x.zero_grad()
    (x * np.array([1.0, 2.0])).sum().backward()  # float64, as NumPy has it; the gradient is float32 again
    assert x.grad.dtype == np.float32


def test_integer_input_gets_an_integer_gradient():
    """Engines: "Integer input gets an integer gradient (DeZero)"."""
    with pytest.raises(tg.DTypeError, match="int64 cannot require a gradient"):
        tg.tensor([1, 2], requires_grad=True)
    n, x = tg.tensor([1, 2]), tg.tensor([0.5, 0.25], requires_grad=True)
    with pytest.raises(tg.DTypeError, match="int64 cannot require a gradient"):
        n.requires_grad = True
    with pytest.raises(tg.DTypeError, match="int64"):
        tg.grad(lambda n: (n * n).sum())(np.array([1, 2]))
    (n * x).sum().backward()
    assert (n.grad, x.grad.tolist(), x.grad.dtype) == (None, [1, 2], np.float64)


@pytest.mark.parametrize("f", [tg.max, tg.min, lambda x: tg.maximum(x[0], x[1]), lambda x: x.max(axis=0)])
def test_ties_in_max(f):
    """Engines: "Ties in max: [1, 1], [.5, .5] or [1, 0]". They share equally."""
    assert tg.grad(f)(np.array([1.0, 1.0])).tolist() == [0.5, 0.5]


def test_prod_with_a_zero():
    """Engines: "prod with a zero: [nan, 0]"."""
    assert tg.grad(np.prod)(np.array([0.0, 3.0])).tolist() == [3, 0]
    assert tg.grad(np.prod)(np.array([0.0, 0.0, 3.0])).tolist() == [0, 0, 0]


def test_norm_at_0():
    """Engines: "norm at 0: nan"."""
    assert tg.grad(np.linalg.norm)(np.zeros(3)).tolist() == [0, 0, 0]
    assert tg.grad(np.linalg.norm)(np.array([3.0, 4.0])).tolist() == [0.6, 0.8]


def test_sqrt_at_python_0():
    """Engines: "sqrt at Python 0.0: ZeroDivisionError"."""
    with np.errstate(divide="ignore"):
        assert tg.grad(tg.sqrt)(0.0) == np.inf
    assert tg.sqrt(0.0) == 0


def test_batched_matmul_backward():
    """Engines: "Batched matmul's backward fails (DeZero)"."""
    rng = np.random.default_rng(0)
    for left, right in [((5, 2, 3), (5, 3, 4)), ((2, 3), (5, 3, 4)), ((7, 1, 2, 3), (5, 3, 4)), ((3,), (5, 3, 4)),
                        ((5, 2, 3), (3,))]:
        tg.check_grads(tg.matmul, (rng.normal(size=left), rng.normal(size=right)))


def test_a_gather_with_repeated_indices_must_add():
    """Engines: "A gather with repeated indices must add"."""
    x = tg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    (x[[0, 0, 2, 0]] * np.array([1.0, 10.0, 100.0, 1000.0])).sum().backward()
    assert x.grad.tolist() == [1011, 0, 100]


def test_an_exception_inside_a_trace_leaks_its_state():
    """Engines: "An exception inside a trace leaks its state (autograd)"."""
    def breaks(x):
        if x > 1:
            raise KeyError("mine")
        return x * 2

    for use in (tg.grad(breaks), tg.grad(tg.grad(breaks)), lambda x: tg.vjp(breaks, x), tg.no_grad()(breaks)):
        with pytest.raises(KeyError, match="mine"):
            use(2.0)
        assert tg.is_grad_enabled()
        assert tg.grad(breaks)(0.5) == 2
    x = tg.tensor(1.0, requires_grad=True)
    hook = x.register_hook(lambda g: 1 / 0)
    y = x * 3
    with pytest.raises(ZeroDivisionError):
        y.backward()
    hook.remove()
    y.backward()
    assert x.grad == 3


def test_global_switches_are_not_thread_safe():
    """Engines: "global switches are not thread-safe (autograd, DeZero)"."""
    entered, done, seen = threading.Event(), threading.Event(), []

    def other():
        with tg.no_grad():
            entered.set()
            done.wait(10)
            seen.append(tg.is_grad_enabled())

    thread = threading.Thread(target=other)
    thread.start()
    assert entered.wait(10)
    x = tg.tensor(2.0, requires_grad=True)
    (x * x).backward()
    with tg.enable_grad():
        done.set()
        thread.join()
    assert (x.grad, seen) == (4, [False])

    async def waits(switch, answers):
        with switch():
            await asyncio.sleep(0)
            answers.append((switch is tg.enable_grad) == tg.is_grad_enabled())

    async def both():
        answers: list[bool] = []
        await asyncio.gather(*(waits(switch, answers) for switch in (tg.no_grad, tg.enable_grad) * 3))
        return answers

    assert asyncio.run(both()) == [True] * 6
    assert tg.is_grad_enabled()


@pytest.fixture
def halves():
    """An op with two outputs; the cotangent of one that nobody used is None."""
    def rule(g, y, x):
        return sum((c * factor for c, factor in zip(g, (2, 3), strict=True) if c is not None), 0 * x)

    @tg.op(outputs=2, vjp=(rule,))
    def halves(x):
        return 2 * x, 3 * x

    yield halves
    del OPS["halves"]


def test_two_outputs_one_dropped(halves):
    """Engines: "Two outputs, one dropped: crash on a dead weak reference (DeZero, chainer#2912)"."""
    for kept, factor in [(0, 2), (1, 3)]:
        x = tg.tensor([1.0, 2.0], requires_grad=True)
        outputs = list(halves(x))
        dropped = weakref.ref(outputs.pop(1 - kept))
        gc.collect()
        assert dropped() is None
        outputs[0].sum().backward()
        assert x.grad.tolist() == [factor, factor]
        assert len(tg.graph(outputs[0])) == 2
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    a, b = halves(x)
    (a * b).sum().backward()
    assert x.grad.tolist() == [12, 24]


def test_a_test_with_a_typo_never_ran():
    """Engines: "A test with a typo never ran and hid a wrong sign (HIPS/autograd#412)".

    Every function of the tests with an assertion runs: by its name, or because another calls it; and none is hidden
    behind a second one of its name.
    """
    asleep = []
    for path in sorted(Path(__file__).parent.glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        used |= {argument.arg for node in ast.walk(tree) if isinstance(node, ast.arguments) for argument in node.args}
        scopes = [tree, *(node for node in tree.body if isinstance(node, ast.ClassDef))]
        for scope in scopes:
            functions = [node for node in scope.body if isinstance(node, ast.FunctionDef)]
            names = Counter(function.name for function in functions
                            if not any("setter" in ast.unparse(mark) for mark in function.decorator_list))
            asleep += [f"{path.name}: two are called {name}" for name, count in names.items() if count > 1]
            for function in functions:
                asserts = any(isinstance(node, ast.Assert) for node in ast.walk(function))
                if asserts and scope is tree and not function.name.startswith(("test_", "pytest_")):
                    asleep += [] if function.name in used else [f"{path.name}: {function.name} is never called"]
        if not path.name.startswith("test_"):
            asleep += [f"{path.name}: {node.name} is in no file of tests" for node in tree.body
                       if isinstance(node, ast.FunctionDef) and node.name.startswith("test")]
    assert asleep == []
