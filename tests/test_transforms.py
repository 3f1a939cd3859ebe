"""Derivatives of derivatives, and the convention for complex numbers."""

from __future__ import annotations

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
