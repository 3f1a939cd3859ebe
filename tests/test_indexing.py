"""Reading and assigning through every kind of index, against NumPy; what an assignment leaves alone, and its errors."""

from __future__ import annotations

import operator

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygraph as tg
from tinygraph.testing import StandIn

HERE = r"\(test_indexing\.py:\d+\)"

INDEXES = {
    "int": 1, "negative": -1, "two ints": (2, -3), "slice": slice(1, 3), "step": slice(None, None, 2),
    "backwards": slice(None, None, -1), "backwards by two": (slice(None), slice(3, None, -2)),
    "empty slice": slice(2, 1),
    "ellipsis": ..., "ellipsis and int": (..., 1), "None": None, "None among": (0, None, slice(None)),
    "nothing": (), "list": [0, 2, 0], "list of lists": [[0, 1], [2, 2]], "empty list": np.zeros(0, int),
    "array": np.array([2, -1]), "matrix": np.array([[0, 1], [1, 0]]), "0-d array": np.array(1),
    "numpy int": np.int32(2),
    "two arrays": (np.array([0, 2]), np.array([1, 1])), "outer": (np.array([[0], [2]]), np.array([1, 3])),
    "array and slice": (np.array([0, 0]), slice(1, None)), "slice and array": (slice(None), [3, 0, 3]),
    "arrays apart": (np.array([0, 1]), None, np.array([2, 2])), "int and array": (1, [0, 0]),
    "ix_": np.ix_([0, 2], [1, 3, 1]),
    "mask": np.array([[True, False] * 2] * 3), "mask of rows": np.array([True, False, True]),
    "mask and slice": (np.array([True, True, False]), slice(0, 2)),
    "mask and array": (np.array([True, True, False]), [0, 3]),
    "no truth": np.zeros((3, 4), bool), "True": True, "False": False, "mask in a list": [True, False, True],
}


def leaf(data, dtype=float):
    return tg.tensor(np.array(data, dtype), requires_grad=True)


def value():
    return np.arange(12.0).reshape(3, 4)


@pytest.mark.parametrize("index", INDEXES.values(), ids=INDEXES)
def test_reading_is_numpys_and_each_element_gets_as_much_as_it_was_read(index):
    x = leaf(value())
    y = x[index]
    np.testing.assert_array_equal(y.data, value()[index])
    weights = np.random.default_rng(0).standard_normal(y.shape)
    (y * weights).sum().backward()
    wanted = np.zeros((3, 4))
    np.add.at(wanted, index, weights)
    np.testing.assert_allclose(x.grad, wanted, rtol=1e-13)


def assigned(x, index, v):
    x = np.array(x)
    x[index] = v
    return x


def slopes(f, x):
    """The derivative of a linear function, element by element."""
    steps = np.reshape(np.eye(np.size(x)), (np.size(x), *np.shape(x)))
    return np.reshape([f(x + step) - f(x) for step in steps], np.shape(x))


@pytest.mark.parametrize("ndim", ["of the place's shape", "one number", "a 1 in front", "broadcast"])
@pytest.mark.parametrize("index", INDEXES.values(), ids=INDEXES)
def test_assigning_is_numpys_and_so_is_its_derivative(index, ndim):
    shape = value()[index].shape
    shape = {"of the place's shape": shape, "one number": (), "a 1 in front": (1, *shape),
             "broadcast": (1,) * len(shape)}[ndim]
    rng = np.random.default_rng(0)
    x, v, weights = value(), rng.standard_normal(shape), rng.standard_normal((3, 4))
    leaf_x, leaf_v = leaf(x), leaf(v)
    t = leaf_x + 0
    try:
        wanted = assigned(x, index, v)
    except (ValueError, TypeError, DeprecationWarning):  # more axes than NumPy takes here
        assert ndim == "a 1 in front"
        with pytest.raises((tg.TinygraphError, DeprecationWarning)):
            t[index] = leaf_v
        return
    t[index] = leaf_v
    np.testing.assert_array_equal(t.data, wanted)
    (t * weights).sum().backward()
    np.testing.assert_allclose(leaf_x.grad, slopes(lambda x: np.sum(weights * assigned(x, index, v)), x), atol=1e-12)
    np.testing.assert_allclose(leaf_v.grad, slopes(lambda v: np.sum(weights * assigned(x, index, v)), v), atol=1e-12)


@given(st.data(), hnp.array_shapes(min_dims=1, max_dims=3, max_side=4))
def test_programs_of_assignments_equal_numpys(data, shape):
    """Read, assign and compute in place at random: the value is NumPy's, the leaf gets what the chain rule says."""
    rng = np.random.default_rng(0)
    start, scale = rng.standard_normal(shape), rng.standard_normal(shape)
    indexes = st.one_of(hnp.basic_indices(shape, allow_newaxis=True), hnp.integer_array_indices(shape),
                        hnp.arrays(bool, shape))
    steps = data.draw(st.lists(st.tuples(st.sampled_from(["set", "add", "mul", "whole"]), indexes), max_size=4))

    def run(x):
        t = x * 2.0
        for what, index in steps:
            if what == "set":
                t[index] = t[index] * 3.0 - 1.0
            elif what == "add":
                t[index] += 0.5
            elif what == "mul":
                t[index] *= t[index]
            else:
                t -= 0.25 * t
        return np.sum(t * scale)
    x = leaf(start)
    y = run(x)
    np.testing.assert_allclose(y.data, run(np.array(start)), rtol=1e-12)
    y.backward()
    step = rng.standard_normal(shape) * 1e-4
    assume(np.max(np.abs(run(np.array(start)))) < 1e3)
    slope = (run(start + step) - run(start - step)) / 2
    np.testing.assert_allclose(np.sum(x.grad * step), slope, rtol=1e-5, atol=1e-7)


# --- tensors in an index ----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("make", [
    lambda: tg.tensor(1), lambda: tg.tensor([0, 2, 0]), lambda: (tg.tensor([0, 1]), tg.tensor([1, 1])),
    lambda: (slice(None), tg.tensor([[0], [3]])), lambda: tg.tensor([True, False, True]), lambda: [tg.tensor(0), 1],
    lambda: np.nonzero(tg.tensor(value()) > 5), lambda: tg.ix_(tg.tensor([0, 1]), [1, 2]),
])
def test_an_index_may_hold_tensors(make):
    def plain(part):
        if isinstance(part, tg.Tensor):
            return part.data
        return type(part)(map(plain, part)) if isinstance(part, list | tuple) else part
    x, index = leaf(value()), make()
    np.testing.assert_array_equal(x[index].data, value()[plain(index)])
    t = x + 0
    t[index] = 7.0
    np.testing.assert_array_equal(t.data, assigned(value(), plain(index), 7.0))
    t.sum().backward()
    np.testing.assert_array_equal(x.grad, assigned(np.ones((3, 4)), plain(index), 0))


def test_an_array_is_read_with_an_integer_tensor_by_its_value():
    assert value()[tg.tensor(1)].tolist() == [4, 5, 6, 7]
    assert list(range(9))[tg.tensor(3)] == 3


def test_a_foreign_array_is_indexed_with_its_own_kind():
    x = tg.tensor(StandIn(value()), requires_grad=True)
    x[StandIn(np.array([0, 0]))].sum().backward()
    assert x.grad._array.tolist() == [[2] * 4, [0] * 4, [0] * 4]


# --- whose value changes ----------------------------------------------------------------------------------------------

def test_what_was_computed_before_keeps_what_it_had():
    x = leaf([1.0, 2.0, 3.0])
    t = x * 1
    before, view, same = t * t, t[1:], t.reshape(3)
    t[1] = 10.0
    t += 1
    assert t.tolist() == [2, 11, 4]
    assert (before.tolist(), view.tolist(), same.tolist()) == ([1, 4, 9], [2, 3], [1, 2, 3])
    (before.sum() + t.sum() + view.sum()).backward()
    assert x.grad.tolist() == [3, 5, 8]


def test_assigning_to_a_view_leaves_what_it_views_alone():
    x = leaf(value())
    t = x + 0
    row = t[1]
    row[:] = 0.0
    row += 5
    assert row.tolist() == [5] * 4
    np.testing.assert_array_equal(t.data, value())
    (t.sum() + row.sum()).backward()
    np.testing.assert_array_equal(x.grad, np.ones((3, 4)))


def test_the_array_that_a_tensor_shares_is_not_written_to():
    a = np.zeros(3)
    t = tg.tensor(a)
    t[0] = 1.0
    t += 1
    assert (a.tolist(), t.tolist()) == ([0, 0, 0], [2, 1, 1])


def test_two_names_of_one_tensor_stand_for_one_value():
    t = leaf([1.0, 2.0]) + 0
    u = t
    u[0] = 5.0
    assert u is t
    assert t.tolist() == [5, 2]


def test_a_value_may_come_from_the_tensor_itself():
    x = leaf([1.0, 2.0, 3.0])
    t = x * 1
    t[1:] = t[:-1]
    t[0] += t[2]
    assert t.tolist() == [3, 1, 2]
    (t * np.array([1.0, 10, 100])).sum().backward()
    assert x.grad.tolist() == [11, 101, 0]


def test_the_last_of_repeated_places_wins_and_alone_has_a_derivative():
    v = leaf([1.0, 2.0, 3.0])
    t = tg.tensor(np.zeros(2))
    t[[0, 1, 0]] = v
    assert t.tolist() == [3, 2]
    (t * np.array([10.0, 1.0])).sum().backward()
    assert v.grad.tolist() == [0, 1, 10]


@pytest.mark.parametrize("relaid", [lambda a: a[::-1][::-1], lambda a: np.array(a[::-1])[::-1],
                                    lambda a: np.asfortranarray(a)])
def test_the_last_wins_however_the_arrays_lie_in_memory(relaid):
    rows, columns = relaid(np.array([[0, 0], [0, 1]])), relaid(np.array([[1, 1], [1, 0]]))
    v = leaf([[1.0, 2.0], [3.0, 4.0]])
    t = tg.tensor(np.zeros((2, 2)))
    t[rows, columns] = tg.Tensor.reshape(v, 2, 2)
    assert t.tolist() == [[0, 3], [4, 0]]
    t.sum().backward()
    assert v.grad.tolist() == [[0, 0], [1, 1]]


def test_an_assignment_makes_a_constant_tensor_differentiable():
    x, out = leaf(3.0), tg.tensor(np.zeros(3))
    for i in range(3):
        out[i] = x ** (i + 1)
    assert out.requires_grad
    out.sum().backward()
    assert x.grad == 1 + 6 + 27


def test_assignment_to_second_order():
    def f(x):
        t = x * x
        t[0] = t[1] * t[2]
        t[[1, 1]] *= x[0]
        return (t * t).sum()
    x = np.array([1.0, 2.0, 3.0])
    row = tg.grad(lambda x: tg.grad(f)(x)[0])(x)

    def first(x):
        return tg.grad(f)(x)[0]
    for i in range(3):
        step = np.eye(3)[i] * 1e-5
        assert row[i] == pytest.approx((first(x + step) - first(x - step)) / 2e-5, rel=1e-7)


def test_a_name_stays_where_nothing_is_recorded():
    mean = tg.tensor(np.zeros(2), name="running mean")
    mean *= 0.9
    mean[0] = 1.0
    assert mean.name == "running mean"
    w = tg.tensor(np.ones(2), requires_grad=True, name="w")
    h = w * 1
    h.name = "hidden"
    h += w
    assert h.name is None


# --- in-place operators -----------------------------------------------------------------------------------------------

OPERATORS = [operator.iadd, operator.isub, operator.imul, operator.itruediv, operator.ifloordiv, operator.imod,
             operator.ipow]


@pytest.mark.parametrize("apply", OPERATORS)
@pytest.mark.parametrize("other", [2.0, 3, np.float64(1.5), np.array([1.5, 2.5, 3.5]), np.array([[2.0], [3.0]]),
                                   tg.tensor([1.5, 2.5, 3.5])])
def test_in_place_operators_equal_numpys(apply, other):
    x = leaf([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    t = x + 0
    kept = t
    wanted = apply(x.data.copy(), other.data if isinstance(other, tg.Tensor) else other)
    t = apply(t, other)
    assert t is kept
    np.testing.assert_array_equal(t.data, wanted)
    if apply not in (operator.ifloordiv,):
        t.sum().backward()
        assert x.grad.shape == (2, 3)


def test_matmul_in_place():
    x, w = leaf(np.eye(2)), leaf([[1.0, 2.0], [3.0, 4.0]])
    t = x + 0
    t @= w
    assert t.tolist() == [[1, 2], [3, 4]]
    t.sum().backward()
    assert w.grad.tolist() == [[1, 1], [1, 1]]


@pytest.mark.parametrize("assign", [lambda t, v: operator.iadd(t, v), lambda t, v: operator.setitem(t, slice(None), v)])
def test_float32_receives_float64_and_stays_float32(assign):
    x, v = leaf([1.0, 2.0], np.float32), leaf([0.5, 0.25])
    t = x * 1
    assign(t, v)
    assert t.dtype == np.float32
    t.sum().backward()
    assert v.grad.dtype == np.float64
    assert v.grad.tolist() == [1, 1]
    if x.grad is not None:
        assert x.grad.dtype == np.float32


def test_complex_receives_real():
    x = leaf([1.0, 2.0])
    z = tg.tensor(np.zeros(3, complex))
    z[1:] = x
    (z * 2j).real.sum().backward()
    assert z.dtype == complex
    assert x.grad.tolist() == [0, 0]


# --- leaves and no_grad -----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("assign", [
    lambda t: operator.setitem(t, 0, 1.0), lambda t: operator.iadd(t, 1.0), lambda t: operator.setitem(t, ..., 1.0),
    lambda t: t.fill(0), lambda t: t.sort(), lambda t: operator.imul(t, t), lambda t: t.partition(1),
])
def test_assigning_to_a_leaf_that_requires_a_gradient_says_what_to_do(assign):
    w = leaf([3.0, 2.0, 1.0])
    with pytest.raises(tg.GradientError, match=rf"leaf.*tg\.no_grad\(\).*\.data.*t \+ 0.*{HERE}"):
        assign(w)
    assert w.tolist() == [3, 2, 1]


def test_a_leaf_is_written_in_place_under_no_grad():
    a = np.array([3.0, 2.0, 1.0])
    w = tg.tensor(a, requires_grad=True)
    with tg.no_grad():
        w -= 1
        w[0] = 5.0
        w[tg.tensor([True, False, True])] *= tg.tensor(2.0)
        w[[1]] = [7.0]
        w.sort()
    assert (a.tolist(), w.is_leaf, w.requires_grad) == ([0, 7, 10], True, True)
    (w * w).sum().backward()
    assert w.grad.tolist() == [0, 14, 20]


def test_under_no_grad_a_computed_tensor_gets_a_new_value():
    x = leaf([1.0, 2.0])
    y = x * 2
    z = y * 1
    with tg.no_grad():
        y[0] = 9.0
    assert (y.tolist(), z.tolist(), y.requires_grad) == ([9, 4], [2, 4], False)


@pytest.mark.parametrize(("assign", "wanted"), [
    (lambda t: t.sort(), [1, 2, 3]), (lambda t: t.fill(4.0), [4, 4, 4]), (lambda t: t.partition(0), [1, 2, 3])])
def test_methods_that_work_in_place_do_so_here(assign, wanted):
    x = leaf([2.0, 3.0, 1.0])
    t = x * 1
    assert assign(t) is None
    assert sorted(t.tolist()) == sorted(wanted)
    assert t.tolist()[0] == wanted[0]
    t[0].backward()
    assert x.grad.tolist() == ([0, 0, 0] if wanted[0] == 4 else [0, 0, 1])


# --- errors -----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("call", "kind", "says"), [
    (lambda t: operator.setitem(t, 5, 1.0), tg.ShapeError, r"setitem.*index 5 is out of bounds"),
    (lambda t: operator.setitem(t, (0, 0, 0), 1.0), tg.ShapeError, "setitem.*too many indices"),
    (lambda t: operator.setitem(t, 0, np.ones(3)), tg.ShapeError, "setitem.*could not broadcast|setitem.*mismatch"),
    (lambda t: operator.setitem(t, slice(None), np.ones((2, 3, 4))), tg.ShapeError, "setitem.*broadcast"),
    (lambda t: operator.setitem(t, [0.5], 1.0), tg.ShapeError, "setitem.*integer"),
    (lambda t: operator.setitem(t, np.zeros(7, bool), 1.0), tg.ShapeError, "setitem.*boolean index"),
    (lambda t: operator.setitem(t, 0, np.ones(4) * 1j), tg.DTypeError, "setitem: complex128 does not fit into float64"),
    (lambda t: operator.iadd(t, np.ones((2, 3, 4))), tg.ShapeError, r"add in place: the result has shape \(2, 3, 4\)"),
    (lambda t: operator.iadd(t, 1j), tg.DTypeError, "add in place: complex128 does not fit into float64"),
    (lambda t: operator.imul(t, np.ones(3)), tg.ShapeError, r"multiply: \(3, 4\) and \(3,\) do not broadcast"),
    (lambda t: t["name"], tg.ShapeError, "getitem.*only integers"),
    (lambda t: t[0.5], tg.ShapeError, "getitem.*only integers"),
    (lambda t: t[tg.tensor([0.5])], tg.ShapeError, "getitem.*integer"),
    (lambda t: t[3], tg.ShapeError, r"getitem\(float64 \(3, 4\), 3\): index 3 is out of bounds"),
])
@pytest.mark.parametrize("recorded", [True, False])
def test_what_does_not_fit_is_one_sentence_and_changes_nothing(call, kind, says, recorded):
    x = leaf(value())
    t = x + 0 if recorded else tg.tensor(value())
    with pytest.raises(kind, match=rf"(?s){says}.*{HERE}"):
        call(t)
    np.testing.assert_array_equal(t.data, value())


def test_errors_of_writing_in_place_are_the_same():
    w = leaf(value())
    with tg.no_grad():
        with pytest.raises(tg.ShapeError, match=rf"setitem.*index 5 is out of bounds.*{HERE}"):
            w[5] = 1.0
        with pytest.raises(tg.DTypeError, match="does not fit into float64"):
            w[0] = np.ones(4) * 1j
        with pytest.raises(tg.DTypeError, match="does not fit"):
            w += 1j
    np.testing.assert_array_equal(w.data, value())


def test_a_list_of_tensors_may_be_assigned():
    x = leaf([1.0, 2.0])
    t = x + 0
    t[:] = [x[1], 3 * x[0] * x[0]]
    t.sum().backward()
    assert x.grad.tolist() == [6, 1]


def test_assigning_casts_as_numpy_does_and_loses_no_gradient():
    n = tg.tensor([1, 2, 3])
    n[0] = 7
    n += 1
    assert n.tolist() == [8, 3, 4]
    n[1:] = np.array([1.5, -2.5])
    assert n.tolist() == [8, 1, -2]
    with pytest.raises(tg.DTypeError, match=r"setitem: float64 does not fit into int64, where its gradient would be .*"
                                            rf"lost.*{HERE}"):
        n[0] = leaf(0.5)
    with pytest.raises(tg.DTypeError, match="divide in place: float64 does not fit into int64"):
        n /= 2


@pytest.mark.parametrize(("name", "call"), [
    ("copyto", lambda t: np.copyto(t, 1.0)), ("put", lambda t: np.put(t, [0], 1.0)),
    ("place", lambda t: np.place(t, t.data > 0, [1.0])), ("putmask", lambda t: np.putmask(t, t.data > 0, 1.0)),
    ("put_along_axis", lambda t: np.put_along_axis(t, np.array([[0]]), 1.0, 0)),
    ("fill_diagonal", lambda t: np.fill_diagonal(t, 0.0)),
])
def test_numpys_functions_that_write_name_our_way(name, call):
    with pytest.raises(tg.UnsupportedError, match=rf"np\.{name} writes into its array.*assign instead: t\[.*{HERE}"):
        call(leaf(value()) + 0)
    with pytest.raises(AttributeError, match=rf"no attribute '{name}'.*assign instead: t\["):
        getattr(tg, name)


# --- iterating --------------------------------------------------------------------------------------------------------

def test_iterating_gives_tensors_that_remember():
    x = leaf(value())
    rows = list(x)
    assert [row.shape for row in rows] == [(4,)] * 3
    a, b, c = x
    (a * b + c).sum().backward()
    np.testing.assert_array_equal(x.grad, [value()[1], value()[0], np.ones(4)])
    assert [float(v) for v in leaf([1.0, 2.0])] == [1, 2]
    assert len(x) == 3
    with pytest.raises(TypeError, match="0-d"):
        iter(leaf(1.0))
