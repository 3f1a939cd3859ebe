"""Op: how a call is sorted into inputs and params, what a card may say, plugins, what a bad rule is told."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

import tinygraph as tg
from tinygraph.core.arguments import Slot
from tinygraph.core.kinds import composed
from tinygraph.core.op import BY_NUMPY, COMPOSED, OPS, Op, find
from tinygraph.testing import PROPERTIES, Case, check_op


@pytest.fixture
def temporary_ops():
    """Ops registered by the test are gone after it."""
    registries = [(registry, dict(registry)) for registry in (OPS, COMPOSED, BY_NUMPY)]
    yield
    for registry, before in registries:
        registry.clear()
        registry.update(before)


def test_a_call_is_sorted_into_arrays_and_params_with_every_default():
    x = np.ones((2, 3))
    inputs, params = tg.sum.bind((x,), {"axis": 0})
    assert inputs[0] is x
    assert inputs[1] is True  # where=, an array elsewhere
    assert params == {"axis": 0, "dtype": None, "keepdims": False, "initial": 0}
    assert tg.sum.bind((x, 0), {})[1] == params


def test_arrays_inside_a_container_become_inputs_and_their_places_are_kept():
    x, i = np.arange(12.0).reshape(3, 4), np.array([0, 0, 2])
    inputs, params = tg.getitem.bind((x, (slice(None), i)), {})
    assert params == {"index": (slice(None), Slot(1))}
    assert inputs[1] is i
    assert tg.getitem.filled(params, inputs)["index"][1] is i


def test_a_list_of_numbers_is_an_array():
    t = tg.tensor([1.0, 2.0], requires_grad=True)
    y = tg.multiply([3.0, 4.0], t)
    y.backward(np.ones(2))
    assert isinstance(y.node.parents[0], np.ndarray)
    np.testing.assert_array_equal(t.grad, [3.0, 4.0])


def test_a_wrong_keyword_names_the_op_and_what_it_takes():
    with pytest.raises(tg.UnsupportedError, match=r"sum\(\) got an unexpected keyword argument 'axes'; it takes sum\("):
        tg.sum(np.ones(3), axes=0)


def test_out_is_refused_by_name():
    with pytest.raises(tg.UnsupportedError, match=r"sum: out= would overwrite .*test_op.py:\d+"):
        tg.sum(tg.tensor([1.0]), out=np.empty(()))


def test_help_and_signature_are_the_functions_own():
    import inspect
    assert list(inspect.signature(tg.matmul).parameters) == ["x", "w"]
    assert tg.matmul.__doc__.startswith("Matrix product")
    assert list(inspect.signature(tg.isclose).parameters)[:2] == ["a", "b"]


def test_an_op_pickles_by_name():
    assert pickle.loads(pickle.dumps(tg.relu)) is tg.relu


def test_a_rule_for_an_unknown_argument_is_refused():
    with pytest.raises(TypeError, match=r"rules for \['z'\]"):
        Op(lambda x: x, vjp={"z": None})


@pytest.mark.parametrize(("rules", "words"), [
    ((lambda g, y: g,), r"op f: its rule for x takes 2 arguments by position, and is given g, y, x; the params"),
    ((lambda g, y, x, p: g * p,), r"op f: its rule for x takes 4 arguments"),
    ((lambda g, y, x: g, None, None), r"op f: 3 rules, and it has the arguments x, p")])
def test_rules_that_do_not_fit_the_arguments_are_named_at_the_first_call(rules, words):
    def f(x, p=2.0):
        return x * p
    with pytest.raises(TypeError, match=words):
        Op(f, vjp=rules)(tg.tensor(np.ones(2), requires_grad=True))


def test_a_rule_may_have_defaults_or_take_whatever_there_is():
    for rule in (lambda g, y, x, twice=2: g, lambda g, *others: g, np.multiply):
        y = Op(lambda x: x * 1.0, vjp=(rule,))(tg.tensor(np.ones(2)))
        assert y.shape == (2,)


def test_a_name_is_registered_once(temporary_ops):
    @tg.op(vjp=(lambda g, y, x: g,))
    def halve_nothing(x):
        return x
    with pytest.raises(TypeError, match="registered already"):
        tg.op(vjp=(None,))(halve_nothing.function)


@pytest.mark.usefixtures("temporary_ops")
def test_a_rule_that_gives_a_wrong_shape_is_named():
    @tg.op(vjp=(lambda g, y, x: np.ones(5),))
    def crooked(x):
        return x * 1.0
    x = tg.tensor(np.ones((2, 3)), requires_grad=True)
    with pytest.raises(tg.GradientError, match=r"crooked: its rule for argument 0 gave a gradient of shape \(5,\)"):
        crooked(x).sum().backward()


@pytest.mark.usefixtures("temporary_ops")
def test_an_op_with_two_outputs_one_of_them_dropped():
    def back(g, y, x):
        return (0 if g[0] is None else g[0] * 2) + (0 if g[1] is None else g[1] * 3 * x ** 2)

    @tg.op(outputs=2, vjp=(back,))
    def twice_and_cube(x):
        return 2 * x, x ** 3
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    _, cube = twice_and_cube(x)
    cube.sum().backward()
    np.testing.assert_allclose(x.grad, [3.0, 12.0])
    x.zero_grad()
    double, cube = twice_and_cube(x)
    (double * cube).sum().backward(create_graph=True)
    np.testing.assert_allclose(x.grad.data, 8 * x.data ** 3)
    first = x.grad
    x.zero_grad()
    first.sum().backward()
    np.testing.assert_allclose(x.grad, 24 * x.data ** 2)


@pytest.mark.usefixtures("temporary_ops")
def test_params_reach_the_rules_that_ask_for_them():
    @tg.op(vjp=(lambda g, y, x, *, slope: g * np.where(x > 0, 1, slope),))
    def leaky(x, slope=0.01):
        return np.where(x > 0, x, slope * x)
    np.testing.assert_allclose(tg.grad(lambda x: leaky(x, slope=0.5).sum())(np.array([-1.0, 1.0])), [0.5, 1.0])
    np.testing.assert_allclose(tg.grad(lambda x: leaky(x).sum())(np.array([-1.0, 1.0])), [0.01, 1.0])


@pytest.mark.usefixtures("temporary_ops")
def test_a_function_of_ops_is_called_by_numpys_name_and_differentiates():
    @composed(numpy=np.trim_zeros, name="trimmed")
    def trim_zeros(filt, trim=2):
        """Not what NumPy's function does, so that the two can be told apart."""
        return np.sum(filt ** trim)
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    y = np.trim_zeros(x, trim=3)
    assert y.node.op is tg.sum
    assert y.node.location[0].endswith("test_op.py")
    y.backward()
    np.testing.assert_allclose(x.grad, [3.0, 12.0])
    assert type(trim_zeros(np.ones(2))) is np.float64
    assert find("trimmed") is trim_zeros is tg.trimmed
    assert pickle.loads(pickle.dumps(trim_zeros)) is trim_zeros


@pytest.mark.usefixtures("temporary_ops")
def test_the_suite_checks_a_function_of_ops():
    @composed()
    def cubes(x):
        return np.sum(x ** 3)

    @composed()
    def leaving(x):
        return np.sum(x * (x * x).detach() if isinstance(x, tg.Tensor) else x ** 3)
    case = Case(np.array([[1.0, 2.0]])).against(lambda x: np.sum(x * x * x))
    report = check_op(cubes, [case])
    assert set(report.worst) == set(PROPERTIES)
    with pytest.raises(tg.GradientError, match=r"case 0 .*: first order: input 0 \(an array, float64 \(1, 2\)\): "):
        check_op(leaving, [case])


@pytest.mark.usefixtures("temporary_ops")
def test_what_goes_wrong_within_a_function_of_ops_is_told_under_its_name():
    @composed()
    def rows_of(x, n, out=None):
        """So many rows."""
        if n < 0:
            raise ValueError("n is negative")
        return np.reshape(x, (n, -1))
    t = tg.tensor(np.ones(6))
    wanted = r"^rows_of: reshape\(float64 \(6,\), shape=\(4, -1\).*\(test_op\.py:\d+\)$"
    with pytest.raises(tg.ShapeError, match=wanted):
        rows_of(t, 4)
    with pytest.raises(tg.ShapeError, match=r"^rows_of\(float64 \(6,\), -1\): n is negative \(test_op\.py:\d+\)$"):
        rows_of(t, -1)
    with pytest.raises(tg.UnsupportedError, match=r"rows_of\(\) got an unexpected.*'m'; it takes rows_of\(x, n"):
        rows_of(t, m=3)
    for call in (lambda: rows_of(t, 3, out=np.ones(3)), lambda: rows_of(t, 3, np.ones(3))):
        with pytest.raises(tg.UnsupportedError, match=r"rows_of: out= would overwrite .*test_op\.py"):
            call()


@pytest.mark.usefixtures("temporary_ops")
def test_a_function_of_ops_is_registered_once_and_may_have_another_key():
    @composed(name="inner.relu")
    def relu(x):
        return np.maximum(x, 0)
    assert COMPOSED["inner.relu"] is relu
    for name in ("relu", "inner.relu"):
        with pytest.raises(TypeError, match=f"{name} is registered already"):
            composed(name=name)(relu.function)

    def median(a):
        return a
    with pytest.raises(TypeError, match=r"median is registered already, by tinygraph\.ops\.quantile"):
        tg.op(vjp=(None,))(median)


def test_a_missing_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'no_such_op'"):
        tg.no_such_op  # noqa: B018
    with pytest.raises(KeyError):
        find("no_such_op")


def test_another_package_brings_ops_optimizers_and_formats_by_entry_points(tmp_path):
    """tests/plugin is what an installed package looks like: modules, and beside them its dist-info."""
    plugin = Path(__file__).parent / "plugin"
    script = textwrap.dedent('''
        import sys, numpy as np, tinygraph as tg
        from tinygraph.testing import Case, check_op
        assert "sample_plugin" not in sys.modules       # read on the first miss, not before
        assert tg.grad(lambda x: tg.softplus(x))(0.0) == 0.5
        assert np.poly(tg.tensor([1.0, 2.0])).data.tolist() == [1, -3, 2]
        print(check_op("softplus", [Case(np.array([[-1.0, 0.5, 2.0]])).against(lambda x: np.log(1 + np.exp(x)))]))
        w = tg.tensor([1.0, 1.0], requires_grad=True)
        (w * [3.0, -3.0]).sum().backward()
        assert "sample_plugin.optimizers" not in sys.modules
        tg.optim.find("sign")([w], 0.25).step()
        assert w.data.tolist() == [0.75, 1.25]
        assert "sample_plugin.renderers" not in sys.modules
        tg.draw(tg.softplus(w).sum()).save(sys.argv[1])
    ''')
    path = os.pathsep.join([str(plugin), *filter(None, [os.environ.get("PYTHONPATH")]), os.getcwd()])
    done = subprocess.run([sys.executable, "-W", "error", "-c", script, str(tmp_path / "graph.count")], check=True,
                          capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path})
    assert done.stdout.startswith("softplus: 1 cases")
    assert (tmp_path / "graph.count").read_text() == "3"
