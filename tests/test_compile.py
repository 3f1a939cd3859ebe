"""tg.compile: what it runs equals the step itself, or it refuses by name."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading

import numpy as np
import pytest

import tinygraph as tg
from models.two_layer_net import TwoLayerNet
from tinygraph.optim import SGD


def net_step(net, rate=0.1):
    def step(x, t):
        for w in net.params.values():
            w.zero_grad()
        loss = net.loss(x, t)
        loss.backward()
        for w in net.params.values():
            w.data -= net.params["W1"].dtype.type(rate) * w.grad
        return loss
    return step


def batches(n, dtype, one_hot=False, size=20):
    rng = np.random.default_rng(1)
    for _ in range(n):
        t = rng.integers(0, 3, size)
        yield rng.random((size, 8)).astype(dtype), np.eye(3, dtype=dtype)[t] if one_hot else t


@pytest.mark.parametrize("one_hot", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_training_step_gives_what_eager_gives(dtype, one_hot):
    eager, compiled = (TwoLayerNet(8, 5, 3, weight_init_std=0.5, seed=0, dtype=dtype) for _ in range(2))
    a, b = net_step(eager), tg.compile(net_step(compiled))
    tolerance = 1e-5 if dtype is np.float32 else 1e-13
    for x, t in batches(30, dtype, one_hot):
        np.testing.assert_allclose(b(x, t).data, a(x, t).data, rtol=tolerance)
    for name, w in eager.params.items():
        np.testing.assert_allclose(compiled.params[name].data, w.data, rtol=tolerance, atol=tolerance)
        assert compiled.params[name].dtype == dtype
    assert "np.dot(x, W1, out=" in b.source
    assert "test_compile.py" not in b.source.split("np.dot(x, W1")[0].splitlines()[-1]
    assert "# affine, two_layer_net.py:" in b.source


def test_labels_are_checked_at_every_call():
    net = TwoLayerNet(8, 5, 3, seed=0)
    step = tg.compile(net_step(net))
    for x, t in batches(3, float):
        step(x, t)
    before = {name: w.data.copy() for name, w in net.params.items()}
    with pytest.raises(tg.ArgumentError, match="class indices go from 0 to 2"):
        step(x, t + 3)
    for name, w in net.params.items():
        np.testing.assert_array_equal(w.data, before[name])


def test_an_optimiser_with_momentum_and_another_shape():
    def make():
        net = TwoLayerNet(8, 5, 3, weight_init_std=0.5, seed=0)
        optimizer = SGD(net.params, lr=0.1)

        def step(x, t):
            optimizer.zero_grad()
            loss = net.loss(x, t)
            loss.backward()
            optimizer.step()
            return {"loss": loss, "n": len(x)}
        return net, step
    eager, a = make()
    compiled, b = make()
    b = tg.compile(b)
    for size in (20, 20, 7, 20, 7, 7, 20):
        for x, t in batches(1, float, size=size):
            got, wanted = b(x, t), a(x, t)
            assert got["n"] == wanted["n"] == size
            np.testing.assert_allclose(got["loss"].data, wanted["loss"].data, rtol=1e-13)
    np.testing.assert_allclose(compiled.params["W1"].data, eager.params["W1"].data, rtol=1e-12, atol=1e-13)


def test_results_never_alias_a_buffer_or_an_argument():
    w = tg.tensor(np.ones(4), requires_grad=True)

    @tg.compile
    def step(x):
        return w * x, x.T, w.detach() + 0
    results = [step(np.full(4, float(i))) for i in range(5)]
    for i, (y, view, held) in enumerate(results):
        np.testing.assert_array_equal(y.data, np.full(4, float(i)))
        np.testing.assert_array_equal(view, np.full(4, float(i)))
        held.data[...] = 9.0
    np.testing.assert_array_equal(w.data, np.ones(4))


def test_two_weights_exchange_their_values():
    a, b = tg.tensor([1.0, 2.0]), tg.tensor([3.0, 4.0])

    @tg.compile
    def swap():
        old = a.data + 0
        with tg.no_grad():
            a[...] = b
            b[...] = old
    for _ in range(5):
        swap()
    assert (a.data.tolist(), b.data.tolist()) == ([3.0, 4.0], [1.0, 2.0])


def test_what_is_returned_of_a_weight_is_what_it_was_before_the_update():
    def make():
        w, v = tg.tensor([1.0, 2.0], requires_grad=True), tg.tensor([0.0, 0.0])

        def step(x):
            before = w * 1.0
            w.data -= x
            with tg.no_grad():
                v[...] = before
            return before
        return w, v, step
    w, v, eager = make()
    w2, v2, step = make()
    step = tg.compile(step)
    for _ in range(5):
        np.testing.assert_array_equal(step(np.ones(2)).data, eager(np.ones(2)).data)
        np.testing.assert_array_equal(v2.data, v.data)
        np.testing.assert_array_equal(w2.data, w.data)


def test_an_argument_that_shares_memory_with_what_is_written_is_refused():
    w = tg.tensor([1.0, 2.0], requires_grad=True, name="w")

    @tg.compile
    def step(x):
        w.data -= 0.5 * x
    with pytest.raises(tg.TraceError, match="writes into w, which shares memory with an argument"):
        step(w.data[::-1])
    for _ in range(3):
        step(np.ones(2))
    with pytest.raises(tg.TraceError, match="an argument shares memory with a tensor that the step writes into"):
        step(w.data[:])
    assert w.data.tolist() == [-0.5, 0.5]


def test_an_argument_that_shares_memory_runs_the_step_as_it_is_where_that_is_allowed():
    w = tg.tensor([1.0, 2.0], requires_grad=True)

    def f(x):
        w.data -= 0.5 * x
    step = tg.compile(f, fallback=True)
    for _ in range(4):  # from here on the arguments are known again by their looks
        step(np.zeros(2))
    with pytest.warns(RuntimeWarning, match="runs without being compiled: an argument shares memory"):
        step(w.data[:])
    assert w.data.tolist() == [0.5, 1.0]
    step(w.data[:])
    assert w.data.tolist() == [0.25, 0.5]


def test_an_argument_may_be_a_weights_own_array_where_nothing_is_written():
    w = tg.tensor([1.0, 2.0], requires_grad=True)
    step = tg.compile(lambda x: w * x)
    assert [step(w.data).data.tolist() for _ in range(4)] == [[1.0, 4.0]] * 4


def test_regularisation_alone_touches_weights_that_meet_no_argument():
    w = tg.tensor([1.0, 2.0], requires_grad=True)

    @tg.compile
    def step():
        w.zero_grad()
        loss = (w * w).sum()
        loss.backward()
        w.data -= 0.25 * w.grad
        return loss
    assert [step().item() for _ in range(4)] == [5.0, 1.25, 0.3125, 0.078125]


def test_a_rebound_array_is_noticed():
    w = tg.tensor([1.0, 2.0], requires_grad=True)

    @tg.compile
    def step(x):
        return (w * x).sum()
    x = np.ones(2)
    assert [step(x).item() for _ in range(3)] == [3.0] * 3
    w.data = np.array([10.0, 20.0])
    assert step(x).item() == 30.0
    w.data = np.array([1.0, 2.0, 3.0])
    assert [step(np.ones(3)).item() for _ in range(3)] == [6.0] * 3


def test_a_new_array_for_the_weight_leaves_the_old_one_alone():
    w = tg.tensor([1.0, 2.0], requires_grad=True)

    @tg.compile
    def step(x):
        w.data = w.data * x
    arrays = []
    for _ in range(4):
        arrays.append(w.data)
        step(np.full(2, 2.0))
    assert [a.tolist() for a in arrays] == [[1, 2], [2, 4], [4, 8], [8, 16]]
    assert w.data.tolist() == [16.0, 32.0]


@pytest.mark.parametrize("reading", [lambda t: t if t > 1 else -t, float, lambda t: t.item(), lambda t: int(t),
                                     lambda t: np.asarray(t.data), lambda t: list(t.data), lambda t: f"{t:.3f}"])
def test_a_value_read_by_python_is_refused_with_the_line(reading):
    w = tg.tensor(2.0, requires_grad=True)
    step = tg.compile(lambda x: reading((w * x).sum()))
    with pytest.raises(tg.TraceError, match=r"reads a value .*test_compile.py:\d+"):
        step(np.ones(2))
    assert w.data == 2.0
    assert type(w.data) is np.ndarray


def test_fallback_runs_eagerly_and_says_so_once():
    w = tg.tensor(2.0, requires_grad=True)

    def f(x):
        y = (w * x).sum()
        return y if y > 1 else -y
    step = tg.compile(f, fallback=True)
    with pytest.warns(RuntimeWarning, match="f runs without being compiled"):
        assert step(np.ones(2)).item() == 4.0
    assert step(-np.ones(2)).item() == 4.0


def test_what_changes_between_calls_is_refused():
    w = tg.tensor([1.0], requires_grad=True)
    rate = [0.5]

    @tg.compile
    def number(x):
        rate[0] *= 2
        return w * x * rate[0]
    number(np.ones(1))
    with pytest.raises(tg.TraceError, match=r"was 1.0 at the first call and 2.0 at the second.*test_compile"):
        number(np.ones(1))
    mask = np.zeros(1)

    @tg.compile
    def array(x):
        mask[0] += 1
        return w * x * mask
    array(np.ones(1))
    with pytest.raises(tg.TraceError, match="a plain array had other numbers at the second call"):
        array(np.ones(1))


def test_a_tensor_from_outside_that_is_assigned_to_is_state():
    count, before = tg.tensor([1.0], name="count"), []

    @tg.compile
    def step(x):
        nonlocal count
        count += x
        count[0] = count[0] * 2
        return count * 1
    for wanted in (4.0, 10.0, 22.0, 46.0):
        before.append(count.data)
        assert step(np.ones(1)).data.tolist() == [wanted]
        assert count.data.tolist() == [wanted]
    assert count.name == "count"
    assert [a.tolist() for a in before] == [[1.0], [4.0], [10.0], [22.0]]


def test_a_tensor_from_outside_that_is_given_a_past_is_refused_and_stays_as_it_was():
    total, w = tg.tensor([1.0]), tg.tensor([1.0], requires_grad=True)

    @tg.compile
    def step(x):
        nonlocal total
        total += w * x
        return total * 1
    with pytest.raises(tg.TraceError, match="no later call would see that graph"):
        step(np.ones(1))
    assert total.data.tolist() == [1.0]
    assert type(total.data) is np.ndarray


def test_a_plain_array_that_is_written_to_is_refused():
    total = np.zeros(2)

    @tg.compile
    def step(x):
        nonlocal total
        total += x
        return x
    with pytest.raises(tg.TraceError, match="writes into a plain array"):
        step(np.ones(2))
    assert total.tolist() == [0.0, 0.0]


def test_a_shape_that_depends_on_values_is_refused():
    @tg.compile
    def step(x):
        return x[x > 0]
    with pytest.raises(tg.TraceError, match="depends on values"):
        step(np.array([1.0, -1.0]))


def test_an_exception_in_a_recording_leaves_everything_as_it_was():
    w = tg.tensor([1.0, 2.0], requires_grad=True)

    @tg.compile
    def step(x):
        w.data -= x
        raise KeyError("no")
    with pytest.raises(KeyError):
        step(np.ones(2))
    assert w.data.tolist() == [1.0, 2.0]
    assert type(w.data) is np.ndarray


def test_indexing_assignment_and_gathers_with_repeats():
    w = tg.tensor(np.arange(6.0).reshape(2, 3), requires_grad=True)

    def f(x, i):
        w.zero_grad()
        y = w[:, i] * x
        z = y + 0
        z[0] = x
        loss = (z * z).sum() + y[..., 1:].sum()
        loss.backward()
        grad = w.grad.copy()
        w.data -= 0.01 * w.grad
        return loss, grad
    rng = np.random.default_rng(0)
    data = [(rng.random(4), np.array([0, 0, 2, 1])) for _ in range(5)]
    start = w.data.copy()
    wanted = [f(x, i) for x, i in data]
    end = w.data.copy()
    w.data[...] = start
    step = tg.compile(f)
    for (x, i), (loss, grad) in zip(data, wanted, strict=True):
        got, got_grad = step(x, i)
        np.testing.assert_allclose(got.data, loss.data, rtol=1e-13)
        np.testing.assert_allclose(got_grad, grad, rtol=1e-13)
    np.testing.assert_allclose(w.data, end, rtol=1e-13)


def test_second_derivatives_compile():
    w = tg.tensor([0.5, -1.0], requires_grad=True)

    def f(x):
        return tg.grad(lambda v: (tg.grad(lambda u: (tg.tanh(u * w) * u).sum())(v) * x).sum())(x)
    step = tg.compile(f)
    for x in np.random.default_rng(0).random((4, 2)):
        np.testing.assert_allclose(step(x).data, f(x).data, rtol=1e-13)


def test_threads_have_buffers_of_their_own():
    w = tg.tensor(np.ones((50, 50)))
    step = tg.compile(lambda x: tg.tanh(x @ w).sum(axis=0))
    xs = [np.full((50, 50), 0.01 * i) for i in range(8)]
    wanted = [step(x).data for x in xs]
    wrong = []

    def work(i):
        wrong.extend(i for _ in range(50) if not np.array_equal(step(xs[i]).data, wanted[i]))
    threads = [threading.Thread(target=work, args=(i,)) for i in range(2, 8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_gradients_that_add_up_over_calls_are_refused():
    w = tg.tensor([1.0], requires_grad=True)

    @tg.compile
    def step(x):
        (w * x).sum().backward()
    w.grad = np.ones(1)
    with pytest.raises(tg.TraceError, match="zero_grad"):
        step(np.ones(1))


def test_nothing_of_a_recording_stays_behind():
    w = tg.tensor([1.0], requires_grad=True)
    step = tg.compile(lambda x: (w * x).sum())
    for _ in range(3):
        step(np.ones(1))
    gc.collect()
    from tinygraph.compiler.record import Traced
    tensors = [o for o in gc.get_objects() if type(o) is tg.Tensor]
    assert [t for t in tensors if isinstance(t.node.value, Traced) or isinstance(t.node.grad, Traced)] == []


def test_one_compiled_step_may_call_another():
    w = tg.tensor([2.0, 3.0], requires_grad=True)
    double = tg.compile(lambda x: w * x)
    step = tg.compile(lambda x: double(x).sum())
    assert [step(np.ones(2)).item() for _ in range(4)] == [5.0] * 4


def compiled_net():
    net = TwoLayerNet(8, 5, 3, weight_init_std=0.5, seed=0)
    step = tg.compile(net_step(net))
    for x, t in batches(3, float):
        step(x, t)
    return net, step, x, t


def test_a_method_is_compiled_for_each_object():
    class Net:
        def __init__(self, start):
            self.w = tg.tensor(np.full(2, float(start)), requires_grad=True)

        def plain(self, x):
            self.w.zero_grad()
            loss = np.sum(self.w * x)
            loss.backward()
            self.w.data -= 0.5 * self.w.grad
            return loss

        step = tg.compile(plain)
    nets, same = (Net(1), Net(2)), (Net(1), Net(2))
    for _ in range(4):
        for net, other in zip(nets, same, strict=True):
            assert net.step(np.ones(2)).item() == other.plain(np.ones(2)).item()
    assert "np.subtract(" in nets[0].step.source
    assert Net.step is Net.__dict__["step"]


def test_a_report_tells_what_each_line_takes_and_changes_nothing():
    net, step, x, t = compiled_net()
    before = {name: w.data.copy() for name, w in net.params.items()}
    report = step.report(repeats=20)
    assert len(report.seconds) == len(report.lines) == len(str(report).splitlines()) - 2
    (first,) = [line for line in report.lines if "np.dot(x, W1" in line.text]
    assert first.flops == 2 * 20 * 8 * 5
    assert first.nbytes == 8 * (20 * 8 + 8 * 5 + 20 * 5)
    assert sum(report.seconds) > 0
    for name, w in net.params.items():
        np.testing.assert_array_equal(w.data, before[name])


def test_a_saved_program_runs_with_numpy_alone(tmp_path):
    net, step, x, t = compiled_net()
    step.save(tmp_path / "saved.py")
    weights = [w.data.copy() for w in net.params.values()]
    np.savez(tmp_path / "given.npz", x, t, *weights)
    script = """
import sys, numpy as np
sys.path.insert(0, sys.argv[1])
import saved
given = list(np.load(sys.argv[1] + "/given.npz").values())
loss, = saved.step(*given)
assert not any(name.startswith("tinygraph") for name in sys.modules)
np.savez(sys.argv[1] + "/made.npz", loss, *given[2:])
"""
    subprocess.run([sys.executable, "-I", "-c", script, str(tmp_path)], check=True)
    loss, *made = np.load(tmp_path / "made.npz").values()
    assert loss == step(x, t).data
    for w, array in zip(net.params.values(), made, strict=True):
        np.testing.assert_array_equal(w.data, array)


def test_before_there_is_a_program_nothing_is_reported():
    step = tg.compile(lambda x: x * 2)
    assert step.source == ""
    with pytest.raises(tg.TraceError, match="has no program yet"):
        step.report()


def test_a_line_is_the_users_also_where_numpy_calls_back():
    """An operator of a plain array goes through NumPy's own Python code on a recording array."""
    w = tg.tensor(np.ones((2, 3)), requires_grad=True)

    @tg.compile
    def step(x):
        w.zero_grad()
        (x @ w).sum().backward()
        return w.grad
    for _ in range(3):
        step(np.ones((4, 2)))
    assert "backward of matmul, test_compile.py" in step.source
    assert "mixins.py" not in step.source
