"""Op: how a call is sorted into inputs and params, what a card may say, plugins, what a bad rule is told."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import tinygraph as tg
from tinygraph.core.op import OPS, Op, Slot, find


@pytest.fixture
def temporary_ops():
    """Ops registered by the test are gone after it."""
    before = dict(OPS)
    yield
    OPS.clear()
    OPS.update(before)


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


def test_a_missing_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'no_such_op'"):
        tg.no_such_op  # noqa: B018
    with pytest.raises(KeyError):
        find("no_such_op")


def test_another_package_registers_an_op_by_an_entry_point(tmp_path):
    (tmp_path / "their_ops.py").write_text(textwrap.dedent('''
        import numpy as np
        import tinygraph as tg

        @tg.op(symbol="x3", vjp=(lambda g, y, x: 3 * g,))
        def triple(x):
            """Three times x."""
            return 3 * x

        @tg.op(numpy=np.spacing, vjp=(None,))
        def spacing(x):
            """The distance to the next number."""
            return np.spacing(x)
    '''))
    info = tmp_path / "their_ops-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: their-ops\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[tinygraph.ops]\ntheirs = their_ops\n")
    script = textwrap.dedent('''
        import sys, numpy as np, tinygraph as tg
        assert "their_ops" not in sys.modules          # read on the first miss, not before
        assert tg.grad(lambda x: tg.triple(x))(2.0) == 3.0
        assert float(np.spacing(tg.tensor(1.0))) == np.finfo(float).eps
    ''')
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")]), os.getcwd()])
    subprocess.run([sys.executable, "-W", "error", "-c", script], check=True, env={**os.environ, "PYTHONPATH": path})
