"""The manners of a Tensor: what it takes, how it keeps gradients, how it reads, copies, assigns and lets go."""

from __future__ import annotations

import copy
import functools
import gc
import operator
import pickle
import re
import tracemalloc
import weakref
from pathlib import Path

import numpy as np
import pytest

import tinygraph as tg
from tinygraph import elsewhere


def leaf(value, **options):
    return tg.tensor(np.array(value, float), requires_grad=True, **options)


# --- making one -------------------------------------------------------------------------------------------------------

def test_an_array_is_shared_and_anything_else_converted():
    a = np.ones(3)
    assert tg.tensor(a).data is a
    assert tg.tensor(a, dtype=np.float32).data is not a
    assert tg.tensor([[1, 2]]).shape == (1, 2)
    assert tg.tensor(3.0).data.shape == ()


def test_a_tensor_of_a_tensor_leaves_its_past_behind():
    x = leaf([1, 2])
    assert tg.tensor(x * 2).is_leaf
    assert tg.tensor(x).data is x.data


@pytest.mark.parametrize("data", [[1, 2], np.array([True]), np.array([1], np.uint8)])
def test_integers_cannot_require_a_gradient(data):
    with pytest.raises(tg.DTypeError, match=r"cannot require a gradient.*dtype=float.*test_tensor\.py"):
        tg.tensor(data, requires_grad=True)
    t = tg.tensor(data)
    with pytest.raises(tg.DTypeError):
        t.requires_grad = True


@pytest.mark.parametrize("data", ["abc", None, np.array(["a"]), [object()]])
def test_what_is_no_number_is_refused(data):
    with pytest.raises(tg.DTypeError, match="a tensor holds numbers"):
        tg.tensor(data)


def test_requires_grad_is_set_on_leaves_alone():
    x = tg.tensor([1.0])
    x.requires_grad = True
    y = x * 2
    with pytest.raises(tg.GradientError, match=r"can be set on a leaf.*multiply.*detach"):
        y.requires_grad = False


# --- gradients --------------------------------------------------------------------------------------------------------

def test_leaves_accumulate_over_backward_calls_until_cleared():
    x = leaf(3)
    y = x * x
    y.backward()
    y.backward()
    assert x.grad == 12
    x.zero_grad()
    assert x.grad is None
    (2 * x).backward()
    assert x.grad == 2


def test_one_operand_twice_counts_twice():
    x = leaf([1, 2])
    (x + x).sum().backward()
    assert x.grad.tolist() == [2, 2]


def test_two_gradients_from_one_cotangent_are_two_arrays():
    a, b = leaf([1, 2]), leaf([3, 4])
    seed = np.ones(2)
    y = a + b
    y.backward(seed)
    a.grad[:] = 7
    assert b.grad.tolist() == [1, 1]
    assert seed.tolist() == [1, 1]


def test_a_0_d_gradient_is_an_ndarray_of_its_own():
    x = leaf(3)
    seed = np.array(1.0)
    (x + 0).backward(seed)
    assert type(x.grad) is np.ndarray
    assert x.grad.shape == ()
    x.grad[()] = 5
    assert seed == 1


def test_the_root_may_be_the_leaf():
    x = leaf(3)
    x.backward()
    assert x.grad == 1


def test_a_gradient_of_a_computed_tensor_names_retain_grad():
    x = leaf(3)
    y = x * x
    z = y * y
    z.backward()
    with pytest.raises(tg.GradientError, match=r"computed by multiply.*retain_grad\(\).*test_tensor\.py"):
        y.grad  # noqa: B018
    y.retain_grad()
    z.backward()
    assert y.grad == 18
    assert tg.tensor(1.0).grad is None


def test_nothing_to_retain_where_no_gradient_flows():
    t = tg.tensor(1.0)
    with pytest.raises(tg.GradientError, match="none to retain"):
        t.retain_grad()
    with pytest.raises(tg.GradientError, match="never be called"):
        t.register_hook(print)


def test_hooks_see_the_whole_cotangent_once_and_may_replace_it():
    x = leaf([1, 2])
    y = x * 3
    seen = []
    hook = y.register_hook(lambda g: seen.append(g.tolist()))
    ten = y.register_hook(lambda g: 10 * g)
    (y + y).sum().backward()
    assert seen == [[2, 2]]
    assert x.grad.tolist() == [60, 60]
    hook.remove()
    ten.remove()
    ten.remove()
    x.zero_grad()
    (y + y).sum().backward()
    assert seen == [[2, 2]]
    assert x.grad.tolist() == [6, 6]


def test_what_a_hook_gives_has_the_shape_and_dtype_of_the_gradient():
    x = tg.tensor(np.ones(3, np.float32), requires_grad=True)
    hook = x.register_hook(lambda g: np.arange(3.0))
    x.sum().backward()
    assert x.grad.dtype == np.float32
    assert x.grad.tolist() == [0, 1, 2]
    hook.remove()
    for wrong in (np.ones(5), 0.0):
        hook = x.register_hook(lambda g, wrong=wrong: wrong)
        with pytest.raises(tg.ShapeError, match=rf"\(3,\) and gave one of shape {re.escape(str(np.shape(wrong)))}"):
            x.sum().backward()
        hook.remove()
    with pytest.raises(tg.ArgumentError, match="a hook is a function"):
        x.register_hook(3)


@pytest.mark.parametrize(("wrong", "words"), [
    (lambda t: t.view(3), "no 'view'; reshape(...) does it here"), (lambda t: t.exp(), "'exp'; np.exp(t) does it here"),
    (lambda t: t.softmax(0), "'softmax'; tg.softmax(t) does it here"),
    (lambda t: t.colour, "'Tensor' object has no attribute 'colour'"),
    (lambda t: tg.cat([t, t]), "no attribute 'cat'; it is called concatenate here"),
    (lambda t: tg.colour(t), "module 'tinygraph' has no attribute 'colour'")])
def test_a_name_of_another_librarys_is_told_by_its_name_here(wrong, words):
    with pytest.raises(AttributeError, match=re.escape(words) + "$"):
        wrong(tg.tensor([1.0, 2.0]))


def test_the_names_that_hints_give_are_there():
    for name in elsewhere.FUNCTIONS.values():
        assert callable(functools.reduce(getattr, name.split("."), tg))
    t = tg.tensor([1.0, 2.0])
    for name in elsewhere.METHODS:
        assert not hasattr(t, name)
        assert name not in dir(t)


def test_a_hook_that_writes_into_its_gradient_changes_nobody_elses():
    a, b = leaf([1, 1]), leaf([1, 1])
    y = a + b

    def spoil(g):
        g[:] = 99
    a.register_hook(spoil)
    seed = np.ones(2)
    y.backward(seed)
    assert b.grad.tolist() == [1, 1]
    assert seed.tolist() == [1, 1]


def test_a_graph_let_go_of_says_so_when_gone_back_to():
    x = leaf(3)
    y = x * x
    y.backward(retain_graph=False)
    assert x.grad == 9 - 3
    with pytest.raises(tg.GradientError, match="freed by an earlier"):
        y.backward()


def test_a_seed_has_the_shape_of_the_root():
    x = leaf([1, 2])
    y = x * x
    with pytest.raises(tg.GradientError, match=r"shape \(2,\) has no single derivative.*sum\(\).*test_tensor\.py"):
        y.backward()
    with pytest.raises(tg.GradientError, match=r"given has shape \(3,\), the tensor \(2,\)"):
        y.backward(np.ones(3))
    with pytest.raises(tg.GradientError, match=r"given has shape \(\), the tensor \(2,\)"):
        y.backward(1.0)
    y.backward([1, 10])
    assert x.grad.tolist() == [2, 40]


def test_one_element_of_any_shape_needs_no_seed():
    x = leaf([[3]])
    (x * x).backward()
    assert x.grad.tolist() == [[6]]


def test_backward_where_nothing_requires_a_gradient():
    t = tg.tensor(1.0) * 2
    with pytest.raises(tg.GradientError, match=r"requires a gradient; make a leaf.*requires_grad=True"):
        t.backward()


def test_a_gradient_may_be_set_and_must_fit():
    x = leaf([1, 2])
    x.grad = [3, 4]
    assert x.grad.dtype == float
    with pytest.raises(tg.ShapeError, match=r"gradient of shape \(3,\) for a tensor of shape \(2,\)"):
        x.grad = np.ones(3)
    x.grad = None
    assert x.grad is None


def test_create_graph_leaves_gradients_that_differentiate():
    x = leaf(2)
    (x ** 3).backward(create_graph=True)
    assert isinstance(x.grad, tg.Tensor)
    first = x.grad
    x.zero_grad()
    first.backward()
    assert x.grad == 12


def test_a_part_without_gradient_flow_is_not_gone_into():
    x, c = leaf([1, 2]), tg.tensor([3.0, 4.0])
    (x * c).sum().backward()
    assert c.grad is None
    assert (c * 2).requires_grad is False


def test_a_comparison_or_rounding_ends_the_flow():
    x = leaf([1.5, 2.5])
    for y in (x > 2, np.floor(x), tg.argmax(x), x // 2):
        assert isinstance(y, tg.Tensor)
        assert not y.requires_grad


# --- large and long ---------------------------------------------------------------------------------------------------

def test_a_diamond_50_deep_takes_50_steps():
    x = leaf(1)
    y = x
    for _ in range(50):
        y = (y + y) / 2
    y.backward()
    assert x.grad == 1


def test_a_chain_of_100_000_goes_forward_backward_and_away():
    x = leaf(0)
    y = x
    for _ in range(100_000):
        y = y + 1
    assert float(y) == 100_000
    y.backward()
    assert x.grad == 1
    end = weakref.ref(y)
    del y
    assert end() is None


def test_1_000_steps_leave_nothing_behind_with_the_collector_off():
    w = leaf(np.ones((3, 2)))
    x = np.ones((4, 3))

    def step():
        hidden = tg.relu(x @ w)
        loss = (hidden * hidden).mean() + tg.split(hidden, 2)[0].sum()
        w.zero_grad()
        loss.backward()
        with tg.no_grad():
            w.data -= 1e-6 * w.grad
    def held():
        # By what is ours: the tests' own threads, which hand out work, allocate as well.
        ours = [tracemalloc.Filter(True, f"{Path(tg.__file__).parent}/*"), tracemalloc.Filter(True, __file__)]
        return sum(trace.size for trace in tracemalloc.take_snapshot().filter_traces(ours).traces)
    gc.collect()
    gc.disable()
    try:
        tracemalloc.start()
        for _ in range(3_000):  # Python itself keeps up to 2,000 freed tuples of each size, to use them again
            step()
        before = held()
        for _ in range(1_000):
            step()
        after = held()
    finally:
        tracemalloc.stop()
        gc.enable()
    assert after - before < 20_000  # 20 bytes a step: a single node left behind would be over a hundred


# --- reading ----------------------------------------------------------------------------------------------------------

def test_numbers_read_from_one_element():
    x = leaf([2.75])
    assert (float(x), int(x), complex(x), x.item(), bool(x)) == (2.75, 2, 2.75 + 0j, 2.75, True)
    assert type(x.item()) is float
    assert (tg.tensor([[1, 2], [3, 4]]).item(1, 0), tg.tensor([5.0, 6.0]).item(1), x.itemsize) == (3, 6, 8)
    assert x.tolist() == [2.75]
    two = leaf([1, 2])
    for read in (float, int, complex, operator.methodcaller("item")):
        with pytest.raises(tg.ShapeError, match=r"reads one element.*\(2,\)"):
            read(two)
    with pytest.raises(tg.ShapeError, match=r"ambiguous; use \.any\(\) or \.all\(\)"):
        bool(two)


def test_an_index_is_an_integer():
    assert [10, 20][tg.tensor(1)] == 20
    assert list(range(tg.tensor(np.int8(2)))) == [0, 1]
    with pytest.raises(tg.DTypeError, match="an index is an integer"):
        [10, 20][tg.tensor(1.0)]


def test_length_iteration_and_membership():
    x = leaf([[1, 2], [3, 4]])
    assert len(x) == 2
    rows = list(x)
    (rows[1] * 2).sum().backward()
    assert x.grad.tolist() == [[0, 0], [2, 2]]
    a, b = leaf([5, 6])
    assert (float(a), float(b)) == (5, 6)
    assert 3 in x
    assert tg.tensor(4.0) in x
    assert 9 not in x
    for broken in (len, iter):
        with pytest.raises(TypeError, match="0-d"):
            broken(leaf(1))


def test_text():
    x = leaf([1, 2.5], name="w")
    assert repr(x) == "tensor([1. , 2.5], dtype=float64, requires_grad=True, name='w')"
    assert repr(x * 2) == "tensor([2., 5.], dtype=float64, op=multiply)"
    assert repr(tg.tensor([1, 2])) == "tensor([1, 2], dtype=int64)"
    assert str(x) == "[1.  2.5]"
    assert f"{leaf(3.14159):.3f} {x.sum():5.1f}" == "3.142   3.5"
    assert f"{x}" == "[1.  2.5]"
    assert "..." in repr(tg.tensor(np.zeros(1000)))


def test_equality_is_elementwise_and_hash_is_identity():
    x, y = leaf([1, 2]), leaf([1, 3])
    assert (x == y).tolist() == [True, False]
    assert (x != [1, 3]).tolist() == [False, True]
    assert {x: "x", y: "y"}[x] == "x"
    assert len({x, y, x}) == 2
    assert (x == "text") is False
    assert (x != "text") is True


def test_facts():
    x = tg.tensor(np.zeros((2, 3), np.float32), name="w")
    assert (x.shape, x.ndim, x.size, x.dtype, x.nbytes, x.name, x.is_leaf) == ((2, 3), 2, 6, np.float32, 24, "w", True)
    x.name = "v"
    assert x.name == "v"


# --- copies -----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("again", [copy.deepcopy, copy.copy, lambda t: pickle.loads(pickle.dumps(t))])
def test_a_copy_keeps_value_name_and_requires_grad_and_drops_history(again):
    x = leaf([1, 2], name="w")
    same = again(x)
    assert (same.data.tolist(), same.name, same.requires_grad, same.is_leaf) == ([1, 2], "w", True, True)
    y = again(x * 2)
    assert (y.data.tolist(), y.requires_grad, y.is_leaf) == ([2, 4], True, True)
    y.sum().backward()
    assert x.grad is None


def test_a_deep_copy_has_an_array_of_its_own():
    x = leaf([1, 2])
    same = copy.deepcopy(x)
    same.data[0] = 9
    assert x.data[0] == 1


def test_detach_shares_the_value_and_copy_records():
    x = leaf([1, 2])
    assert x.detach().data is x.data
    assert not x.detach().requires_grad
    x.copy().sum().backward()
    assert x.grad.tolist() == [1, 1]


# --- assignment -------------------------------------------------------------------------------------------------------

def test_assigning_makes_a_new_value_and_what_was_computed_keeps_the_old():
    x = leaf([1, 2, 3])
    t = x * 2
    before = t * t
    t[1] = 0
    t[2] = x[0] * 5
    assert t.tolist() == [2, 0, 5]
    assert before.tolist() == [4, 16, 36]
    (before.sum() + t.sum()).backward()
    assert x.grad.tolist() == [8 * 1 + 2 + 5, 8 * 2, 8 * 3]


@pytest.mark.parametrize(("assign", "value", "slope"), [
    (operator.iadd, 5.0, 1), (operator.isub, -1.0, 1), (operator.imul, 6.0, 3), (operator.itruediv, 2 / 3, 1 / 3),
    (operator.ipow, 8.0, 12), (operator.imod, 2.0, 1), (operator.ifloordiv, 0.0, 0),
])
def test_in_place_operators_record(assign, value, slope):
    x = leaf(2)
    t = x + 0
    alias = t
    t = assign(t, 3)
    assert alias is t
    assert float(t) == pytest.approx(value)
    if slope:
        t.backward()
        assert float(x.grad) == pytest.approx(slope)
    else:
        assert not t.requires_grad


def test_in_place_matmul_records():
    x = leaf([[1, 2], [3, 4]])
    t = x + 0
    t @= np.eye(2) * 2
    t.sum().backward()
    assert x.grad.tolist() == [[2, 2], [2, 2]]


def test_a_leaf_that_requires_a_gradient_says_what_to_do():
    x = leaf([1, 2])
    with pytest.raises(tg.GradientError, match=r"tg\.no_grad\(\), through \.data.*test_tensor\.py"):
        x[0] = 3
    with pytest.raises(tg.GradientError, match="would lose the leaf"):
        x += 1
    array = x.data
    with tg.no_grad():
        x -= 1
        x[0] = 7
    assert x.data is array
    assert array.tolist() == [7, 1]
    assert x.requires_grad
    assert x.is_leaf


def test_an_assignment_keeps_shape_and_kind_of_number():
    t = leaf([1, 2]) * 1
    with pytest.raises(tg.ShapeError, match=r"result has shape \(3, 2\), the tensor it is assigned to \(2,\)"):
        t += np.ones((3, 2))
    n = tg.tensor([1, 2])
    with pytest.raises(tg.DTypeError, match="float64 does not fit into int64"):
        n += 0.5
    half = tg.tensor(np.ones(2, np.float32))
    half += np.ones(2)
    assert half.dtype == np.float32


def test_data_may_be_replaced():
    x = leaf([1, 2])
    x.data = [3, 4]
    assert x.data.dtype == float
    (x * x).sum().backward()
    assert x.grad.tolist() == [6, 8]


def test_a_gradient_that_becomes_its_tensors_own_without_a_copy_is_held_by_nobody_else():
    x, w = (tg.tensor(np.full(3, n), requires_grad=True) for n in (2.0, 3.0))
    kept = []
    total = x + w  # its rules hand on the cotangent itself, to both
    total.retain_grad()
    x.register_hook(kept.append)
    seed = np.ones(3)
    total.backward(seed)
    w.zero_grad()
    w.register_hook(lambda g: kept.append(g) or g)
    (w * 1.0).sum().backward()
    arrays = [seed, x.grad, w.grad, total.grad, total.data, x.data, *kept]
    assert not any(np.shares_memory(a, b) for i, a in enumerate(arrays) for b in arrays[:i])


def test_a_gradient_that_nobody_else_holds_is_not_copied():
    x, w = np.ones((200, 100)), tg.tensor(np.ones((100, 200)), requires_grad=True)
    loss = (x @ w).sum()
    loss.backward()
    w.zero_grad()
    tracemalloc.start()
    try:
        loss.backward()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # The gradient, 160 kB, and before it that of the product, 320 kB.
    assert 480_000 < peak < 600_000
