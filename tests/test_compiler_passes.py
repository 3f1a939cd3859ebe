"""Each pass alone, on a plan made by hand or recorded; and what the printer makes of memory."""

from __future__ import annotations

import numpy as np
import pytest

from tinygraph.compiler import passes
from tinygraph.compiler.calls import copy, getitem, setitem
from tinygraph.compiler.memory import LINE, Buffer, arranged
from tinygraph.compiler.plan import Plan, Step, Value
from tinygraph.compiler.record import Trace, Traced
from tinygraph.compiler.source import printed


def value(*shape, dtype=float, name="", constant=None):
    return Value(shape, np.dtype(dtype), name, constant)


def recorded(function, *arrays):
    """The plan of a function of arrays, without states, and the arrays."""
    trace = Trace()
    inputs = [Value(a.shape, a.dtype, f"x{i}") for i, a in enumerate(arrays)]
    results = function(*(Traced(trace, v, a) for v, a in zip(inputs, arrays, strict=True)))
    results = results if isinstance(results, tuple) else (results,)
    return Plan(tuple(inputs), (), tuple(trace.steps), (), tuple(r.value for r in results))


def recorded_after(change, function, *arrays):
    """The plan of a function after one pass."""
    return change(recorded(function, *arrays))


def names(plan):
    return [step.function.__name__ for step in plan.steps]


def same_results(function, *arrays, passes_=passes.PASSES):
    """Run the function, and its program after the passes, on the same arrays; give the plan."""
    plan = recorded(function, *arrays)
    for change in passes_:
        plan = change(plan)
    step = printed(plan).load()
    wanted = function(*arrays)
    wanted = wanted if isinstance(wanted, tuple) else (wanted,)
    for _ in range(3):
        kept = [a.copy() for a in arrays]
        got = step(*arrays)
        for g, w in zip(got, wanted, strict=True):
            np.testing.assert_allclose(g, w, rtol=1e-14)
            assert g.dtype == w.dtype
        for a, b in zip(arrays, kept, strict=True):
            np.testing.assert_array_equal(a, b)
    return plan


X = np.random.default_rng(0).standard_normal((6, 4))
Y = np.random.default_rng(1).standard_normal((6, 4))


def test_dead_code_goes_and_checks_stay():
    def check(x):
        pass
    x, y, z = value(2), value(2), value(2)
    steps = (Step(check, (x,), {}, None), Step(np.exp, (x,), {}, y), Step(np.sin, (x,), {}, z))
    plan = passes.dead_code(Plan((x,), (), steps, (), (z,)))
    assert names(plan) == ["check", "sin"]


@pytest.mark.parametrize("f", [
    lambda x: np.exp(x.copy()), lambda x: np.exp(x.astype(float)), lambda x: np.exp(np.reshape(x, (6, 4))),
    lambda x: np.exp(np.broadcast_to(x, (6, 4))), lambda x: np.exp(x * 1.0), lambda x: np.exp(1.0 * x),
    lambda x: np.exp(x / np.float64(1)),
])
def test_what_changes_nothing_goes(f):
    assert names(same_results(f, X, passes_=[passes.aliases])) == ["exp"]


def test_what_changes_something_stays():
    plan = same_results(lambda x: (x.astype(np.float32), x * 2, np.reshape(x, (4, 6))), X, passes_=[passes.aliases])
    assert len(plan.steps) == 3


def test_constants_are_computed_once_and_equal_ones_are_one():
    def f(x):
        return x + np.arange(4, like=x) * 2, x - np.arange(4, like=x) * 2, x * np.ones_like(x[0])
    plan = same_results(f, X, passes_=[passes.constants, passes.dead_code])
    assert names(plan) == ["add", "subtract", "multiply"]
    assert plan.steps[0].args[1] is plan.steps[1].args[1]


def test_a_call_made_twice_is_made_once():
    plan = same_results(lambda x: np.exp(x) * np.exp(x) + np.exp(x + 0.0), X, passes_=[passes.common_subexpressions])
    assert names(plan) == ["exp", "multiply", "add", "exp", "add"]


def test_constants_of_different_types_or_signs_are_not_the_same():
    plan = same_results(lambda x: (x * 2, x * 2.0, np.copysign(x, 0.0), np.copysign(x, -0.0)), X,
                        passes_=[passes.common_subexpressions])
    assert len(plan.steps) == 4


def test_what_is_written_into_is_not_shared():
    def f(x):
        a, b = x.copy(), x.copy()
        a[0] = 1.0
        return a, b
    same_results(f, X)


@pytest.mark.parametrize("axis", [0, -1, (0,), (0, 1)])
def test_a_sum_that_is_reshaped(axis):
    def f(x):
        total = np.sum(x, axis=axis, keepdims=True)
        return np.reshape(total, np.shape(np.sum(X, axis=axis)))
    assert names(same_results(f, X, passes_=[passes.sums, passes.dead_code])) == ["sum"]


def test_row_sums_are_products_and_those_along_long_rows_are_not():
    x = np.tile(X, (1, 20))

    def f(x):
        return np.sum(x, axis=0), np.sum(x, axis=1), np.sum(x[:, :20], axis=1)
    assert names(same_results(f, x, passes_=[passes.sums, passes.row_sums])) == ["matmul", "sum", "getitem", "matmul"]


def test_sums_that_go_back_to_each_element_of_their_rows_are_there_already():
    def f(x):
        total = np.sum(np.exp(x), axis=1, keepdims=True)
        return np.exp(x) / total, np.log(total)
    plan = same_results(f, X, passes_=[passes.common_subexpressions, passes.row_sums])
    assert names(plan) == ["exp", "matmul", "getitem", "divide", "log"]
    assert [a.shape for a in plan.steps[3].reads] == [(6, 4), (6, 4)]


def test_a_sum_along_an_axis_of_length_1_is_a_view():
    def f(x):
        return np.exp(np.sum(x[:1], axis=0)), np.exp(np.sum(x[:, :1], axis=1)), np.sum(x[:1], axis=0, keepdims=True) * 2
    assert names(same_results(f, X, passes_=[passes.row_sums]))[:4] == ["getitem", "getitem", "exp", "getitem"]


def test_the_sum_of_all_elements_is_a_product_with_what_scales_it():
    def f(x, y):
        total = np.sum(y)
        return -np.sum(x) / 6, 2.0 * np.sum(x * y), total * total, total / 3, np.sum(x > 0) * 2
    plan = same_results(f, X, Y, passes_=[passes.totals])
    assert names(plan) == ["vdot", "vdot", "multiply", "vdot", "multiply", "divide", "greater", "sum", "multiply"]
    assert plan.steps[1].args[1].constant[0, 0] == -1 / 6


def test_sums_that_are_compared_are_added_up_as_numpy_does():
    def f(x):
        rows = np.sum(np.abs(x), axis=1)
        return rows == np.max(rows), np.sum(x) == 1.0
    x = np.random.default_rng(0).standard_normal((100, 10))
    assert names(same_results(f, x, passes_=[passes.totals, passes.row_sums])) == [
        "absolute", "sum", "max", "equal", "sum", "equal"]


def test_a_factor_on_products_is_a_factor_on_what_they_share():
    def f(x, y, w, lr):
        g = np.where(y > 0, np.matmul(y, w), 0)
        return lr * np.matmul(x.T, g), lr * np.sum(g, axis=0), np.matmul(y.T, y) * lr
    x, y, w = (np.random.default_rng(i).standard_normal(shape) for i, shape in enumerate([(6, 30), (6, 4), (4, 4)]))
    before = (passes.row_sums, passes.dead_code)
    plan = same_results(f, x, y, w, np.array(0.1), passes_=[*before, passes.factors])
    assert names(plan).count("multiply") == 2  # of y @ w, which is no smaller than y; and of y.T @ y
    assert next(s for s in plan.steps if s.function is np.multiply).result.shape == (6, 4)


def test_a_sum_whose_argument_has_a_name_is_left_to_numpy():
    assert names(same_results(lambda x: (np.sum(a=x), np.max(a=x, axis=1)), X)) == ["sum", "max"]


def test_a_mask_of_class_indices_stays_one_where_no_arithmetic_is_done_with_it():
    def f(x, t):
        return np.ldexp(x, np.equal(np.expand_dims(t, -1), np.arange(4, like=x)))
    assert "one_hot" not in names(same_results(f, X, np.array([0, 3, 2, 3, 1, 0])))


def test_a_factor_stays_where_the_product_is_looked_at_without_it_or_is_smaller():
    def f(x, y, lr):
        both, small = np.matmul(x.T, y), np.matmul(y.T, y)
        return both, lr * both, 2.0 * small, lr * (2.0 * np.matmul(y, y.T))
    x = np.random.default_rng(0).standard_normal((6, 30))
    plan = same_results(f, x, Y, np.array(0.1), passes_=[passes.factors])
    assert [s.reads[-1].shape for s in plan.steps if s.function is np.multiply] == [(30, 4), (4, 4), (6, 6), (6, 6)]


@pytest.mark.parametrize(("shapes", "views"), [
    (((1, 4), (4,)), 1), (((1, 1, 4), (4,)), 1), (((6, 4), (1, 1)), 1), (((6, 4), (6, 4)), 0), (((6, 4), (4,)), 0),
    (((6, 4), ()), 0), (((1, 4), (1, 1)), 1), (((4,), (1,)), 1),
])
def test_arguments_that_broadcast_for_nothing_get_the_shape_of_the_result(shapes, views):
    a, b = (np.random.default_rng(0).standard_normal(shape) for shape in shapes)
    plan = same_results(lambda a, b: (a + b) * a, a, b, passes_=[passes.alike])
    assert names(plan) == ["getitem"] * views + ["add", "multiply"]


def test_an_extreme_with_a_number_is_one_with_as_many_of_them():
    x = np.random.default_rng(0).standard_normal((20, 10))
    plan = same_results(lambda x: (np.maximum(x, 0), np.minimum(x, -0.0), np.maximum(x[:2], 0), np.add(x, 1.0)), x,
                        passes_=[passes.numbers, passes.extremes])
    assert [s.args[1].shape for s in plan.steps if s.function is not getitem] == [(20, 10), (20, 10), (), ()]
    assert "np.zeros((20, 10), np.float64)" in printed(plan).source


def test_views_of_buffers_are_made_before_the_step():
    def f(x):
        y = np.exp(x)
        return np.sum(np.matmul(y.T, y) + y[0] + np.reshape(y, (4, 6))[:, :1])
    plan = same_results(f, X)
    assert ".T" not in (body := printed(plan).source.partition("def step")[2]), body
    assert "reshape" not in body, body


def test_the_sum_or_the_extreme_of_many_narrow_rows_is_another_call():
    x = np.random.default_rng(0).standard_normal((100, 10))
    x[3, 4] = np.nan

    def f(x):
        return (np.sum(x, axis=-1), np.sum(x, axis=1, keepdims=True), np.sum(x, axis=(0,), keepdims=True),
                np.max(x, axis=1), np.min(x, axis=-1, keepdims=True), np.max(x, axis=0))
    plan = same_results(f, x, passes_=[passes.row_sums, passes.row_maxima])
    assert names(plan) == ["matmul", *2 * ("matmul", "getitem"), "argmax", "add", "taken", "argmin", "add", "taken",
                           "getitem", "max"]
    many = np.tile(x, (3, 1))
    assert names(same_results(f, many, passes_=[passes.row_sums, passes.row_maxima]))[5:] == [
        "transpose", "copy", "max", "transpose", "copy", "min", "getitem", "max"]
    assert names(same_results(f, x[:1], passes_=[passes.row_maxima]))[3:6] == ["argmax", "taken", "argmin"]
    wide = x.reshape(10, 100)
    assert names(same_results(f, wide, passes_=[passes.row_sums, passes.row_maxima])) == [
        "sum", "sum", "matmul", "getitem", "max", "min", "max"]


@pytest.mark.parametrize(("shapes", "name"), [
    (((6, 4), (4, 3)), "dot"), (((6, 4), (4,)), "dot"), (((6,), (6, 4)), "dot"), (((6, 1), (1, 4)), "dot"),
    (((2, 6, 4), (4, 3)), "matmul"),
])
def test_products_of_matrices_and_vectors_go_straight_to_blas(shapes, name):
    a, b = (np.random.default_rng(0).standard_normal(shape) for shape in shapes)
    assert names(same_results(np.matmul, a, b, passes_=[passes.products])) == [name]
    assert names(recorded_after(passes.products, np.matmul, a, b.astype(np.float32))) == ["matmul"]


def test_a_choice_of_zero_takes_no_branch_and_keeps_every_bit():
    x = np.array([[1.5, -0.0, np.inf, np.nan] * 1024])
    m = np.random.default_rng(0).random(x.shape) < 0.5

    def f(m, x):
        return (np.where(m, x, 0), np.where(m, x.astype(np.float32), 0.0), np.where(m, x, -0.0), np.where(m, 0, x),
                np.where(m[:, :1], x, 0), np.where(m[:, :8], x[:, :8], 0))
    plan = recorded_after(passes.masks, f, m, x)
    assert [name for name in names(plan) if name in ("where", "masked")] == ["masked"] * 2 + ["where"] * 4
    for got, wanted in zip(printed(plan).load()(m, x), f(m, x), strict=True):
        assert got.tobytes() == wanted.tobytes()
        assert got.dtype == wanted.dtype
    x = np.nan_to_num(x, posinf=2.0)
    in_place = same_results(lambda m, x: np.where(m, x + 1.0, 0) * 2.0, m, x, passes_=[passes.masks])
    assert printed(in_place).source.count("np.ndarray(") == 1


@pytest.mark.parametrize("dtype", [np.int64, np.int8, np.uint8])
def test_a_mask_of_class_indices_is_rows_of_a_table_also_where_they_are_out_of_range(dtype):
    t = np.array([0, 3, 2, 3, 4, np.iinfo(dtype).max]).astype(dtype)
    t[-2] = -1 if dtype is not np.uint8 else 255
    x = np.where(X > 0, X, -np.inf)

    def f(x, y, t):
        mask = np.equal(np.expand_dims(t, -1), np.arange(4, like=x))
        return np.where(mask, x, 0), y - mask, np.where(mask, 1.0, 2.0)
    plan = same_results(f, x, Y, t, passes_=[passes.constants, passes.one_hot_rows, passes.dead_code])
    assert [name for name in names(plan) if name != "expand_dims"] == [
        "equal", "add", "one_hot", "masked", "one_hot", "subtract", "where"]
    assert "np.eye(6, 4, -1, np.int64)" in printed(plan).source


def test_a_mask_of_other_numbers_stays():
    def f(x, t):
        a, b = np.expand_dims(t, -1), np.arange(4, like=x)
        return x - (a == b * 2), x - (a * 1.0 == b), x - (a == b[::-1]), x - (a[:1] == b)
    plan = recorded_after(passes.one_hot_rows, f, X, np.arange(6))
    assert "one_hot" not in names(plan)


def test_a_constant_array_of_equal_elements_is_a_number_where_the_shape_stays():
    def f(x):
        return np.full((6, 4), 2.0, like=x) * x, np.full((6, 4), 2.0, like=x) * x[:1], np.zeros(4, like=x) - x
    plan = same_results(f, X, passes_=[passes.constants, passes.uniform])
    assert [np.shape(step.args[0]) for step in plan.steps if step.function is np.multiply] == [(), (6, 4)]
    mixed = np.where(X[0] > 0, 0.0, -0.0)
    plan = recorded_after(passes.uniform, lambda x: (np.copysign(x, mixed), np.copysign(x, np.zeros(4))), X)
    assert [np.shape(step.args[1]) for step in plan.steps] == [(4,), ()]


def test_numbers_become_arrays_of_the_dtype_that_numpy_computes_in():
    x, n = X.astype(np.float32), np.arange(5)
    with np.errstate(over="ignore"):
        plan = same_results(lambda x, n: (x * 0.1, x * np.float64(0.1), n * 2, n * 0.5, n > 2**70, x * 1e300, x > True),
                            x, n, passes_=[passes.numbers])
    args = [step.args[1] for step in plan.steps]
    assert [a.dtype.name if isinstance(a, Value) else a for a in args] == [
        "float32", "float64", "int64", "float64", 2**70, "float32", True]


def test_broadcasts_are_left_to_their_users():
    plan = same_results(lambda x, y: x + np.broadcast_to(y[0], (6, 4)), X, Y,
                        passes_=[passes.broadcasts, passes.dead_code])
    assert names(plan) == ["getitem", "add"]


def test_reductions_go_to_the_ufunc():
    def f(x):
        return (np.sum(x), np.max(x, axis=1, keepdims=True), np.min(x, axis=0), np.prod(x, axis=(0, 1)),
                np.max(x, initial=9.0), np.sum(x, axis=0, dtype=np.float32))
    plan = same_results(f, X, passes_=[passes.bare_reductions])
    assert [name for name in names(plan) if name != "reduce"] == ["max"]


def test_a_pass_leaves_the_plan_that_it_was_given_alone():
    plan = recorded(lambda x: np.exp(x.copy()) + np.exp(x), X)
    before = [(s.function, s.args, s.result) for s in plan.steps]
    passes.optimised(plan)
    assert [(s.function, s.args, s.result) for s in plan.steps] == before


def test_an_operand_that_dies_is_written_over_and_one_that_lives_is_not():
    plan = same_results(lambda x: (np.exp(x) + 1.0) * np.exp(x), X)
    assert printed(plan).source.count("np.ndarray(") == 2
    plan = same_results(lambda x: np.sqrt(np.abs(np.sin(np.exp(x)))), X)
    assert printed(plan).source.count("np.ndarray(") == 1


def test_what_is_returned_is_allocated_by_the_call_that_makes_it():
    plan = same_results(lambda x: np.exp(np.exp(x)), X)
    source = printed(plan).source
    assert "exp_2 = np.exp(exp) " in source
    assert ".copy()" not in source


def test_one_arena_holds_arrays_of_any_shape_and_dtype_one_after_the_other():
    def f(x):
        a = np.sum(np.exp(x), axis=0)  # (6, 4), which dies before another shape and dtype is born
        return np.sum(np.equal(np.concatenate([a, a, a]), 0.5))
    program = printed(same_results(f, X))
    assert program.buffers == 192 + 64
    assert program.source.count("_arena, 0)") == 2


def test_buffers_of_one_time_never_overlap():
    rng = np.random.default_rng(0)
    for _ in range(50):
        buffers = []
        for n, born, length in zip(*rng.integers(1, [[200], [50], [20]], (3, 30)), strict=True):
            buffers.append(Buffer(value(n), born))
            buffers[-1].dead = born + length
        size = arranged(buffers)
        alive = np.zeros(80, int)
        for a in buffers:
            alive[a.born:a.dead + 1] += a.nbytes
            assert a.offset % LINE == 0
            assert a.offset + a.nbytes <= size
            for b in buffers:
                apart = a is b or a.dead < b.born or b.dead < a.born
                assert apart or a.offset + a.nbytes <= b.offset or b.offset + b.nbytes <= a.offset
        assert alive.max() <= size < 1.5 * alive.max()


def test_a_view_keeps_what_it_looks_at_alive():
    def f(x):
        a = np.exp(x)
        view = a.T
        b = a * 2.0
        return view + b.T, view
    same_results(f, X)


def test_part_of_an_array_is_replaced_in_place_only_where_nobody_looks():
    def f(x, y):
        a = np.exp(x)
        before = a + 0.0
        a[1:3] = y[1:3]
        return a, before
    same_results(f, X, Y)

    def g(x, y):
        a = x.copy()
        view = a[0]
        total = view + 1.0
        a[0] = y[0]
        return a + total
    same_results(g, X, Y)


def test_setitem_and_getitem_are_printed_as_python():
    x, out, result = value(6, 4, name="x"), value(6, 4), value(4)
    steps = (Step(copy, (x,), {}, out), )
    changed = value(6, 4)
    steps += (Step(setitem, (out, (slice(1, None), 0), 2.0), {}, changed, replaces=out),
              Step(getitem, (changed, 0), {}, result, shares=changed))
    source = printed(Plan((x,), (), steps, (), (result,))).source
    assert "[1:, 0] = 2.0" in source
    assert "[0]\n" in source
    assert np.array_equal(printed(Plan((x,), (), steps, (), (result,))).load()(X)[0], X[0])


def test_a_buffer_lies_as_numpy_would_have_laid_the_result():
    x = np.random.default_rng(0).standard_normal((3, 4, 5))

    def f(x):
        turned = np.exp(np.transpose(x, (0, 2, 1)))
        return np.sum(turned * turned[:1]), np.sum(np.dot(turned, turned[0].T))
    source = printed(same_results(f, x, passes_=[passes.products])).source
    assert source.count("np.ndarray((3, 4, 5), np.float64, _arena") == 2
    assert source.count(".transpose((0, 2, 1))") == 2
    assert "np.ndarray((3, 5, 5), np.float64, _arena" in source  # np.dot wants its own order
