"""Is this gradient right? Backprop held against central differences: of a function, or of a model's weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygraph.core.context import no_grad
from tinygraph.core.errors import ArgumentError, DTypeError, GradientError
from tinygraph.core.messages import here
from tinygraph.core.node import cotangents, start
from tinygraph.core.op import Array, is_array
from tinygraph.differences import numerical_gradient, random_direction, step_for
from tinygraph.tensors import Tensor, tensor
from tinygraph.transforms import value_and_grad

__all__ = ["Row", "check_grads", "gradient_check", "numerical_gradient"]


def check_grads(f: Callable[..., Any], args: Any, order: int = 2, *, tol: float | None = None, h: float | None = None,
                seed: int = 0) -> None:
    """Raise GradientError unless the derivatives of ``f`` at ``args``, up to an order, agree with central differences.

    Where ``f`` gives more than one number, they are multiplied by random weights and added up. The gradient of the one
    number in each argument is compared along a random direction. The next order checks the gradient, times a random
    direction, in the same way. Only where they differ is the worst element looked for, one by one, and named.

    f: a function of Tensors that gives one or a tuple of them, the same whenever it is called, and smooth within h of
        args (a kink of relu there, or a tie of max, counts as an error)
    args: a tuple or list of arguments, or a single array; floats and arrays of them are checked, all else passed on
    order: 1 for the gradient, 2 for the gradient of the gradient too, and so on
    tol: the difference that is allowed, relative above 1; None for 10 √eps of the lowest precision among arguments and
        values: 1.5e-7 in float64, 3.5e-3 in float32
    h: the step (in the units of args); None for its eps^(1/3): 6e-6 in float64, 5e-3 in float32

    Raises DTypeError where no argument is real or complex, GradientError also where ``f`` does not repeat itself.

    >>> import tinygraph as tg
    >>> check_grads(tg.tanh, np.array([0.5, -2.0]))
    >>> def wrong(x):
    ...     return (x * x.detach()).sum()
    >>> check_grads(wrong, np.array([1.0, 3.0]))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    tinygraph.core.errors.GradientError: check_grads: wrong: the gradient in argument 0 at [1] is 3 by backprop and 6...
    """
    if order < 1:
        raise ArgumentError(f"check_grads: order is 1 for the gradient or 2 for its gradient too, not {order}{here()}")
    name = getattr(f, "__name__", type(f).__name__)
    arguments = [_plain(x) for x in (args if isinstance(args, (tuple, list)) else (args,))]
    positions = [i for i, x in enumerate(arguments) if is_array(x) and x.dtype.kind in "fc"]
    if not positions:
        raise DTypeError(f"check_grads: none of the arguments of {name} is a real or complex array, so there is no "
                         f"derivative to check{here()}")
    rng = np.random.default_rng(seed)
    function, dtypes = _weighted(f, arguments, rng, name)
    # Of several precisions the lowest is what all of it is good to.
    dtype = max([*dtypes, *(arguments[i].dtype for i in positions)], key=lambda dtype: np.finfo(dtype).eps)
    step, tolerance = step_for(dtype)
    step, tolerance = step if h is None else h, tolerance if tol is None else tol
    for level in range(1, order + 1):
        where = name if level == 1 else f"{name}, order {level}"
        _check_level(function, arguments, positions, rng, step, tolerance, where)
        if level < order:
            function = _directional(function, arguments, positions, rng)


def _plain(x: Any) -> Any:
    """An argument as an array of its own, or as it is where it is none."""
    if isinstance(x, Tensor):
        return x.data.copy()
    if isinstance(x, float | complex | np.generic):
        return np.array(x)
    return x.copy() if is_array(x) else x


def _weighted(f: Callable[..., Any], arguments: list[Any], rng: np.random.Generator,
              name: str) -> tuple[Callable[..., Any], list[np.dtype[Any]]]:
    """One real number made of all that ``f`` gives, each element with a random weight; and the dtypes of its values."""
    with no_grad():
        arrays, again = ([np.asarray(v) for v in _outputs(f(*map(_fresh, arguments)))] for _ in range(2))
    if not all(np.array_equal(a, b, equal_nan=a.dtype.kind in "fc") for a, b in zip(arrays, again, strict=True)):
        raise GradientError(f"check_grads: {name} gave two different values for the same arguments; give its random "
                            f"generator the same seed in each call{here()}")
    chosen = [i for i, a in enumerate(arrays) if a.dtype.kind in "fc"]
    alone = len(chosen) == 1 and arrays[chosen[0]].size == 1  # one number, whose own derivative the error can name
    weights = [np.ones_like(arrays[i]) if alone else random_direction(rng, arrays[i]) for i in chosen]

    def number(*args: Any) -> Any:
        outputs = _outputs(f(*args))
        return _summed([outputs[i] for i in chosen], weights)
    return number, [arrays[i].dtype for i in chosen]


def _summed(arrays: Sequence[Any], weights: Sequence[Any]) -> Any:
    """The real part of the sum of all elements, each times its weight."""
    total: Any = 0.0
    for array, weight in zip(arrays, weights, strict=True):
        term = np.sum(array * weight)
        total = total + (np.real(term) if np.iscomplexobj(term) else term)
    return total


def _outputs(value: Any) -> Sequence[Any]:
    return value if isinstance(value, (tuple, list)) else (value,)


def _fresh(x: Any) -> Any:
    """An argument in a Tensor of its own, so that nothing that f does to it is seen by the next call."""
    return tensor(x.copy()) if is_array(x) and x.dtype.kind in "fc" else x


def _directional(function: Callable[..., Any], arguments: list[Any], positions: list[int],
                 rng: np.random.Generator) -> Callable[..., Any]:
    """The derivative of ``function`` along a random direction, as a function again."""
    directions = [random_direction(rng, arguments[i]) for i in positions]
    differentiated = value_and_grad(function, positions)

    def number(*args: Any) -> Any:
        return _summed(differentiated(*args)[1], directions)
    return number


def _check_level(function: Callable[..., Any], arguments: list[Any], positions: list[int], rng: np.random.Generator,
                 step: float, tolerance: float, name: str) -> None:
    # Without recording, so that a weight outside the function asks for no second derivative that nobody takes.
    with no_grad():
        value, gradients = value_and_grad(function, positions)(*map(_fresh, arguments))
    for i, gradient in zip(positions, (np.asarray(c) for c in gradients), strict=True):
        x = arguments[i]

        def at(z: Array, i: int = i) -> Any:
            return function(*(_fresh(z if k == i else a) for k, a in enumerate(arguments)))

        direction = random_direction(rng, x)
        above, below = (np.asarray(z, x.dtype) for z in (x + step * direction, x - step * direction))
        with no_grad():
            numerical = (float(at(above)) - float(at(below))) / (2 * step)
        # Along the step that rounding left, not the one that was asked for; added up in float64.
        products = np.multiply(gradient, above - below, dtype=np.result_type(x, float))
        backprop = float(np.real(np.sum(products))) / (2 * step)
        rounding = 16 * float(np.finfo(x.dtype).eps) * abs(float(value)) / step
        allowed = tolerance * max(1.0, abs(numerical)) + rounding
        if not abs(backprop - numerical) <= allowed:
            raise GradientError(_worst(at, x, gradient, step, i, name))


def _worst(at: Callable[[Array], Any], x: Array, gradient: Array, h: float, position: int, name: str) -> str:
    """The sentence that names the element whose two derivatives are furthest apart."""
    numerical = numerical_gradient(at, x.copy(), h)
    index = np.unravel_index(int(np.argmax(np.absolute(gradient - numerical))), x.shape)
    place = f" at [{', '.join(map(str, index))}]" if index else ""
    return (f"check_grads: {name}: the gradient in argument {position}{place} is {gradient[index]:.9g} by backprop and "
            f"{numerical[index]:.9g} by central differences{here()}")


@dataclass(frozen=True, slots=True)
class Row:
    """How far backprop and central differences are apart in one weight.

    Attributes:
        name, shape: The weight's.
        mean, largest: The mean and the largest absolute difference over its elements.
        index: Where the largest is.
        backprop, numerical: The two derivatives there.

    >>> row = Row("b", (2,), 1e-12, 2e-12, (1,), 0.5, 0.500000000002)
    >>> row.largest < 1e-9
    True
    """

    name: str
    shape: tuple[int, ...]
    mean: float
    largest: float
    index: tuple[int, ...]
    backprop: float
    numerical: float


def gradient_check(loss: Callable[[], Any], params: Mapping[str, Tensor], h: float = 1e-4) -> list[Row]:
    """The lecture's gradient check as a table: one `Row` a weight, backprop beside central differences.

    loss: computes the loss, a single number, from the weights as they are at each call, on the same batch
    params: the weights by name, as in the lecture's ``network.params``
    h: the step of the differences

    The weights and their ``grad`` are left as they were. Two evaluations of the loss for each number in the weights.

    Raises GradientError where the loss is not a single number, or a weight does not require a gradient.

    >>> import tinygraph as tg
    >>> w = tg.tensor([3.0], requires_grad=True)
    >>> row, = gradient_check(lambda: (w ** 2).sum(), {"w": w})
    >>> row.backprop, round(row.numerical, 6), row.largest < 1e-9
    (6.0, 6.0, True)
    """
    for name, weight in params.items():
        if not getattr(weight, "requires_grad", False):
            raise GradientError(f"gradient_check: the weight {name!r} does not require a gradient; make it with "
                                f"tg.tensor(..., requires_grad=True){here()}")
    value = loss()
    if not isinstance(value, Tensor):
        raise GradientError(f"gradient_check: the loss is a {type(value).__name__} and not a Tensor, so it has no "
                            f"gradient to check{here()}")
    root = value.node
    found = {node: np.array(c) for node, c, _ in cotangents(root, start(root, None))}
    return [_row(name, weight.data, found.get(weight.node), numerical_gradient(lambda _: loss(), weight, h))
            for name, weight in params.items()]


def _row(name: str, x: Array, backprop: Array | None, numerical: Array) -> Row:
    if backprop is None:  # the loss does not depend on this weight
        backprop = np.zeros_like(x)
    difference = np.absolute(backprop - numerical)
    if not difference.size:
        return Row(name, x.shape, 0.0, 0.0, (), 0.0, 0.0)
    index = tuple(int(i) for i in np.unravel_index(int(np.argmax(difference)), x.shape))
    return Row(name, x.shape, float(np.mean(difference)), float(difference[index]), index, backprop[index].item(),
               numerical[index].item())
