"""Making arrays: what is made of no Tensor is an ndarray, what is made of one is a Tensor; and what moves it about."""

from __future__ import annotations

import numpy as np
import pytest

import tinygraph as tg
from tinygraph.testing import StandIn

HERE = r"\(test_making\.py:\d+\)"


def leaf(data, dtype=float):
    return tg.tensor(np.array(data, dtype), requires_grad=True)


@pytest.mark.parametrize(("name", "args", "kwargs"), [
    ("array", ([1, 2],), {}), ("array", ([[1.0], [2.0]], np.float32), {"ndmin": 3}), ("asarray", ([1, 2], float), {}),
    ("zeros", ((2, 3),), {}), ("zeros", (3, int), {}), ("ones", ((2,),), {"dtype": np.float32}),
    ("empty", ((0, 2),), {}),
    ("full", ((2, 2), 7.0), {}), ("full", (2, [1, 2]), {"dtype": float}), ("eye", (3,), {"k": 1}), ("eye", (2, 3), {}),
    ("identity", (2,), {}), ("arange", (1, 7, 2), {}), ("arange", (3.0,), {"dtype": np.float32}),
    ("tri", (3, 4), {"k": -1}),
    ("linspace", (0.0, 1.0, 5), {}), ("linspace", ([0, 1], [2, 3]), {"num": 3, "endpoint": False, "axis": 1}),
    ("logspace", (0, 2, 3), {"base": 2}), ("geomspace", (1, 1000, 4), {}), ("indices", ((2, 2),), {}),
    ("zeros_like", (np.ones(2),), {}), ("ones_like", ([1, 2],), {}), ("full_like", (np.ones(2), 3), {}),
    ("copy", (np.ones(2),), {}), ("astype", (np.ones(2), np.float32), {}),
    ("block", ([[np.ones(1), np.zeros(2)]],), {}),
    ("fromfunction", (lambda i, j: i - j, (2, 3)), {}), ("vander", ([1.0, 2.0],), {}), ("diag", ([1.0, 2.0],), {}),
])
def test_of_no_tensor_an_ndarray_is_made_numpys(name, args, kwargs):
    got, wanted = getattr(tg, name)(*args, **kwargs), getattr(np, name)(*args, **kwargs)
    assert type(got) is np.ndarray
    assert got.dtype == wanted.dtype
    np.testing.assert_array_equal(got, wanted)


def test_what_tells_about_an_array_tells_about_a_tensor():
    x = leaf([[1.0, 2.0]], np.float32)
    assert (tg.shape(x), tg.ndim(x), tg.size(x), tg.size(x, 1)) == ((1, 2), 2, 2, 2)
    assert np.result_type(x, np.float64) == np.float64
    assert tg.result_type(x, 1.0) == np.float32
    assert isinstance(np.result_type(x, x), np.dtype)
    assert tg.broadcast_shapes((2, 1), (3,)) == (2, 3)


@pytest.mark.parametrize("nested", [
    lambda a, b: [a, b], lambda a, b: (a, b), lambda a, b: [[a, 1.0], [b, a]], lambda a, b: [[0, 1], [a, b]],
    lambda a, b: [[[a]], [[b]]], lambda a, b: [a, 2, np.float64(3.0), np.array(4.0)], lambda a, b: ([a, b], [b, a * b]),
])
def test_an_array_of_tensors_is_a_tensor_that_remembers_each(nested):
    a, b = leaf(2.0), leaf(3.0)
    y = tg.array(nested(a, b))
    assert isinstance(y, tg.Tensor)
    np.testing.assert_array_equal(y.data, np.array(nested(2.0, 3.0), float))
    weights = np.arange(1.0, y.size + 1).reshape(y.shape)
    (y * weights).sum().backward()

    def f(a, b):
        return np.sum(np.array(nested(a, b), float) * weights)
    for x, step in ((a, (1e-4, 0)), (b, (0, 1e-4))):
        slope = (f(2 + step[0], 3 + step[1]) - f(2 - step[0], 3 - step[1])) / 2e-4
        assert (0.0 if x.grad is None else float(x.grad)) == pytest.approx(slope, abs=1e-6)


def test_rows_of_tensors_and_lists_make_a_matrix():
    row = leaf([1.0, 2.0])
    m = tg.array([row, [3.0, 4.0], row * 2])
    assert m.tolist() == [[1, 2], [3, 4], [2, 4]]
    m.sum().backward()
    assert row.grad.tolist() == [3, 3]
    assert tg.array(row, ndmin=3).shape == (1, 1, 2)
    assert tg.array([row], dtype=np.float32).dtype == np.float32
    assert tg.array([leaf([1.0], np.float32), leaf([2.0])]).dtype == np.float64


def test_asarray_of_a_tensor_is_the_tensor():
    x = leaf([1.0, 2.0])
    assert tg.asarray(x) is x
    assert tg.asarray(x, np.float32).dtype == np.float32
    assert tg.array(x) is not x
    assert tg.array(x).requires_grad
    a = np.ones(2)
    assert tg.asarray(a) is a
    assert tg.array(a) is not a


def test_numpys_own_makers_make_tensors_where_they_are_told_like_one():
    t0, t1 = leaf(1.0), leaf(2.0)
    y = np.array([t0, t1], like=t0)
    assert isinstance(y, tg.Tensor)
    y.sum().backward()
    assert (t0.grad, t1.grad) == (1, 1)
    assert isinstance(np.full((2, 2), t0, like=t0), tg.Tensor)
    for plain in (np.zeros(3, like=t0), np.array([1.0], like=t0), np.full(2, 1.0, like=t0), np.tri(2, like=t0)):
        assert type(plain) is np.ndarray


def test_foreign_arrays_are_joined_with_their_own_kind():
    s = StandIn(np.ones(2))
    assert isinstance(tg.array([s, s]), StandIn)
    assert isinstance(tg.asarray(s), StandIn)


def test_a_ragged_list_is_refused():
    with pytest.raises(tg.ShapeError, match=rf"array: stack.*must have as many.*{HERE}"):
        tg.array([leaf([1.0, 2.0]), leaf(1.0)])


def test_full_of_a_tensor_is_differentiable():
    c = leaf(2.0)
    y = tg.full((2, 3), c)
    assert y.tolist() == [[2] * 3] * 2
    (y.sum() + tg.full_like(np.zeros(4), c).sum() + tg.full(2, [c, 1.0]).sum()).backward()
    assert c.grad == 11


def test_the_ends_of_linspace_are_exact_and_differentiable():
    a, b = leaf(1.0), leaf(4.0)
    y, step = tg.linspace(a, b, 4, retstep=True)
    assert (y.tolist(), step.item()) == ([1, 2, 3, 4], 1)
    (y * np.array([1.0, 0, 0, 10])).sum().backward()
    assert (a.grad, b.grad) == (1, 10)
    a.zero_grad()
    step.backward()
    assert a.grad == pytest.approx(-1 / 3)
    assert np.isnan(tg.linspace(0.0, 1.0, 1, retstep=True)[1])


@pytest.mark.parametrize(("call", "kind", "says"), [
    (lambda x: tg.linspace(x, 1.0, -1), tg.ShapeError, "linspace: spaced.*non-negative"),
    (lambda x: tg.full((2, 2), tg.array([x, x, x])), tg.ShapeError, r"full: broadcast_to.*does not stretch"),
    (lambda x: tg.geomspace(0.0, x), tg.ShapeError, "geomspace.*cannot include zero"),
    (lambda x: tg.zeros(-1), tg.ShapeError, "zeros.*negative"),
    (lambda x: tg.meshgrid([x], indexing="yx"), tg.ShapeError, "meshgrid.*indexing='yx' must be 'xy' or 'ij'"),
    (lambda x: tg.array([x], color=1), tg.UnsupportedError, r"array\(\) got an unexpected.*'color'; it takes array\("),
    (lambda x: np.pad(tg.array([x]), 1, lambda *a: None), tg.UnsupportedError,
     "pad: a function as mode=.*np.concatenate"),
    (lambda x: np.pad(tg.array([x]), 1, "mirror"), tg.ShapeError, "pad.*mode='mirror' is none of constant, "),
    (lambda x: np.pad(tg.array([x]), -1), tg.ShapeError, "pad.*no width is negative"),
    (lambda x: np.pad(tg.array([x]), 1, "edge", constant_values=1), tg.ShapeError,
     "pad.*mode 'edge' takes no keyword, not constant_values"),
    (lambda x: np.pad(tg.array([x]), [[1, 2], [3, 4]]), tg.ShapeError, r"pad.*for 1 axes give a number"),
    (lambda x: np.block([[tg.array([x])], tg.array([x])]), tg.ShapeError, "block.*nested equally deep"),
    (lambda x: np.reshape(tg.array([x]), 1, order="A"), tg.ShapeError, "reshape.*order='A'.*give 'C' or 'F'"),
    (lambda x: np.select([tg.array([x])], [x]), tg.UnsupportedError, "select.*conditions are truths.*float64"),
    (lambda x: np.select([], []), ValueError, "0|select"),
    (lambda x: np.compress([[True]], tg.array([x])), tg.ShapeError, "compress.*vector of truths"),
    (lambda x: np.take_along_axis(tg.array([x]), np.array([3]), 0), tg.ShapeError, "take_along_axis.*out of bounds"),
    (lambda x: np.diff(tg.array([x]), -1), tg.ShapeError, "diff.*n=-1"),
    (lambda x: np.gradient(tg.array([x])), tg.ShapeError, "gradient.*1 points along axis 0: edge_order=1 needs 2"),
    (lambda x: np.gradient(tg.array([x, x]), [1.0, 2.0, 3.0]), tg.ShapeError, r"gradient.*coordinates of shape \(3,\)"),
    (lambda x: np.kron(tg.array([x]), "text"), tg.TinygraphError, "kron"),
    (lambda x: np.cross(tg.array([x]), [1.0]), tg.ShapeError, "cross.*1 and 1 components"),
    (lambda x: np.cov(tg.array([x, x]), fweights=[1]), tg.ShapeError, r"cov.*fweights has shape \(1,\)"),
    (lambda x: np.vander(x), tg.ShapeError, "vander.*x is a vector"),
    (lambda x: np.hsplit(x, 2), tg.ShapeError, "hsplit.*no axis"),
    (lambda x: tg.unstack(x), tg.ShapeError, "unstack.*0-d"),
    (lambda x: np.rot90(tg.array([x])), tg.ShapeError, r"rot90.*axes=\(0, 1\) must be two of the 1 axes"),
    (lambda x: np.lib.stride_tricks.sliding_window_view(tg.array([x]), 1, writeable=True), tg.UnsupportedError,
     "sliding_window_view: writeable=True"),
    (lambda x: np.piecewise(tg.array([x]), [[True]], []), tg.ShapeError, "piecewise.*0 functions for 1 conditions"),
    (lambda x: np.sort(tg.array([x]), 3), tg.ShapeError, "sort.*axis 3 is out of bounds"),
    (lambda x: np.stack([tg.array([x]), np.ones(2)]), tg.ShapeError, "stack.*all must be alike"),
    (lambda x: np.insert(tg.array([x]), 5, 1.0), tg.ShapeError, "insert.*out of bounds"),
])
def test_errors_name_the_function_and_the_line(call, kind, says):
    with pytest.raises(kind, match=rf"(?s){says}" + (rf".*{HERE}" if kind is not ValueError else "")):
        call(leaf(1.0))


# --- ties, kinks and edges: one written rule each ---------------------------------------------------------------------

def gradient(f, x):
    leaf_x = leaf(x)
    f(leaf_x).backward()
    return leaf_x.grad.tolist()


def test_of_elements_that_tie_in_a_sort_each_has_its_own_gradient():
    assert gradient(lambda x: (np.sort(x, stable=True) * [1.0, 2.0, 3.0]).sum(), [5, 5, 1]) == [2, 3, 1]


def test_interp_at_a_knot_has_the_slope_to_its_right_and_none_beyond_the_ends():
    f = [0.0, 1.0, 5.0]
    assert gradient(lambda x: np.interp(x, [0.0, 1.0, 2.0], f).sum(), [0, 0.5, 1, 2, -1, 3]) == [1, 1, 4, 4, 0, 0]


def test_interp_takes_a_tensor_in_any_place():
    for place in range(3):
        args = [np.array([0.5, 1.2]), np.array([0.0, 1.0, 2.0]), np.array([0.0, 1.0, 5.0])]
        args[place] = leaf(args[place])
        assert np.interp(*args).requires_grad


def test_windows_that_overlap_add_up():
    assert gradient(lambda x: np.lib.stride_tricks.sliding_window_view(x, 3).sum(), np.ones(5)) == [1, 2, 3, 2, 1]


def test_apply_along_axis_calls_a_users_function_on_tensors():
    def norm(v):
        assert isinstance(v, tg.Tensor)
        return (v * v).sum()
    assert gradient(lambda x: np.apply_along_axis(norm, 1, x).sum(), [[1, 2], [3, 4]]) == [[2, 4], [6, 8]]


def test_many_tensors_are_joined_in_time_that_grows_as_they_do():
    n = 4000
    xs = [leaf(float(i)) for i in range(n)]
    (tg.stack(xs) * np.arange(n)).sum().backward()
    assert [x.grad for x in xs[:3]] == [0, 1, 2]
    ys = [leaf([float(i)]) for i in range(n)]
    (tg.concatenate(ys) * np.arange(n)).sum().backward()
    assert [y.grad.tolist() for y in ys[-2:]] == [[n - 2], [n - 1]]


def test_a_grid_of_arrays_is_the_callers_own():
    x, y = tg.meshgrid(np.arange(2.0), np.arange(3.0))
    x[0, 0] = 9
    assert x[1, 0] == 0
    assert y.shape == (3, 2)


def test_conversion_to_integers_carries_no_gradient():
    x = leaf([1.5, 2.5])
    (x.astype(int) * 2.5 + x).sum().backward()
    assert x.grad.tolist() == [1, 1]


def test_broadcast_arrays_of_tensors_sum_back():
    a, b = leaf([[1.0], [2.0]]), leaf([1.0, 2.0, 3.0])
    p, q = np.broadcast_arrays(a, b)
    (p * q).sum().backward()
    assert (a.grad.tolist(), b.grad.tolist()) == ([[6], [6]], [3, 3, 3])


@pytest.mark.parametrize("name", ["permute_dims", "concat"])
def test_the_array_apis_names_are_here_too(name):
    t = leaf([[1.0, 2.0]])
    arguments = ([t, t],) if name == "concat" else (t, (1, 0))
    assert getattr(tg, name)(*arguments).tolist() == getattr(np, name)(*arguments).tolist()


@pytest.mark.parametrize("call", [
    lambda t: t.repeat(2, axis=1), lambda t: t.diagonal(1), lambda t: t.trace(), lambda t: t.compress([True, False], 1),
    lambda t: t.choose([1.0, 2.0, 3.0, 4.0, 5.0]), lambda t: t.reshape(4, order="F"),
    lambda t: t.reshape((1, 4), order="F"),
    lambda t: t.argpartition(0), lambda t: t.ravel("F"), lambda t: t.flatten("F"),
    lambda t: t[0].searchsorted([1.5, 9.0]),
])
def test_methods_are_numpys(call):
    a = np.array([[1.0, 2.0], [3.0, 4.0]])
    t, plain = (leaf(a), a) if "choose" not in call.__code__.co_names else (tg.tensor(a.astype(int)), a.astype(int))
    np.testing.assert_array_equal(call(t).data, call(plain))


@pytest.mark.parametrize("key", [
    (1.0, slice(0, 3), np.ones(2)), (slice(0, 1, 5j),), ("0,2", [1, 2], [3, 4]), ("-1", np.eye(2), np.eye(2)),
    ("0,3,1", [1, 2], [3, 4]), (np.ones(2, np.float32), 1.0), (np.ones(2, np.float32), np.float64(1)), ([1, 2], 1.5)])
@pytest.mark.parametrize("name", ["r_", "c_"])
def test_what_stands_between_brackets_is_joined_as_in_numpy(name, key):
    try:
        wanted = getattr(np, name)[key]
    except ValueError:
        with pytest.raises(tg.ShapeError):
            getattr(tg, name)[key]
        return
    got = getattr(tg, name)[key]
    assert got.dtype == wanted.dtype
    np.testing.assert_array_equal(got, wanted)


def test_tensors_between_brackets_have_gradients():
    tg.check_grads(lambda x: tg.r_[x[0], 3, x, x * x], np.array([0.5, 2.0]))
    tg.check_grads(lambda x: tg.c_[x, [1, 2], x * x], np.array([0.5, 2.0]))
    with pytest.raises(tg.ArgumentError, match=rf"'r' in front asks for a matrix.*{HERE}"):
        tg.r_["r", leaf([1.0])]
