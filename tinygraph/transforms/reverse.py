"""Derivatives by going back: grad, value_and_grad, elementwise_grad, vjp, jacobian, hessian."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygraph.core.arguments import Array
from tinygraph.core.errors import ArgumentError, GradientError
from tinygraph.core.messages import here
from tinygraph.tensors import Tensor
from tinygraph.transforms.trace import Argnums, Traced, bare, positions, presented, told


def grad(function: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """The gradient of a function whose value is a single number, as a function of the same arguments.

    See `value_and_grad` for what it takes, gives and raises. With ``has_aux`` it gives (gradient, aux).

    >>> import tinygraph as tg
    >>> tg.grad(tg.tanh)(0.0)
    np.float64(1.0)
    >>> tg.grad(tg.grad(lambda x: x ** 3))(2.0)
    np.float64(12.0)
    >>> tg.grad(lambda weights, x: weights["w"] * x + weights["b"])({"w": 2.0, "b": 1.0}, 5.0)
    {'w': np.float64(5.0), 'b': np.float64(1.0)}
    """
    both = value_and_grad(function, argnums, has_aux)

    @functools.wraps(function)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        value, gradients = both(*args, **kwargs)
        return (gradients, value[1]) if has_aux else gradients
    return gradient


def value_and_grad(function: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False,
                   ) -> Callable[..., tuple[Any, Any]]:
    """A function that gives both ``function(...)`` and its gradient in the arguments that ``argnums`` names.

    The gradient has the containers of its argument (dicts, lists, tuples, to any depth), an array for an array and a
    Tensor for a Tensor, or where an outer derivative will need its past; a tuple of them where ``argnums`` is a
    sequence. Of a complex function of complex arguments it is the derivative f'(z), if it has one.

    argnums: the place, or places, among the arguments given by position
    has_aux: ``function`` gives (value, anything else); the answer is then ((value, anything else), gradient)

    Raises GradientError unless the value is a single number, and a real one where an argument is real; DTypeError for
    an integer array.

    >>> value_and_grad(lambda x: (x ** 2).sum())(np.array([1.0, 2.0]))
    (np.float64(5.0), array([2., 4.]))
    """
    if not callable(function):
        raise ArgumentError(f"grad: what is differentiated is a function, and not {told(function)}; the gradients of a "
                            f"tensor come from its backward(){here()}")

    @functools.wraps(function)
    def differentiated(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        traced = Traced(function, args, kwargs, positions(argnums, args), has_aux)
        ones = one(traced, "grad", "use tg.vjp, tg.jacobian or tg.elementwise_grad for more")
        gradients = traced.given(traced.answers([], traced.pull([ones])))
        value = (traced.value, traced.aux) if has_aux else traced.value
        return value, gradients[0] if isinstance(argnums, int) else gradients
    return differentiated


def elementwise_grad(function: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """The derivative of an elementwise function at every element: the gradient of the sum of its values.

    Of a function that is not elementwise it is the sum of the Jacobian's rows. Otherwise as `grad`.

    >>> import tinygraph as tg
    >>> tg.elementwise_grad(tg.square)(np.array([1.0, 2.0, 3.0]))
    array([2., 4., 6.])
    """
    @functools.wraps(function)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        traced = Traced(function, args, kwargs, positions(argnums, args), has_aux)
        single(traced, "elementwise_grad")
        gradients = traced.given(traced.answers([], traced.pull([np.ones_like(bare(traced.outputs[0]))])))
        answer = gradients[0] if isinstance(argnums, int) else gradients
        return (answer, traced.aux) if has_aux else answer
    return gradient


def vjp(function: Callable[..., Any], *primals: Any, has_aux: bool = False) -> tuple[Any, ...]:
    """The value at ``primals`` and the function that takes a cotangent of it back to cotangents of the primals.

    ``y, pull = vjp(function, *primals)``, or ``y, pull, aux`` with ``has_aux``. ``pull(g)`` is linear in g and may be
    called often; it gives a tuple, one cotangent a primal, each in the primal's containers. The cotangent ``g`` has
    those of y, with None for zero.

    >>> y, pull = vjp(lambda x: 3 * x, np.array([1.0, 2.0]))
    >>> pull(np.array([1.0, 10.0]))
    (array([ 3., 30.]),)
    """
    traced = Traced(function, primals, {}, range(len(primals)), has_aux)

    def pull(g: Any) -> tuple[Any, ...]:
        seeds = traced.seeds(g)
        return traced.given(traced.answers(seeds, traced.pull(seeds)))
    return (traced.value, pull, traced.aux) if has_aux else (traced.value, pull)


def jacobian(function: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """The derivative of every element of a function's value in every element of an argument.

    function: (shape of x) -> (shape of y), or containers of arrays
    -> a function of the same arguments that gives an array (*shape of y, *shape of x), in the containers of the value
       and within them those of the argument; a tuple where ``argnums`` is a sequence; with ``has_aux`` (that, aux)

    The function runs once; its graph is gone back through once for each element of the value. For a value much larger
    than the arguments `linearize`, called once an element of those, is cheaper. The derivative of a complex value in a
    real argument is complex.

    >>> import tinygraph as tg
    >>> tg.jacobian(lambda x: tg.stack([x[0] * x[1], x[0] ** 2]))(np.array([2.0, 3.0]))
    array([[3., 2.],
           [4., 0.]])
    """
    @functools.wraps(function)
    def differentiated(*args: Any, **kwargs: Any) -> Any:
        traced = Traced(function, args, kwargs, positions(argnums, args), has_aux)
        blocks = []
        for place in range(len(traced.outputs)):
            given = traced.given(_block(traced, place))
            blocks.append(given[0] if isinstance(argnums, int) else given)
        answer = traced.structure.build(blocks)
        return (answer, traced.aux) if has_aux else answer
    return differentiated


def hessian(function: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """The second derivatives of a function: the `jacobian` of its jacobian.

    function: (shape of x) -> (), or any other shape, which then comes first in the answer's
    -> a function of the same arguments that gives an array (*shape of x, *shape of x), in the argument's containers
       and within them the argument's containers again

    >>> import tinygraph as tg
    >>> tg.hessian(lambda x: x[0] ** 2 * x[1])(np.array([2.0, 3.0]))
    array([[6., 4.],
           [4., 0.]])
    """
    return jacobian(jacobian(function, argnums, has_aux), argnums, has_aux)


def single(traced: Traced, of: str) -> Any:
    """The function's value where that is one array or number; a clear error where it is not."""
    y = traced.outputs[0] if traced.structure.is_leaf else traced.structure.build(traced.outputs)
    if not traced.structure.is_leaf or not (isinstance(y, int | float | complex) or hasattr(y, "dtype")):
        more = "; has_aux=True takes a pair (value, anything else)" if isinstance(y, tuple) and len(y) == 2 else ""
        raise GradientError(f"{of}: the function's value must be a number or an array, and it gave {told(y)}{more}"
                            f"{here()}")
    return y


def one(traced: Traced, of: str, otherwise: str) -> Array:
    """The cotangent 1 of a function's value, which must be a single number."""
    y = single(traced, of)
    if math.prod(np.shape(y)) != 1:
        raise GradientError(f"{of}: the function's value has shape {np.shape(y)} and must be a single number; "
                            f"{otherwise}{here()}")
    if isinstance(y, Tensor) and y.dtype.kind == "c" and any(x.dtype.kind != "c" for x in traced.inputs):
        raise GradientError(f"{of}: the function's value is complex and an argument is real, so the gradient would "
                            f"lose the imaginary part; take np.real or np.imag of it, or use tg.jacobian{here()}")
    return np.ones_like(bare(y))


def _block(traced: Traced, place: int) -> list[Any]:
    """The derivative of output ``place`` in each input, as arrays (*shape of the output, *shape of the input)."""
    y, inputs = bare(traced.outputs[place]), traced.inputs
    shape, is_complex = np.shape(y), np.iscomplexobj(y)

    def pulled(index: tuple[int, ...], unit: complex) -> list[Any]:
        seeds: list[Any] = [None] * len(traced.outputs)
        seeds[place] = np.zeros_like(y)
        seeds[place][index] = unit
        return [np.zeros_like(x.data) if c is None else c for c, x in zip(traced.pull(seeds), inputs, strict=True)]

    def row(index: tuple[int, ...]) -> list[Any]:
        if not is_complex:
            return pulled(index, 1)
        # Of a real input the engine gives Re(seed dy/dx), so that a second seed brings the imaginary part.
        return [re if x.dtype.kind == "c" else re + 1j * im
                for x, re, im in zip(inputs, pulled(index, 1), pulled(index, -1j), strict=True)]

    rows = map(row, np.ndindex(shape))
    first = next(rows, None)
    if first is None:
        blocks = [np.zeros_like(x.data, shape=(*shape, *x.shape)) for x in inputs]
    elif all(isinstance(c, np.ndarray | np.generic) for c in first):  # then no row is held beside the whole
        blocks = [np.empty((*shape, *c.shape), c.dtype) for c in first]
        for index, cs in zip(np.ndindex(shape), itertools.chain([first], rows), strict=True):
            for block, c in zip(blocks, cs, strict=True):
                block[index] = c
    else:
        blocks = [np.reshape(np.stack(column), (*shape, *x.shape))
                  for column, x in zip(zip(first, *rows, strict=True), inputs, strict=True)]
    return [presented(block, traced.plain) for block in blocks]
