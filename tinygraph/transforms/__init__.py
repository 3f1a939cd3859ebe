"""Functions from functions: derivatives in every direction and of every order, which compose.

A differentiated argument may be an array, a number, or dicts, lists and tuples of them, to any depth. Arrays in,
arrays out; Tensors in, Tensors out. Inside, each array is a fresh tensor. Where it was a tensor with a past, or where
the function reaches any other tensor that requires a gradient, the derivative is computed with a graph, so that an
outer one sees every term of it.
"""

from __future__ import annotations

from tinygraph.transforms.custom import checkpoint, custom_vjp, stop_gradient
from tinygraph.transforms.forward import hvp, jvp, linearize
from tinygraph.transforms.reverse import elementwise_grad, grad, hessian, jacobian, value_and_grad, vjp

__all__ = ["checkpoint", "custom_vjp", "elementwise_grad", "grad", "hessian", "hvp", "jacobian", "jvp", "linearize",
           "stop_gradient", "value_and_grad", "vjp"]
