"""What a compiled step writes: every name of an array sees it as in memory, and nothing else does."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygraph as tg

pytestmark = pytest.mark.usefixtures("few_objects")


def both(make, *calls):
    """Whether four calls of a compiled step give what the step gives, and leave its tensors and arguments the same.

    ``make`` gives a step and the tensors that it works on.
    """
    (eager, tensors), (step, others) = make(), make()
    step = tg.compile(step)
    for args in calls or [()] * 4:
        ours, theirs = ([np.array(a, order="K") for a in args] for _ in range(2))
        wanted, got = eager(*ours), step(*theirs)
        compare(got, wanted)
        compare(theirs, ours)
        compare([t.data for t in others], [t.data for t in tensors])
    return step


def compare(got, wanted):
    if isinstance(wanted, list | tuple):
        assert type(got) is type(wanted)
        assert len(got) == len(wanted)
        for a, b in zip(got, wanted, strict=True):
            compare(a, b)
    elif isinstance(wanted, dict):
        assert list(got) == list(wanted)
        compare(list(got.values()), list(wanted.values()))
    elif isinstance(wanted, tg.Tensor | np.ndarray | np.generic):
        assert got.dtype == wanted.dtype
        got, wanted = (x.data if isinstance(x, tg.Tensor) else x for x in (got, wanted))
        # Sums over rows are added in another order.
        np.testing.assert_allclose(got, wanted, rtol=1e-5 if wanted.dtype == np.float32 else 1e-12, atol=1e-12)
    else:
        assert got == wanted


def weights(*arrays):
    return [tg.tensor(np.array(a, float), requires_grad=True, name=f"w{i}") for i, a in enumerate(arrays)]


X = np.arange(12.0).reshape(4, 3)

LOCAL = {
    "a view made before": lambda a: (v := a[1:], a.__setitem__(0, 9.0), a.__setitem__((slice(None), 0), -1.0),
        v)[-1] * 1,
    "through a view": lambda a: (a[1:].__setitem__((Ellipsis, 0), 5.0), a)[-1],
    "through a view of a view": lambda a: (a.T[1:][:, ::2].__setitem__(Ellipsis, 5.0), a)[-1],
    "overlapping views": lambda a: (a[1:].__setitem__(Ellipsis, a[:-1]), a)[-1],
    "through reshape": lambda a: (a.reshape(-1).__setitem__(slice(2, 5), 7.0), a.ravel().__setitem__(0, 3.0), a)[-1],
    "through split": lambda a: (np.split(a, 2)[1].__setitem__(0, 7.0), a)[-1],
    "out= a view": lambda a: (np.exp(a[:2], out=a[2:]), a)[-1],
    "out= with where": lambda a: (np.divide(a, a - 3.0, out=a, where=a > 4), a)[-1],
    "out= of a reduction": lambda a: (np.sum(a, axis=0, out=a[0]), np.add.reduce(a, axis=0, out=a[1]), a)[-1],
    "two results": lambda a: (np.divmod(a, 2.0, out=(a[:], np.zeros_like(a))), a)[-1],
    "ufunc.at": lambda a: (np.add.at(a, [0, 0, 2], 1.0), np.maximum.at(a, (0, [1, 1]), 50.0), np.negative.at(a, 3),
        a)[-1],
    "copyto": lambda a: (np.copyto(a, 0.5, where=a > 4), np.copyto(a[0], a[1]), a)[-1],
    "put": lambda a: (np.put(a, [0, 5], [1.0, 2.0]), a.put(1, 8.0), np.putmask(a, a > 9, -1.0), a)[-1],
    "fill_diagonal": lambda a: (np.fill_diagonal(a, 0.0), np.put_along_axis(a, np.array([[1]] * 4), 3.0, 1), a)[-1],
    "fill and sort": lambda a: (a[0].fill(2.0), a[:, ::-1].sort(axis=0), a[1].partition(1), a)[-1],
    "a mask": lambda a: (a.__setitem__(a > 4, 0.0), a)[-1],
    "an array for an index": lambda a: (a.__setitem__(np.argsort(a[:, 0])[:2], a[2:]), a)[-1],
    "with leading ones": lambda a: (a.__setitem__(Ellipsis, np.ones((1, 1, 4, 3))), a.__setitem__(slice(None), [1, 2,
        3]), a)[-1],
    "a reshaped view, whatever the layout": lambda a: (b := a * 1, v := b.reshape(-1), w := b.T.reshape(-1),
        b.__setitem__(Ellipsis, 0.25), b.__iadd__(a), [v * 1, w * 1, b])[-1],
    "nothing": lambda a: (a[:0].__setitem__(Ellipsis, 1.0), a)[-1],
    "an integer array": lambda a: (i := a.astype(int), i.__setitem__(0, 2.9), i.__iadd__(1), i)[-1],
    "a complex one's part": lambda a: (c := a + 0j, c.imag.__setitem__(Ellipsis, 2.0), c.real.__setitem__(0, 1.0),
        c)[-1],
    "a diagonal's copy": lambda a: (d := np.diagonal(a).copy(), d.__setitem__(0, 9.0), a + d.sum())[-1],
    "a scalar's name": lambda a: (s := a.sum(), t := s, s := s + 1, s * t)[-1],
    "an array of no axes": lambda a: (z := np.zeros_like(a[0, 0, ...]), z.__setitem__((), a.sum()), z.__iadd__(1),
        z * 2)[-1],
    "an array that changes in between": lambda a: (k := np.ones(3), b := a * k, k.__setitem__(0, 5.0), b + a * k)[-1],
}


@pytest.mark.parametrize("name", LOCAL)
@pytest.mark.parametrize("order", ["C", "F"])
def test_writes_into_a_steps_own_arrays(name, order):
    both(lambda: (lambda x: LOCAL[name](x.copy()), []), *[(np.asarray(X + n, order=order),) for n in range(4)])


STATES = {
    "a row": lambda w, v, x: w.data.__setitem__(0, x[0]),
    "through the transpose": lambda w, v, x: w.data.T.__setitem__(0, x[:, 0]),
    "in place, then read": lambda w, v, x: (w.data.__isub__(x), w * 2)[-1],
    "read, written, read": lambda w, v, x: (a := w * 1, w.data.__imul__(0.5), [a, w * 1]),
    "one from the other and back": lambda w, v, x: (w.data.__iadd__(v.data), v.data.__isub__(w.data * 0.5))[1:1],
    "exchanged": lambda w, v, x: (a := w.data.copy(), w.data.__setitem__(Ellipsis, v.data),
        v.data.__setitem__(Ellipsis, a))[2:2],
    "rebound": lambda w, v, x: setattr(w, "data", w.data * x),
    "rebound to each other's": lambda w, v, x: (a := w.data, setattr(w, "data", v.data), setattr(v, "data", a))[1:1],
    "rebound to the argument": lambda w, v, x: setattr(w, "data", x),
    "rebound to a plain array": lambda w, v, x: setattr(w, "data", np.ones((4, 3))),
    "rebound, then written": lambda w, v, x: (setattr(w, "data", x * 2), w.data.__iadd__(1.0))[1:1],
    "returned": lambda w, v, x: (w, {"v": v.data}, [v.data[0], x, 3, "a", None]),
    "returned as a view, then written": lambda w, v, x: (a := v.data[1:] * 1, v.data.__iadd__(1.0), a)[-1],
    "what the other became": lambda w, v, x: v.data.__setitem__(Ellipsis, w.data + x),
    "under no_grad": lambda w, v, x: under_no_grad(w, v, x),
    "from a list": lambda w, v, x: w.data.__setitem__(Ellipsis, [1.0, 2.0, 3.0]),
    "only the argument": lambda w, v, x: w.data.__setitem__(Ellipsis, x),
}


def under_no_grad(w, v, x):
    with tg.no_grad():
        w -= x
        w[1:] = v[1:]
        v[...] = 0.5


@pytest.mark.parametrize("name", STATES)
def test_writes_into_tensors_from_outside(name):
    def make():
        w, v = weights(np.ones((4, 3)), np.arange(12.0).reshape(4, 3))
        return lambda x: STATES[name](w, v, x), [w, v]
    both(make, *[(X + n,) for n in range(5)])


def test_two_tensors_of_one_array_are_one_state():
    def make():
        (w,) = weights([1.0, 2.0])
        v = w.detach()

        def step():
            w.data -= v.data * 0.5
            return v * 1
        return step, [w, v]
    both(make)


def test_two_tensors_that_overlap_are_refused_where_one_is_written():
    memory = np.arange(5.0)
    w, v = tg.tensor(memory[:4], name="w"), tg.tensor(memory[1:], name="v")

    def step():
        w.data -= 1.0
        return v * 1
    with pytest.raises(tg.TraceError, match="writes into w, which shares memory with a tensor that it uses too"):
        tg.compile(step)()
    assert memory.tolist() == [0, 1, 2, 3, 4]
    reads = tg.compile(lambda: (w * 1, v * 1))
    assert [reads()[1].data.tolist() for _ in range(3)] == [[1, 2, 3, 4]] * 3


def test_columns_of_one_matrix_do_not_overlap():
    def make():
        memory = np.ones((3, 4))
        w, v = tg.tensor(memory[:, :3]), tg.tensor(memory[:, 3:])

        def step():
            w.data *= 0.5
            v.data += w.data[:, :1]
        return step, [w, v]
    both(make)


def test_a_tensor_that_comes_to_share_memory_is_noticed():
    w, v = weights([1.0, 2.0], [5.0, 6.0])

    @tg.compile
    def step():
        w.data -= 1.0
        return v * 1
    for _ in range(3):
        step()
    v.data = w.data
    assert step().data.tolist() == [-3.0, -2.0]
    assert step().data.tolist() == [-4.0, -3.0]


def test_an_argument_is_not_written():
    for act in (lambda x: x.__iadd__(1), lambda x: x[1:].__setitem__(0, 1.0), lambda x: np.exp(x, out=x),
        lambda x: x.sort()):
        x = np.ones(3)
        with pytest.raises(tg.TraceError, match="writes into its argument x; let it work on a copy"):
            tg.compile(lambda x, act=act: act(x))(x)
        assert x.tolist() == [1, 1, 1]


def test_a_function_that_writes_unasked_is_refused():
    with pytest.raises(tg.TraceError, match="nan_to_num writes into an array that it is given"):
        tg.compile(lambda x: np.nan_to_num(x * 1, copy=False))(np.ones(3))


def test_a_read_only_weight_is_refused_as_numpy_does():
    w = tg.tensor(np.broadcast_to(1.0, (3,)))
    with pytest.raises(ValueError, match="read-only"):
        tg.compile(lambda: w.data.__iadd__(1.0))()


@pytest.mark.parametrize("change", [
    lambda x: x[::2], lambda x: x.T, lambda x: np.asfortranarray(x), lambda x: x[::-1, ::-1],
        lambda x: np.broadcast_to(x[0], x.shape),
    lambda x: x[:0], lambda x: x[0, 0], lambda x: np.array(x[0, 0]), lambda x: x.astype(np.float32),
        lambda x: x.astype(int),
    lambda x: x > 3, lambda x: x + 1j * x, lambda x: x.astype(">f8"),
])
def test_arguments_of_every_kind(change):
    (w,) = weights(2.0)

    def make():
        return lambda x: (x * 2 + 1, w * x, np.reshape(x, -1) * 1, x.T, np.sum(x, axis=0) if x.ndim else x), []
    both(make, *[(change(np.random.default_rng(n).standard_normal((4, 4))),) for n in range(4)])


def test_strides_may_differ_from_call_to_call():
    def make():
        def step(x):
            flat = np.reshape(x.T, -1)
            return flat * 2, x.T.copy().reshape(-1) + flat, np.exp(x).reshape(-1).T
        return step, []
    square = np.random.default_rng(0).standard_normal((3, 3))
    both(make, *[(a,) for a in (square, square.T, square[::-1], np.asfortranarray(square), square)])


def test_where_a_view_reshapes_depends_on_how_a_weight_lies():
    def make():
        memory = np.ones((3, 8))
        w, v = tg.tensor(memory[:, ::2], name="w"), tg.tensor(np.ones((3, 4)).T, name="v")

        def step(x):
            w.data += x
            v.data.T[...] *= 2.0
            flat, turned = w.data.reshape(-1), v.data.T.reshape(-1)
            w.data[0] = 5.0
            v.data[0] = 7.0
            return flat * 1, turned * 1
        return step, [w, v]
    both(make, *[(np.ones((3, 4)),)] * 4)


def test_one_array_twice_and_nested_containers():
    def make():
        def step(x, pair, *, more):
            return {"a": x + pair[0], "b": [pair[1]["z"] * more, (x,)]}
        return step, []
    (eager, _), (step, _) = make(), make()
    step = tg.compile(step)
    x = np.arange(3.0)
    for _ in range(4):
        compare(step(x, (x, {"z": x}), more=x), eager(x, (x, {"z": x}), more=x))


def test_results_are_nobodys_buffers():
    (w,) = weights(np.zeros(3))

    @tg.compile
    def step(x):
        w.data += x
        y = np.exp(x)
        return y, y[1:], w.data, w.data[::-1], x, np.ones(3)
    kept = [[a.copy() for a in results] for results in [step(np.full(3, float(n))) for n in range(5)]]
    results = step(np.ones(3))
    for a in results:
        a[...] = 7.0
    for n, (y, part, after, turned, x, ones) in enumerate(kept):
        np.testing.assert_array_equal(x, np.full(3, float(n)))
        np.testing.assert_array_equal(y, np.exp(x))
        np.testing.assert_array_equal(part, y[1:])
        np.testing.assert_array_equal(after, np.full(3, n * (n + 1) / 2))
        np.testing.assert_array_equal(turned, after)
        np.testing.assert_array_equal(ones, np.ones(3))
    np.testing.assert_array_equal(w.data, np.full(3, 11.0))


# --- random programs -----------------------------------------------------------------------------------------------

VIEWS = [lambda a: a.T, lambda a: a[1:], lambda a: a[::-1], lambda a: a.reshape(-1), lambda a: a[..., 0],
    lambda a: a[..., None],
         lambda a: np.swapaxes(a, 0, -1), np.squeeze, np.atleast_2d, lambda a: np.array_split(a, 2)[1], np.real]
MAPS = [np.negative, np.tanh, np.square, np.sin, lambda a: a.copy(), lambda a: a.astype(np.float32).astype(float),
        lambda a: np.cumsum(a, axis=0), lambda a: np.sum(a, axis=0), lambda a: np.max(a, axis=-1, keepdims=True),
        lambda a: np.concatenate([a, a[:1]]), lambda a: a[[0, -1]], lambda a: np.where(a > 0, a, 0.5),
        lambda a: a @ a.T, lambda a: a + tg.random.uniform()]
PAIRS = [np.add, np.multiply, np.maximum, np.arctan2]
WRITES = [lambda a, v: a.__setitem__(slice(1, None), v), lambda a, v: a.__setitem__((Ellipsis, 0), v), lambda a,
    v: a.__iadd__(v),
          lambda a, v: a[::2].__setitem__(Ellipsis, a[::2] * v), lambda a, v: np.add.at(a, [0, 0], v),
          lambda a, v: np.copyto(a, v, where=a > 0), lambda a, v: np.tanh(a, out=a), lambda a,
              v: a.__setitem__(a > 0.5, v),
          lambda a, v: np.sum(a, axis=0, keepdims=True, out=a[:1]), lambda a, v: a.__setitem__(Ellipsis, v)]


def gradient(w, a):
    w.zero_grad()
    (tg.tanh(w * np.sum(a)) ** 2).sum().backward()
    w.data -= 0.1 * w.grad
    return w.grad


INSTRUCTIONS = [(kind, i) for kind, table in (("view", VIEWS), ("map", MAPS), ("pair", PAIRS), ("write", WRITES))
                for i in range(len(table))] + [("state", 0), ("state", 1), ("rebind", 0), ("gradient", 0)]


def interpret(program, x, y, w, v):
    """Run a random program on a pool of arrays, on which each instruction picks two; give the last few."""
    pool = [x * 1, np.outer(np.ones(4), y), w.data, v.data]
    for (kind, i), p, q in program:
        a, b = pool[p % len(pool)], pool[q % len(pool)]
        number = np.tanh(np.sum(b))
        # An instruction that an array is too small for does nothing.
        with contextlib.suppress(IndexError, np.exceptions.AxisError):
            if kind in ("view", "map"):
                pool.append({"view": VIEWS, "map": MAPS}[kind][i](a) if a.ndim else a * 1)
            elif kind == "pair":
                pool.append(PAIRS[i](a, b if a.shape == b.shape else number))
            elif kind == "write" and a.ndim and a.size:
                WRITES[i](a, number)
            elif kind == "state":
                (w, v)[i].data[1:] *= number
            elif kind == "rebind":
                v.data = np.tanh(v.data)
            elif kind == "gradient":
                pool.append(gradient(w, a))
    return pool[-3:]


@given(st.lists(st.tuples(st.sampled_from(INSTRUCTIONS), st.integers(0, 30), st.integers(0, 30)), max_size=14))
def test_a_random_program_is_the_same_compiled(program):
    def make():
        w, v = weights(X / 10, 1 - X / 7)
        return lambda x, y: interpret(program, x, y, w, v), [w, v]
    state = tg.random.get_state()
    runs = []
    for compiled in (False, True):
        tg.random.seed(0)
        step, tensors = make()
        step = tg.compile(step) if compiled else step
        runs.append([[np.array(a) for a in (*step(X + n, np.arange(3.0) - n), *(t.data for t in tensors))]
                     for n in range(4)])
    tg.random.set_state(state)
    compare(runs[1], runs[0])
