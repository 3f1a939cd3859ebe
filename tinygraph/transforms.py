"""Functions from functions: grad, value_and_grad, vjp. They compose, and a call inside another is differentiated too.

The argument of a differentiated function is a fresh tensor. Where it was a tensor with a past, or where the function
reaches any other tensor that requires a gradient, the inner derivative is computed with a graph, so that an outer one
sees every term of it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygraph.core.context import GRAD_ENABLED, enable_grad
from tinygraph.core.errors import ArgumentError, DTypeError, GradientError
from tinygraph.core.messages import here
from tinygraph.core.node import Node, ancestors, cotangents, leaf, start, wrap
from tinygraph.core.op import Array
from tinygraph.ops.elementwise import positive
from tinygraph.tensors import Tensor, tensor

Argnums = int | Sequence[int]


class _Traced:
    """A function's value at some arguments, with what is needed to go back to those arguments."""

    def __init__(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any],
                 argnums: Sequence[int]) -> None:
        args_list = list(args)
        self.inputs: list[Tensor] = []
        self.plain = not any(isinstance(args[i], Tensor) for i in argnums)
        with enable_grad():
            for i in argnums:
                args_list[i] = _fresh(args[i], function, i)
                self.inputs.append(args_list[i])
            value = function(*args_list, **kwargs)
        self.output: Any = value
        if not isinstance(value, Tensor) or not value.requires_grad:
            self.needed: set[Node] = set()  # the function does not depend on its arguments
            return
        fresh = {x.node for x in self.inputs}
        order = ancestors([value.node], since=min(node.serial for node in fresh))
        self.needed = {node for node in fresh if node in set(order)}
        outside = any(x.node.parents for x in self.inputs)
        for node in order:
            if node in fresh:
                continue
            if any(type(p) is Node and p in self.needed for p in node.parents):
                self.needed.add(node)
            outside = outside or _reaches_out(node, order[0].serial)
        self.outside = outside

    @property
    def value(self) -> Any:
        """The function's value, with a past only where that reaches something outside the call."""
        if not isinstance(self.output, Tensor) or (self.needed and self.outside):
            return self.output
        return self.output.data[()] if self.plain else self.output.detach()

    def pull(self, seed: Array | None) -> tuple[Any, ...]:
        """The cotangents of the inputs for a cotangent of the output."""
        if not self.needed:
            return tuple(self._given(np.zeros_like(x.data)) for x in self.inputs)
        root = self.output.node
        g = start(root, seed)
        with_graph = (self.outside or isinstance(g, Tensor)) and GRAD_ENABLED.get()
        if with_graph:
            g = g if isinstance(g, Tensor) else tensor(g)
        elif isinstance(g, Tensor):
            g = g.data
        sweep = cotangents(root, g, Tensor if with_graph else None, only=self.needed)
        found = {node: c for node, c, _ in sweep}
        answer = []
        for x in self.inputs:
            c = found.get(x.node)
            c = np.zeros_like(x.data) if c is None else c
            answer.append(c if isinstance(c, Tensor) else self._given(c.copy()))
        return tuple(answer)

    def _given(self, c: Array) -> Any:
        return c if self.plain else tensor(c)


def _fresh(x: Any, function: Callable[..., Any], position: int) -> Tensor:
    """The argument as a tensor of this call's own: a leaf, or a copy of the handle that keeps the past."""
    if isinstance(x, Tensor) and x.requires_grad:
        node = positive(x).node
        node.watched = True
        return wrap(Tensor, node)  # type: ignore[no-any-return]
    if type(x) is int:
        x = float(x)
    value = x.data if isinstance(x, Tensor) else x
    if not hasattr(value, "dtype"):
        value = np.asarray(value)
    if value.dtype.kind not in "fc":
        raise DTypeError(f"{getattr(function, '__name__', 'function')}: argument {position} has dtype {value.dtype}, "
                         f"and a derivative needs real numbers; give x.astype(float){here()}")
    return wrap(Tensor, leaf(value, True))  # type: ignore[no-any-return]


def _reaches_out(node: Node, first: int) -> bool:
    """Whether a node of this call is, or was computed from, something older that requires a gradient."""
    if node.op is None:
        return node.requires_grad
    return any(type(p) is Node and p.serial < first and p.requires_grad for p in node.parents)


def value_and_grad(function: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., tuple[Any, Any]]:
    """A function that gives both ``function(...)`` and its gradient in the arguments that ``argnums`` names.

    The gradient is an array for an array argument, a Tensor for a Tensor (or where an outer derivative will need its
    past), and a tuple of them where ``argnums`` is a sequence.

    Raises GradientError unless the function's value is a single number, DTypeError for an integer array.

    >>> value_and_grad(lambda x: (x ** 2).sum())(np.array([1.0, 2.0]))
    (np.float64(5.0), array([2., 4.]))
    """
    positions = (argnums,) if isinstance(argnums, int) else tuple(argnums)

    @functools.wraps(function)
    def differentiated(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        for i in positions:
            if not -len(args) <= i < len(args):
                raise ArgumentError(f"argnums names argument {i}, and {len(args)} were given by position{here()}")
        traced = _Traced(function, args, kwargs, [i % len(args) for i in positions])
        if np.size(traced.output) != 1:
            raise GradientError(f"grad: the function's value has shape {np.shape(traced.output)} and must be a single "
                                f"number; use tg.vjp for more{here()}")
        gradients = traced.pull(None)
        return traced.value, gradients[0] if isinstance(argnums, int) else gradients
    return differentiated


def grad(function: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """The gradient of a function whose value is a single number, as a function of the same arguments.

    See `value_and_grad` for what it gives and raises.

    >>> import tinygraph as tg
    >>> tg.grad(tg.tanh)(0.0)
    np.float64(1.0)
    >>> tg.grad(tg.grad(lambda x: x ** 3))(2.0)
    np.float64(12.0)
    """
    both = value_and_grad(function, argnums)

    @functools.wraps(function)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        return both(*args, **kwargs)[1]
    return gradient


def vjp(function: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[[Array], tuple[Any, ...]]]:
    """The value at ``primals`` and the function that takes a cotangent of it back to cotangents of the primals.

    What it gives back may be called more than once, and is linear.

    >>> y, pull = vjp(lambda x: 3 * x, np.array([1.0, 2.0]))
    >>> pull(np.array([1.0, 10.0]))
    (array([ 3., 30.]),)
    """
    traced = _Traced(function, primals, {}, range(len(primals)))
    return traced.value, traced.pull
