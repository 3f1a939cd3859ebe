"""When a compiled step's program no longer fits, when a step is refused, and what a refusal leaves behind: nothing."""

from __future__ import annotations

import gc
import threading
from dataclasses import dataclass

import numpy as np
import pytest

import tinygraph as tg
from tinygraph.optim import Adam

pytestmark = pytest.mark.usefixtures("few_objects")

ONE = np.ones(2)


def counted(function, **options):
    """A compiled step and the list of its real calls, one entry each."""
    calls = []

    def step(*args):
        calls.append(1)
        return function(*args)
    return tg.compile(step, **options), calls


def weight(value=(1.0, 2.0), **options):
    return tg.tensor(np.array(value, float), requires_grad=True, name="w", **options)


# --- what is noticed ------------------------------------------------------------------------------------------------

def test_two_calls_are_recorded_and_no_more():
    w = weight()
    step, calls = counted(lambda x: w * x)
    for _ in range(6):
        step(ONE)
    assert len(calls) == 2


def test_a_tensor_that_is_replaced_is_noticed():
    model = {"w": weight()}
    step, calls = counted(lambda x: model["w"] * x)
    for _ in range(4):
        step(ONE)
    model["w"] = weight((5.0, 6.0))
    assert [step(ONE).data.tolist() for _ in range(3)] == [[5.0, 6.0]] * 3
    assert len(calls) == 4


def test_a_tensor_that_is_assigned_to_outside_is_noticed():
    count = tg.tensor([1.0])
    step, _ = counted(lambda: count * 2)
    for n in range(5):
        assert step().data.tolist() == [2.0 + 2 * n]
        count += 1


def test_whether_a_gradient_is_required_is_noticed():
    w, v = weight(), weight()

    def f(x):
        w.zero_grad()
        v.zero_grad()
        (w * v * x).sum().backward()
        return w.grad, v.grad
    step, calls = counted(f)
    for _ in range(3):
        step(ONE)
    v.requires_grad = False
    for _ in range(3):
        assert step(ONE)[1] is None
    assert len(calls) == 4


def test_a_step_may_toggle_it():
    w = weight()

    def f(x):
        w.requires_grad = not w.requires_grad
        return w * x
    step, _ = counted(f)
    step(ONE)
    assert w.requires_grad is False


def test_whether_a_module_is_trained_is_noticed():
    net = tg.nn.Sequential(tg.nn.Affine(2, 4), tg.nn.Dropout(0.5))
    step, calls = counted(net)
    x = np.ones((3, 2))
    kept = {step(x).data.tobytes() for _ in range(5)}
    assert len(kept) > 1
    net.eval()
    assert len({step(x).data.tobytes() for _ in range(5)}) == 1
    np.testing.assert_array_equal(step(x).data, net(x).data)
    assert len(calls) == 4
    net.train()
    assert len({step(x).data.tobytes() for _ in range(5)}) > 1


def test_no_grad_around_it_is_noticed():
    w = weight()

    def f(x):
        w.zero_grad()
        (w * x).sum().backward()
        return w.grad
    step, _ = counted(f)
    for _ in range(3):
        step(ONE)
    with tg.no_grad(), pytest.raises(tg.GradientError):
        step(ONE)


def test_under_debug_it_runs_as_it_is():
    w = weight()
    step, calls = counted(lambda x: np.log(w * x))
    for _ in range(3):
        step(ONE)
    with np.errstate(all="ignore"), tg.debug(), pytest.raises(tg.DebugError):
        step(-ONE)
    assert len(calls) == 3


@pytest.mark.parametrize(("a", "b"), [(0.0, -0.0), (1, True), (1, 1.0), ("a", "b"), (None, 0), ((1,), [1])])
def test_other_plain_arguments_are_another_program(a, b):
    step, calls = counted(lambda x, y: x * 2)
    for _ in range(3):
        step(ONE, a)
        step(ONE, b)
    assert len(calls) == 4


def test_numbers_that_numpy_made_are_arrays_and_nan_is_itself():
    step, calls = counted(lambda x, rate: x * rate)
    assert [step(ONE, np.float64(n))[0] for n in range(5)] == [0, 1, 2, 3, 4]
    assert len(calls) == 2
    for _ in range(3):
        step(ONE, float("nan"))
    assert len(calls) == 4


def test_a_model_that_cannot_be_hashed_may_be_an_argument():
    @dataclass
    class Model:
        w: tg.Tensor
    model = Model(weight())

    def f(model, x):
        model.w.data -= x
        return model.w * 1
    step, calls = counted(f)
    assert [step(model, ONE).data[1] for _ in range(4)] == [1, 0, -1, -2]
    assert len(calls) == 2


def test_programs_are_kept_for_a_few_signatures_and_churn_is_said():
    step, calls = counted(lambda x: x * 2)
    for n in range(31):
        step(np.ones(n))
    with pytest.warns(RuntimeWarning, match="step is recorded again and again"):
        step(np.ones(31))
    for _ in range(3):
        step(np.ones(31))
    assert len(calls) == 33
    w = None

    def anew():
        return w * 2
    step, _ = counted(anew)
    for n in range(31):
        w = tg.tensor([float(n)])
        assert step().data.tolist() == [2.0 * n]
    w = tg.tensor([5.0])
    with pytest.warns(RuntimeWarning, match="tensors that are made anew for each call"):
        step()


def test_an_inner_compiled_step_without_arguments_belongs_to_the_outer_one():
    w = weight()
    inner, _ = counted(lambda: w.data.__imul__(0.5))
    step, _ = counted(lambda x: (inner(), w * x)[1])
    assert [step(ONE).data[0] for _ in range(4)] == [0.5, 0.25, 0.125, 0.0625]


# --- what is refused ------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("act", "words"), [
    (lambda t: t if t > 1 else -t, "`if`"), (lambda t: t.data or 1, "`if` asks"), (float, r"item\(\)"), (int,
        r"item\(\)"), (lambda t: t.item(), r"item\(\)"),
    (lambda t: np.asarray(t.data), "plain array"), (lambda t: np.zeros(1).__setitem__(0, t.data), "float"),
    (lambda t: f"{t:.3f}", r"item\(\)"), (lambda t: f"{t}", "formatted"), (str, "printed"), (repr, "printed"),
    (lambda t: [0, 1][t.astype(int)], "index or count|item"), (lambda t: range(t.data.astype(int)), "index or count"),
    (lambda t: list(t.data), "iterated over"), (lambda t: t.tolist(), "a list"), (lambda t: 1.0 in t.data,
        "`in` looks"),
    (lambda t: np.allclose(t.data, 1.0), "answers with a bool"), (lambda t: t.data.tobytes(), "bytes"),
    (lambda t: np.array_str(np.stack([t.data])), "answers with a str"),
])
def test_a_value_read_by_python_is_refused_with_the_line(act, words):
    w = weight()
    step = tg.compile(lambda x: act((w * x).sum()))
    with pytest.raises(tg.TraceError,
        match=rf"reads a value .*({words}).*return it and read it outside.*guards\.py:\d+"):
        step(ONE)
    assert type(w.data) is np.ndarray


@pytest.mark.parametrize("act", [lambda i: np.eye(3)[i], lambda i: np.take(np.eye(3), i, axis=0)])
def test_a_plain_array_read_with_an_argument_is_refused_and_the_remedy_is_recorded(act):
    with pytest.raises(tg.TraceError, match=r"tg\.take\(array, index, axis=0\) is recorded \(test_compile_guards\.py"):
        tg.compile(act)(np.array([0, 2]))
    for recorded, axis in ((lambda i: tg.take(np.eye(3), i, axis=0), 0), (lambda i: tg.tensor(np.eye(3))[i].data, 0),
                           (lambda i: tg.tensor(np.tri(3))[:, i].data, 1)):
        step, calls = counted(recorded)
        for labels in ([0, 2], [1, 1], [2, 0], [1, 2]):
            table = np.tri(3) if axis else np.eye(3)
            assert np.array_equal(step(np.array(labels)), np.take(table, labels, axis))
        assert len(calls) == 2


def test_a_wrapped_layer_is_refused_by_its_name():
    class Double:
        def forward(self, x):
            return 2 * x

        def backward(self, dout):
            return 2 * dout
    layer, w = tg.nn.wrap_layer(Double()), weight()
    with pytest.raises(tg.TraceError, match=r"^Double: a layer from wrap_layer is code .* \(test_compile_guards\.py"):
        tg.compile(lambda x: layer(w * x))(ONE)


def test_what_is_static_may_be_read():
    def f(x):
        assert (len(x), x.shape, x.ndim, x.size, x.dtype, x.nbytes, np.shape(x)) == (3, (3, 2), 2, 6, float, 48, (3, 2))
        return sum(row * i for i, row in enumerate(x))
    step, _ = counted(f)
    for _ in range(3):
        assert step(np.ones((3, 2))).tolist() == [3.0, 3.0]


@pytest.mark.parametrize("act", [
    lambda x: x[x > 0], np.nonzero, np.unique, np.flatnonzero, np.argwhere, lambda x: np.compress(x > 0, x),
    lambda x: np.extract(x > 0, x), np.where, lambda x: np.repeat(x, x.astype(int)), lambda x: np.union1d(x, x),
        np.trim_zeros,
    lambda x: np.bincount(x.astype(int)), lambda x: x.nonzero(), lambda x: np.split(x, x.astype(int)),
        lambda x: np.ix_(x > 0),
])
def test_a_shape_that_depends_on_values_is_refused_by_name(act):
    with pytest.raises(tg.TraceError,
        match=r"(np\.\w+|an index with a mask) gives an array whose shape depends on values"):
        tg.compile(act)(ONE)


def test_counting_into_bins_has_a_remedy_of_its_own():
    with pytest.raises(tg.TraceError, match=r"np\.bincount gives .*; tg\.scatter_add\(weights, x, \(n,\)\) adds up"):
        tg.compile(lambda x, w: np.bincount(x, w))(np.array([0, 2]), ONE)
    step, _ = counted(lambda x, w: tg.scatter_add(w, x, (3,)))
    for places in ([0, 2], [1, 1], [2, 0]):
        assert np.array_equal(step(np.array(places), ONE), np.bincount(places, ONE, 3))


def test_what_an_array_cannot_do_here_is_refused_by_name():
    for name in ("view", "flat", "ctypes", "strides"):
        with pytest.raises(tg.TraceError, match=rf"uses \.{name} of an array"):
            tg.compile(lambda x, name=name: getattr(x, name))(ONE)
    with pytest.raises(AttributeError):
        tg.compile(lambda x: x.no_such_thing)(ONE)


@pytest.mark.parametrize(("x", "words"), [
    (np.ma.array([1.0], mask=[True]), "a MaskedArray was given"), (np.array(["a"]), "an array of <U1 was given"),
    (tg.tensor([1.0], requires_grad=True), "requires a gradient"), (tg.tensor([1.0], requires_grad=True) * 2,
        "with a past"),
])
def test_arguments_that_are_no_plain_arrays_of_numbers_are_refused(x, words):
    with pytest.raises(tg.TraceError, match=words):
        tg.compile(lambda x: x)(x)


def test_a_tensor_that_requires_a_gradient_is_refused_at_any_call():
    step = tg.compile(lambda x: (x * x).sum())
    for _ in range(3):
        step(tg.tensor(ONE))
    with pytest.raises(tg.TraceError, match="requires a gradient"):
        tg.grad(step)(ONE)


def test_what_is_kept_outside_is_refused():
    w, kept = weight(), []
    for act in (lambda x: kept.append(tg.tanh(w * x)), lambda x: kept.append(x * 2),
        lambda x: kept.append({"a": [x + 1]})):
        with pytest.raises(tg.TraceError, match=r"the step keeps .* outside of itself"):
            tg.compile(act)(ONE)
        kept.clear()
    step = tg.compile(lambda x: kept.append((w * x).detach()))
    step(ONE)
    with pytest.raises(tg.TraceError, match="makes a tensor at each call that is kept outside"):
        step(ONE)
    assert [type(t.data) for t in kept] == [np.ndarray] * 2


def test_a_tensor_that_the_first_call_makes_is_state_of_the_later_ones():
    model = {}

    def f(x):
        if "mean" not in model:
            model["mean"] = tg.tensor(x * 0)
        model["mean"].data = 0.5 * model["mean"].data + x
        return model["mean"] * 1
    step, calls = counted(f)
    assert [step(ONE).data[0] for _ in range(5)] == [1.0, 1.5, 1.75, 1.875, 1.9375]
    assert len(calls) == 3


def test_a_cycle_keeps_nothing():
    class Layer:
        pass
    w = weight()

    def f(x):
        layer = Layer()
        layer.itself, layer.out = layer, tg.tanh(w * x)
        return layer.out * 2
    step, calls = counted(f)
    for _ in range(4):
        step(ONE)
    assert len(calls) == 2


@pytest.mark.parametrize("make", [
    lambda: next(NUMBERS), lambda: np.array(next(NUMBERS)), lambda: {"a": [next(NUMBERS)]},
        lambda: tg.tensor(next(NUMBERS)),
])
def test_a_result_that_differs_is_refused(make):
    step = tg.compile(lambda x: make())
    step(ONE)
    with pytest.raises(tg.TraceError, match=r"the step returned|in what the step returns or updates, a plain"):
        step(ONE)


NUMBERS = iter(range(100))


def test_calls_that_differ_are_refused():
    w, functions = weight(), [np.sin, np.cos]
    step = tg.compile(lambda x: functions.pop()(w * x))
    step(ONE)
    with pytest.raises(tg.TraceError,
        match=r"the first call of the step called cos where the second called sin \(.*py:\d+\)"):
        step(ONE)
    more = [1, 2]
    step = tg.compile(lambda x: sum(w * x for _ in range(more.pop())))
    step(ONE)
    with pytest.raises(tg.TraceError, match="did not make the same calls"):
        step(ONE)


def test_gradients_that_add_up_are_found_out_at_the_second_call():
    w = weight()
    step = tg.compile(lambda x: (w * x).sum().backward())
    step(ONE)
    assert w.grad.tolist() == [1.0, 1.0]
    with pytest.raises(tg.TraceError, match=r"call zero_grad\(\) in it"):
        step(ONE)
    assert w.grad.tolist() == [1.0, 1.0]


def test_gradients_may_be_cleared_outside():
    w = weight()
    step, calls = counted(lambda x: (w * x).sum().backward())
    for _ in range(4):
        step(ONE)
        w.zero_grad()
    assert len(calls) == 2


# --- what a refusal leaves ---------------------------------------------------------------------------------------

def test_an_exception_puts_back_all_that_there_was():
    w = weight()
    optimizer = Adam([w], lr=0.1)
    w.grad = np.array([3.0, 4.0])
    fail = [False]

    def f(x):
        optimizer.zero_grad()
        (w * x).sum().backward()
        optimizer.step()
        optimizer.lr = 0.5
        w.requires_grad = False
        if fail[0]:
            raise KeyError("no")
        w.requires_grad = True
    before, state, grad = w.data.copy(), optimizer.state(), w.grad
    fail[0] = True
    with pytest.raises(KeyError):
        tg.compile(f)(ONE)
    after = optimizer.state()
    assert w.data.tolist() == before.tolist()
    assert w.grad is grad
    assert w.requires_grad
    assert (after["steps"], after["settings"]) == (state["steps"], state["settings"])
    assert after["slots"]["exp_avg"]["0"].tolist() == [0.0, 0.0]
    fail[0] = False
    tg.compile(f)(ONE)
    assert optimizer.lr == 0.5


def test_a_second_call_that_differs_changes_nothing_and_a_fallback_does_it_once():
    for fallback in (False, True):
        w, rate = weight(), [0.5]

        def f(x, w=w, rate=rate):
            rate[0] *= 2
            w.data -= rate[0] * x
        step = tg.compile(f, fallback=fallback)
        step(ONE)
        assert w.data.tolist() == [0.0, 1.0]
        if fallback:
            with pytest.warns(RuntimeWarning, match="was 1.0 at the first call"):
                step(ONE)
            assert w.data.tolist() == [-4.0, -3.0]  # a Python number goes on, and the recording moved it already
        else:
            with pytest.raises(tg.TraceError):
                step(ONE)
            assert w.data.tolist() == [0.0, 1.0]


def test_an_exception_in_the_program_leaves_every_weight():
    w, v = weight(), weight()
    labels = np.array([0, 1])

    def f(x, t):
        w.data -= 0.1
        v.zero_grad()
        tg.softmax_with_loss(tg.tensor(x) * v, t).backward()
        v.data -= v.grad
    step = tg.compile(f)
    for _ in range(3):
        step(np.ones((2, 2)), labels)
    before = w.data.copy(), v.data.copy()
    with pytest.raises(tg.ArgumentError, match="class indices"):
        step(np.ones((2, 2)), labels + 5)
    np.testing.assert_array_equal((w.data, v.data), before)


def test_nothing_of_a_refusal_stays_behind():
    w, kept = weight(), []

    def f(x):
        kept.append(w * x)
        raise KeyError
    with pytest.raises(KeyError):
        tg.compile(f)(ONE)
    with pytest.raises(tg.TraceError, match="used after it; return it from the step"):
        kept[0] * 2
    kept.clear()
    gc.collect()
    assert (w * 2).data.tolist() == [2.0, 4.0]


# --- threads -------------------------------------------------------------------------------------------------------

def test_other_threads_work_on_the_real_weights_while_a_step_is_recorded():
    w, v = weight(), tg.tensor([5.0], name="v")
    inside, done, seen = threading.Event(), threading.Event(), []

    def f(x):
        w.data -= x
        inside.set()
        assert done.wait(10)
        return w * 1

    def other():
        inside.wait(10)
        seen.append((w * 2).data)
        seen.append(w.data[::-1] + 0)
        seen.append(np.asarray(w.data).copy())
        v.data += 1.0
        done.set()
    thread = threading.Thread(target=other)
    thread.start()
    step = tg.compile(f)
    assert step(ONE).data.tolist() == [0.0, 1.0]
    thread.join()
    assert [a.tolist() for a in seen] == [[2.0, 4.0], [2.0, 1.0], [1.0, 2.0]]
    assert v.data.tolist() == [6.0]
    step(ONE)
    assert "reverse" not in step.source
    assert step.source.count("np.subtract") == 1


def test_a_tensor_that_another_thread_has_only_begun_to_make_is_in_nobodys_way():
    begun, w = tg.Tensor.__new__(tg.Tensor), weight((1.0, 2.0))
    step = tg.compile(lambda x: w * x)
    assert step(ONE).data.tolist() == step(ONE).data.tolist() == [1.0, 2.0]
    assert not hasattr(begun, "node")


def test_steps_are_compiled_in_several_threads_at_once():
    results = {}

    def work(n):
        w = weight((float(n), 1.0))

        def f(x):
            w.zero_grad()
            loss = ((w * x) ** 2).sum()
            loss.backward()
            w.data -= 0.1 * w.grad
            return loss
        step = tg.compile(f)
        results[n] = [step(ONE).item() for _ in range(20)]
    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for n in range(6):
        np.testing.assert_allclose(results[n], [(n * n + 1) * 0.64 ** i for i in range(20)], rtol=1e-12)
