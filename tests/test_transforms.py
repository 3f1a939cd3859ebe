"""Every transform: containers, argnums, aux; forward mode; how they compose; and the convention for complex numbers."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import pytest

import tinygraph as tg


def leaf(value):
    return tg.tensor(np.array(value, float), requires_grad=True)


def test_the_outer_derivative_sees_through_the_inner_one():
    """d/dx [x · d/dy (x y²)] at y = 3 is d/dx [x · 2xy] = 4xy."""
    def outer(x):
        return x * tg.grad(lambda y: x * y ** 2)(3.0)
    assert tg.grad(outer)(2.0) == 24
    x = leaf(2)
    outer(x).backward()
    assert x.grad == 24


def test_no_perturbation_confusion():
    """d/dx [x · d/dy (x + y)] is 1: Siskind and Pearlmutter, "Perturbation confusion", IFL 2005, section 2."""
    assert tg.grad(lambda x: x * tg.grad(lambda y: x + y)(1.0))(1.0) == 1
    assert tg.grad(lambda x: x * tg.grad(lambda y: x * y)(2.0))(3.0) == 6


def test_derivatives_of_derivatives_of_an_argument():
    f = tg.tanh
    y = np.tanh(0.3)
    assert tg.grad(tg.grad(f))(0.3) == pytest.approx(-2 * y * (1 - y ** 2), rel=1e-14)
    assert tg.grad(tg.grad(tg.grad(f)))(0.3) == pytest.approx((1 - y ** 2) * (6 * y ** 2 - 2), rel=1e-14)


def test_an_inner_gradient_in_a_loss_reaches_the_weights():
    """A gradient penalty: d/dw Σ (d(w x²)/dx)² = d/dw (2wx)² = 8wx²."""
    w = leaf(3)
    slope = tg.grad(lambda x: w * x ** 2)(2.0)
    (slope * slope).backward()
    assert w.grad == 96


def test_the_gradient_of_integers_says_so():
    with pytest.raises(tg.DTypeError, match=r"argument 0 has dtype int64.*x\.astype\(float\).*test_transforms\.py"):
        tg.grad(lambda x: (x ** 2).sum())(np.array([1, 2, 3]))


def test_a_python_int_is_taken_as_a_float():
    assert tg.grad(lambda x: x ** 2)(3) == 6


def test_a_holomorphic_function_has_its_complex_derivative():
    z = tg.tensor(0.5 + 1.5j, requires_grad=True)
    (z ** 3).backward()
    np.testing.assert_allclose(z.grad, 3 * z.data ** 2)


def test_the_gradient_of_a_real_function_of_z_is_the_conjugate_of_pytorchs():
    """|z|² = x² + y²; PyTorch gives dL/dx + i dL/dy = 2z, this package dL/dx - i dL/dy."""
    for square in (lambda z: (z * z.conj()).real, lambda z: abs(z) ** 2, lambda z: z.real ** 2 + z.imag ** 2):
        z = tg.tensor([3 + 4j, 1j], requires_grad=True)
        square(z).sum().backward()
        np.testing.assert_allclose(z.grad, 2 * np.conj(z.data), rtol=1e-14)


def test_a_real_input_of_a_complex_computation_has_a_real_gradient():
    x = leaf([1, 2])
    (x * (1 + 2j)).real.sum().backward()
    assert x.grad.dtype == float
    assert x.grad.tolist() == [1, 1]


# --- containers -------------------------------------------------------------------------------------------------------

class Layer(NamedTuple):
    w: object
    b: object


def network(layers, x):
    for layer in layers[:-1]:
        x = np.tanh(x @ layer.w + layer.b)
    return ((x @ layers[-1].w + layers[-1].b) ** 2).sum()


def test_the_gradient_has_the_containers_of_its_argument(rng):
    layers = [Layer(rng.normal(size=(3, 4)), np.zeros(4)), Layer(rng.normal(size=(4, 2)), np.ones(2))]
    x = rng.normal(size=(5, 3))
    gradient, at_x = tg.grad(network, (0, 1))(layers, x)
    assert [type(g) for g in gradient] == [Layer, Layer]
    tensors = [Layer(leaf(layer.w), leaf(layer.b)) for layer in layers]
    x_leaf = leaf(x)
    network(tensors, x_leaf).backward()
    for g, t in zip(gradient, tensors, strict=True):
        assert type(g.w) is type(g.b) is np.ndarray
        assert np.array_equal(g.w, t.w.grad)
        assert np.array_equal(g.b, t.b.grad)
    assert np.array_equal(at_x, x_leaf.grad)


def test_every_kind_of_container_and_number():
    def f(p):
        return p["a"] ** 2 * p["b"][0] + p["c"][1][0] * p["d"]
    given = {"a": 3.0, "b": (2.0,), "c": [1.0, [5.0]], "d": 4, "e": np.ones(2), "nothing": None}
    gradient = tg.grad(f)(given)
    assert gradient["e"].tolist() == [0, 0]
    del gradient["e"]
    assert gradient == {"a": 12, "b": (9,), "c": [0, [4]], "d": 5, "nothing": None}
    assert list(gradient) == [key for key in given if key != "e"]


def test_tensors_in_a_container_give_tensors():
    gradient = tg.grad(lambda p: (p["x"] * p["y"]).sum())({"x": tg.tensor([1.0, 2.0]), "y": np.array([3.0, 4.0])})
    assert isinstance(gradient["x"], tg.Tensor)
    assert isinstance(gradient["y"], tg.Tensor)
    assert gradient["x"].data.tolist() == [3, 4]


@pytest.mark.parametrize(("given", "where"), [
    ({"w": [np.ones(2), np.arange(3)]}, r"argument 0\['w'\]\[1\] has dtype int64"),
    (Layer(1.0, np.array([True])), r"argument 0\.b has dtype bool"),
    ([1.0, "text"], r"argument 0\[1\] has dtype <U4"),
    (np.arange(3), "argument 0 has dtype int64"),
])
def test_what_cannot_be_differentiated_is_named_by_its_path(given, where):
    def loss(x):
        return 0.0
    with pytest.raises(tg.DTypeError, match=rf"loss: {where}.*x\.astype\(float\).*test_transforms\.py"):
        tg.grad(loss)(given)


def test_optree_is_loaded_when_a_container_is_met():
    code = ("import sys, tinygraph as tg; tg.hessian(tg.tanh)(1.0); print('optree' in sys.modules); "
            "tg.grad(lambda p: p[0])([1.0]); print('optree' in sys.modules)")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout.split() == ["False", "True"]


def test_a_class_registered_with_optree_is_a_container():
    optree = pytest.importorskip("optree")

    @optree.dataclasses.dataclass(namespace="")
    class Weights:
        w: object
        b: object
    gradient = tg.grad(lambda p: p.w * p.b)(Weights(2.0, 3.0))
    assert (gradient.w, gradient.b) == (3, 2)


# --- arguments, values, aux -------------------------------------------------------------------------------------------

def test_argnums():
    def f(x, y, *, scale=1.0):
        return scale * x * y ** 2
    assert tg.grad(f, 1)(3.0, 2.0) == 12
    assert tg.grad(f, -1)(3.0, 2.0, scale=2.0) == 24
    assert tg.grad(f, (1, 0))(3.0, 2.0) == (12, 4)
    assert tg.grad(f, [0])(3.0, 2.0) == (4,)
    with pytest.raises(tg.ArgumentError, match=r"argnums names argument 2, and 2 were given by position"):
        tg.grad(f, 2)(3.0, 2.0)
    with pytest.raises(tg.ArgumentError, match=r"argnums names an argument twice: \(0, -2\)"):
        tg.grad(f, (0, -2))(3.0, 2.0)
    for wrong in ("x", 1.0):
        with pytest.raises(tg.ArgumentError, match="argnums is an int, or several in a tuple, and not"):
            tg.grad(f, wrong)(3.0, 2.0)


def test_arrays_in_arrays_out():
    for transformed in (tg.grad(lambda x: (x ** 2).sum()), tg.jacobian(np.square), tg.hessian(lambda x: (x ** 3).sum()),
                        tg.elementwise_grad(np.square), lambda x: tg.vjp(np.square, x)[1](x)[0],
                        lambda x: tg.jvp(np.square, (x,), (x,))[1], lambda x: tg.linearize(np.square, x)[1](x),
                        lambda x: tg.hvp(lambda x: (x ** 3).sum(), (x,), (x,))[0],
                        tg.grad(lambda x: tg.grad(lambda y: (y ** 3).sum())(x).sum()),
                        tg.grad(lambda x: 2.0), tg.jacobian(lambda x: np.ones(2))):
        assert type(transformed(np.array([1.0, 2.0]))) is np.ndarray
        answer = transformed(tg.tensor([1.0, 2.0]))
        assert isinstance(answer, tg.Tensor)
        assert not answer.requires_grad
    assert type(tg.grad(np.tanh)(0.5)) is np.float64
    assert type(tg.value_and_grad(np.tanh)(np.float32(0.5))[1]) is np.float32
    assert tg.grad(np.tanh)(np.float32(0.5)).dtype == np.float32


def test_a_value_keeps_its_past_where_a_weight_is_reached_and_under_no_grad_nothing_does():
    w = leaf(3)
    value, gradient = tg.value_and_grad(lambda x: w * x ** 2)(2.0)
    assert value.requires_grad
    assert gradient.requires_grad
    value, gradient = tg.value_and_grad(lambda x: w * 2)(2.0)
    assert value.requires_grad
    assert gradient == 0
    with tg.no_grad():
        value, gradient = tg.value_and_grad(lambda x: w * x ** 2)(2.0)
        y, dy = tg.jvp(lambda x: w * x ** 2, (w,), (w,))
    assert (value, gradient) == (12, 12)
    assert type(gradient) is np.float64
    assert not y.requires_grad
    assert not dy.requires_grad


def test_gradients_share_memory_with_nothing():
    x, y = np.ones(3), np.ones(3)
    g, h = tg.grad(lambda x, y: (x + y).sum(), (0, 1))(x, y)
    seed = np.ones(3)
    _, pull = tg.vjp(lambda x: x, x)
    c, = pull(seed)
    for a, b in [(g, h), (c, seed), (c, x)]:
        assert not np.shares_memory(a, b)
    g += 1
    assert h.tolist() == [1, 1, 1]


AUX = {
    "grad": lambda f, x: tg.grad(f, has_aux=True)(x)[1],
    "value_and_grad": lambda f, x: tg.value_and_grad(f, has_aux=True)(x)[0][1],
    "elementwise_grad": lambda f, x: tg.elementwise_grad(f, has_aux=True)(x)[1],
    "jacobian": lambda f, x: tg.jacobian(f, has_aux=True)(x)[1],
    "hessian": lambda f, x: tg.hessian(f, has_aux=True)(x)[1],
    "vjp": lambda f, x: tg.vjp(f, x, has_aux=True)[2],
    "jvp": lambda f, x: tg.jvp(f, (x,), (x,), has_aux=True)[2],
    "linearize": lambda f, x: tg.linearize(f, x, has_aux=True)[2],
    "hvp": lambda f, x: tg.hvp(f, (x,), (x,), has_aux=True)[1],
}


@pytest.mark.parametrize("name", AUX)
def test_aux(name):
    w = leaf(5)

    def f(x):
        y = x ** 2
        return y.sum(), {"y": y, "text": "text", "w": y * w}
    aux = AUX[name](f, np.array([3.0]))
    assert type(aux["y"]) is np.ndarray
    assert aux["y"].tolist() == [9]
    assert aux["text"] == "text"
    assert aux["w"].requires_grad
    assert isinstance(AUX[name](f, tg.tensor([3.0]))["y"], tg.Tensor)
    with pytest.raises(tg.ArgumentError, match=r"<lambda>: with has_aux=True a function gives a pair .* gave an array"):
        AUX[name](lambda x: (x ** 2).sum(), np.array([3.0]))


@pytest.mark.parametrize(("f", "message"), [
    (lambda x: x, r"grad: the function's value has shape \(2,\) and must be a single number; use tg.vjp"),
    (lambda x: None, "must be a number or an array, and it gave a NoneType"),
    (lambda x: (x.sum(), 1), "gave a tuple of 2; has_aux=True takes a pair"),
    (lambda x: {"loss": x.sum()}, "gave a dict"),
    (lambda x: "loss", "gave a str"),
    (lambda x: (x * 1j).sum(), "is complex and an argument is real, so the gradient would lose the imaginary part"),
])
def test_a_value_that_has_no_gradient_is_named(f, message):
    with pytest.raises(tg.GradientError, match=rf"{message}.*test_transforms\.py"):
        tg.grad(f)(np.ones(2))


def test_a_function_that_does_not_depend_on_its_argument_has_gradient_0():
    assert tg.grad(lambda x: 1.0)(2.0) == 0
    assert tg.grad(lambda x: np.float32(1))(np.ones(2)).tolist() == [0, 0]
    assert tg.jacobian(lambda x: np.argmax(x))(np.ones(2)).tolist() == [0, 0]
    assert tg.jvp(lambda x: 1.0, (2.0,), (1.0,)) == (1, 0)


def test_elementwise_grad(rng):
    x = rng.normal(size=(2, 3))
    np.testing.assert_allclose(tg.elementwise_grad(np.tanh)(x), 1 - np.tanh(x) ** 2, rtol=1e-14)
    third = tg.elementwise_grad(tg.elementwise_grad(tg.elementwise_grad(np.sin)))
    np.testing.assert_allclose(third(x), -np.cos(x), rtol=1e-14)
    np.testing.assert_allclose(tg.elementwise_grad(np.multiply, 1)(x, 2 * x), x)


# --- vjp --------------------------------------------------------------------------------------------------------------

def many(p, x):
    return {"sum": x @ p["w"], "rest": (np.tanh(x), p["b"] * 2, 7.0)}


def test_vjp_of_containers(rng):
    p = {"w": rng.normal(size=(3, 2)), "b": rng.normal(size=4)}
    x = rng.normal(size=3)
    y, pull = tg.vjp(many, p, x)
    assert type(y["sum"]) is np.ndarray
    assert y["rest"][2] == 7
    g = {"sum": rng.normal(size=2), "rest": (rng.normal(size=3), rng.normal(size=4), 0.0)}
    at_p, at_x = pull(g)
    np.testing.assert_allclose(at_p["w"], np.outer(x, g["sum"]))
    np.testing.assert_allclose(at_p["b"], 2 * g["rest"][1])
    np.testing.assert_allclose(at_x, p["w"] @ g["sum"] + g["rest"][0] * (1 - np.tanh(x) ** 2))
    # None stands for zero, in a part or for a whole container.
    at_p, at_x = pull({"sum": None, "rest": (g["rest"][0], None, None)})
    assert not at_p["w"].any()
    np.testing.assert_allclose(at_x, g["rest"][0] * (1 - np.tanh(x) ** 2))
    assert not pull({"sum": None, "rest": None})[1].any()


def test_an_output_given_twice_adds_its_cotangents():
    _, pull = tg.vjp(lambda x: [y := 3 * x, y, x], 2.0)
    assert pull([1.0, 10.0, 100.0]) == (133,)


@pytest.mark.parametrize(("g", "kind", "message"), [
    ({"sum": np.ones(3)}, tg.ArgumentError, "vjp: the cotangent has other containers"),
    ([1.0, 2.0], tg.ArgumentError, "vjp: the cotangent has other containers"),
    ({"sum": np.ones(3), "rest": None}, tg.ShapeError,
     r"vjp: the cotangent\['sum'\] has shape \(3,\), and what it belongs to \(2,\)"),
    ({"sum": 1j * np.ones(2), "rest": None}, tg.DTypeError, r"cotangent\['sum'\] is complex128, and .* float64"),
    ({"sum": ["a", "b"], "rest": None}, tg.DTypeError, r"cotangent\['sum'\] is <U1"),
])
def test_a_cotangent_that_does_not_fit_is_named(g, kind, message):
    _, pull = tg.vjp(many, {"w": np.ones((3, 2)), "b": np.ones(4)}, np.ones(3))
    with pytest.raises(kind, match=rf"{message}.*test_transforms\.py"):
        pull(g)


# --- jvp, linearize ---------------------------------------------------------------------------------------------------

def test_jvp_is_the_derivative_along_the_tangents(rng):
    p = {"w": rng.normal(size=(3, 2)), "b": rng.normal(size=4)}
    v = {"w": rng.normal(size=(3, 2)), "b": rng.normal(size=4)}
    x, u = rng.normal(size=3), rng.normal(size=3)
    y, dy = tg.jvp(many, (p, x), (v, u))
    assert dy["rest"][2] == 0
    np.testing.assert_allclose(y["sum"], x @ p["w"])
    np.testing.assert_allclose(dy["sum"], x @ v["w"] + u @ p["w"])
    np.testing.assert_allclose(dy["rest"][0], u * (1 - np.tanh(x) ** 2))
    np.testing.assert_allclose(dy["rest"][1], 2 * v["b"])
    _, dy = tg.jvp(many, (p, x), (None, u))
    np.testing.assert_allclose(dy["sum"], u @ p["w"])
    assert not dy["rest"][1].any()


def test_linearize_runs_the_function_once(rng):
    calls = []

    def f(x, w):
        calls.append(0)
        return np.tanh(x @ w), x
    x, w = rng.normal(size=(2, 3)), rng.normal(size=(3, 4))
    (y, same), push = tg.linearize(f, x, w)
    assert np.array_equal(same, x)
    for _ in range(3):
        u, v = rng.normal(size=x.shape), rng.normal(size=w.shape)
        pushed, identity = push(u, v)
        np.testing.assert_allclose(pushed, (1 - y ** 2) * (u @ w + x @ v), rtol=1e-12)
        assert np.array_equal(identity, u)
        assert not np.shares_memory(identity, u)
    assert len(calls) == 1


def test_forward_and_backward_are_transposes(rng):
    def f(x):
        return np.cumsum(np.exp(x[::-1]) * x.max()) / (1 + x @ x)
    x, v, g = rng.normal(size=(3, 5))
    _, dy = tg.jvp(f, (x,), (v,))
    _, pull = tg.vjp(f, x)
    assert g @ dy == pytest.approx(pull(g)[0] @ v, rel=1e-13)


def test_a_singular_point_warns_in_forward_mode_only_where_the_derivative_is_singular():
    with pytest.warns(RuntimeWarning, match="divide by zero") as warned:
        _, dy = tg.jvp(np.sqrt, (0.0,), (1.0,))
    assert dy == np.inf
    assert len(warned) == 1


@pytest.mark.parametrize(("primals", "tangents", "kind", "message"), [
    (1.0, 1.0, tg.ArgumentError, r"jvp: the primals are a tuple of arguments, such as \(x,\), and not a float"),
    (np.ones(2), np.ones(2), tg.ArgumentError, r"and not an array of shape \(2,\)"),
    ((1.0,), 1.0, tg.ArgumentError, "jvp: the tangents are a tuple of one for each of the 1 primals, and not a float"),
    ((1.0,), (1.0, 2.0), tg.ArgumentError, "one for each of the 1 primals, and not a tuple of 2"),
    ((np.ones(2),), (np.ones(3),), tg.ShapeError, r"jvp: the tangent of argument 0 has shape \(3,\), and .* \(2,\)"),
    (([1.0, 2.0],), ([1.0, 2j],), tg.DTypeError, r"jvp: the tangent of argument 0\[1\] is complex128, .* float64"),
    (({"a": 1.0},), ({"b": 1.0},), tg.ArgumentError, "jvp: the tangent of argument 0 has other containers"),
])
def test_tangents_that_do_not_fit_are_named(primals, tangents, kind, message):
    with pytest.raises(kind, match=rf"{message}.*test_transforms\.py"):
        tg.jvp(lambda x: x, primals, tangents)


def test_forward_derivatives_of_complex_functions():
    z, v = np.array([1 + 2j, -0.5j]), np.array([0.3 - 1j, 2 + 1j])
    np.testing.assert_allclose(tg.jvp(lambda z: z ** 3, (z,), (v,))[1], 3 * z ** 2 * v)
    np.testing.assert_allclose(tg.jvp(np.conj, (z,), (v,))[1], np.conj(v))
    np.testing.assert_allclose(tg.jvp(lambda z: np.abs(z) ** 2, (z,), (v,))[1], 2 * np.real(np.conj(z) * v))
    np.testing.assert_allclose(tg.jvp(lambda x: np.exp(1j * x), (0.5,), (2.0,))[1], 2j * np.exp(0.5j))


# --- jacobian, hessian, hvp -------------------------------------------------------------------------------------------

def test_the_jacobian_has_the_shape_of_the_value_and_then_of_the_argument(rng):
    x = rng.normal(size=(2, 3))
    w = np.arange(12.0).reshape(3, 4)
    j = tg.jacobian(lambda x: np.tanh(x) @ w)(x)
    assert j.shape == (2, 4, 2, 3)
    np.testing.assert_allclose(j, np.einsum("ij,jk,il->iklj", 1 - np.tanh(x) ** 2, w, np.eye(2)), atol=1e-15)
    assert tg.jacobian(np.sum)(x).shape == (2, 3)
    assert tg.jacobian(lambda x: x * np.ones(4))(2.0).shape == (4,)
    assert tg.jacobian(lambda x: x[:0])(x).shape == (0, 3, 2, 3)
    assert tg.jacobian(lambda x: x)(np.ones((0, 2))).shape == (0, 2, 0, 2)
    assert tg.jacobian(np.tanh)(0.0) == 1


def test_the_jacobian_runs_the_function_once(rng):
    calls = []

    def f(x):
        calls.append(0)
        return np.sin(x)
    assert np.array_equal(tg.jacobian(f)(np.arange(5.0)), np.diag(np.cos(np.arange(5.0))))
    assert len(calls) == 1


def test_the_jacobian_of_containers():
    j = tg.jacobian(lambda p, x: {"y": p["a"] * x, "z": [p["b"]]}, (0, 1))({"a": 2.0, "b": np.ones(2)}, np.arange(3.0))
    assert j["y"][0]["a"].tolist() == [0, 1, 2]
    assert j["y"][0]["b"].shape == (3, 2)
    assert j["y"][1].tolist() == (2 * np.eye(3)).tolist()
    assert j["z"][0][0]["b"].tolist() == np.eye(2).tolist()
    h = tg.hessian(lambda p: p["a"] ** 2 * p["b"])({"a": 2.0, "b": 3.0})
    assert h == {"a": {"a": 6, "b": 4}, "b": {"a": 4, "b": 0}}


def test_jacobians_of_complex_functions():
    x, z = np.array([0.3, 2.0]), np.array([1 + 2j, -0.5j])
    np.testing.assert_allclose(tg.jacobian(lambda x: np.exp(1j * x))(x), np.diag(1j * np.exp(1j * x)))
    np.testing.assert_allclose(tg.jacobian(lambda z: z ** 2)(z), np.diag(2 * z))
    np.testing.assert_allclose(tg.jacobian(lambda z: np.abs(z) ** 2)(z), np.diag(2 * np.conj(z)))
    at_x, at_z = tg.jacobian(np.multiply, (0, 1))(x, z)
    np.testing.assert_allclose(at_x, np.diag(z))
    np.testing.assert_allclose(at_z, np.diag(x))


def test_jacobian_of_jacobian_and_hessian_agree(rng):
    def f(x):
        return np.stack([x[0] ** 2 * x[1], np.sin(x[1]) * x[2]])
    x = rng.normal(size=3)
    second = tg.jacobian(tg.jacobian(f))(x)
    wanted = np.zeros((2, 3, 3))
    wanted[0, 0, 0], wanted[0, 0, 1], wanted[0, 1, 0] = 2 * x[1], 2 * x[0], 2 * x[0]
    wanted[1, 1, 1], wanted[1, 1, 2], wanted[1, 2, 1] = -np.sin(x[1]) * x[2], np.cos(x[1]), np.cos(x[1])
    np.testing.assert_allclose(second, wanted, atol=1e-15)
    np.testing.assert_allclose(tg.hessian(f)(x), second)
    assert tg.jacobian(tg.jacobian(tg.jacobian(f)))(x).shape == (2, 3, 3, 3)


def test_hvp_is_the_hessian_times_a_vector(rng):
    def f(x, w):
        return (np.tanh(x @ w) ** 2).sum()
    x, w, u, v = rng.normal(size=3), rng.normal(size=(3, 2)), rng.normal(size=3), rng.normal(size=(3, 2))
    (xx, xw), (wx, ww) = tg.hessian(f, (0, 1))(x, w)
    at_x, at_w = tg.hvp(f, (x, w), (u, v))
    np.testing.assert_allclose(at_x, xx @ u + np.tensordot(xw, v, 2), rtol=1e-12)
    np.testing.assert_allclose(at_w, wx @ u + np.tensordot(ww, v, 2), rtol=1e-12)
    np.testing.assert_allclose(tg.jvp(tg.grad(f), (x, w), (u, v))[1], at_x, rtol=1e-12)
    np.testing.assert_allclose(tg.hvp(f, (x, w), (None, v))[0], np.tensordot(xw, v, 2), rtol=1e-12)
    assert tg.hvp(np.sum, (x,), (u,))[0].tolist() == [0, 0, 0]
    with pytest.raises(tg.GradientError, match=r"hvp: the function's value has shape \(3,\)"):
        tg.hvp(np.tanh, (x,), (u,))


# --- they compose -----------------------------------------------------------------------------------------------------

def forward_grad(f):
    return lambda x: tg.jvp(f, (x,), (np.ones_like(x) if np.ndim(x) else 1.0,))[1]


def linear_grad(f):
    return lambda x: tg.linearize(f, x)[1](1.0)


def vjp_grad(f):
    return lambda x: tg.vjp(f, x)[1](1.0)[0]


def checkpointed_grad(f):
    return lambda x: tg.grad(tg.checkpoint(f))(x)


WAYS = [tg.grad, forward_grad, linear_grad, vjp_grad, tg.jacobian, tg.elementwise_grad, checkpointed_grad]


@pytest.mark.parametrize("outer", WAYS)
@pytest.mark.parametrize("inner", WAYS)
def test_any_transform_of_any_transform(outer, inner):
    y = np.tanh(0.3)
    assert outer(inner(np.tanh))(0.3) == pytest.approx(-2 * y * (1 - y ** 2), rel=1e-14)
    assert tg.grad(outer(inner(np.tanh)))(0.3) == pytest.approx((1 - y ** 2) * (6 * y ** 2 - 2), rel=1e-13)


@pytest.mark.parametrize("outer", WAYS)
@pytest.mark.parametrize("inner", WAYS)
def test_no_way_confuses_perturbations(outer, inner):
    assert outer(lambda x: x * inner(lambda y: x + y)(1.0))(1.0) == 1
    assert outer(lambda x: x * inner(lambda y: x * y)(2.0))(3.0) == 6
    assert outer(lambda x: x * inner(lambda y: x * y ** 2)(3.0))(2.0) == 24
    # The inner variable is the outer one.
    assert outer(lambda x: inner(lambda y: x * y)(x))(3.0) == 1


@pytest.mark.parametrize("way", WAYS)
def test_a_penalty_on_a_derivative_reaches_the_weights_whatever_its_way(way):
    w = leaf(3)
    slope = way(lambda x: w * x ** 2)(2.0)
    (slope * slope).backward()
    assert w.grad == 96


def test_tangents_and_cotangents_can_be_differentiated():
    assert tg.grad(lambda v: tg.jvp(np.square, (3.0,), (v,))[1] ** 2)(2.0) == 144  # d/dv (6v)²
    assert tg.grad(lambda g: tg.vjp(np.square, 3.0)[1](g)[0] ** 2)(2.0) == 144
    assert tg.grad(lambda v: tg.hvp(lambda x: x ** 3, (3.0,), (v,))[0] ** 2)(2.0) == 1296  # d/dv (18v)²
    assert tg.grad(lambda x: tg.hvp(lambda x: x ** 3, (x,), (1.0,))[0])(2.0) == 6


def test_transforms_inside_threads_do_not_meet():
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda x: tg.grad(tg.grad(lambda x: x ** 3))(x), np.arange(32.0)))
    assert found == [6 * x for x in range(32)]


def test_a_long_chain_has_a_jvp_and_a_hessian():
    """Nothing recurses: the chain is longer than Python's stack."""
    def f(x):
        for _ in range(20_000):
            x = x + 1e-5 * x
        return x * x
    growth = 1.00001 ** 20_000
    assert tg.jvp(f, (1.0,), (1.0,))[1] == pytest.approx(2 * growth ** 2)
    assert tg.hvp(f, (1.0,), (1.0,))[0] == pytest.approx(2 * growth ** 2)
