"""Is this gradient right? Backprop held against central differences: of a function, or of a model's weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygraph.core.arguments import Array, is_array
from tinygraph.core.backward import cotangents, start
from tinygraph.core.context import no_grad
from tinygraph.core.errors import ArgumentError, DTypeError, GradientError
from tinygraph.core.messages import here
from tinygraph.differences import numerical_gradient, random_direction, step_for
from tinygraph.tensors import Tensor, tensor
from tinygraph.transforms import grad, jvp, linearize, value_and_grad
from tinygraph.transforms.trees import LEAF, Structure, flatten

__all__ = ["Row", "check_grads", "gradient_check", "numerical_gradient"]


def check_grads(f: Callable[..., Any], args: Any, order: int = 2, *, modes: Sequence[str] = ("rev",),
                tol: float | None = None, h: float | None = None, seed: int = 0) -> None:
    """Raise GradientError unless the derivatives of ``f`` at ``args``, up to an order, agree with central differences.

    Where ``f`` gives more than one number, they are multiplied by random weights and added up. The derivative of the
    one number in each argument is compared along a random direction. The next order checks the derivative along a
    random direction in the same way. Only where they differ is the worst element looked for, one by one, and named.

    f: a function of Tensors that gives one, or containers of them, the same whenever it is called, and smooth within h
        of args (a kink of relu there, or a tie of max, counts as an error)
    args: a tuple or list of arguments, or a single one; floats, arrays of them and containers of such arrays (dicts,
        lists, tuples) are checked, all else passed on
    order: 1 for the gradient, 2 for the gradient of the gradient too, and so on
    modes: "rev" for the gradient by backprop, "fwd" for the derivative along a direction by `jvp`; with both, each
        order is taken of either of the order below (forward mode is made of the same rules as backprop, so that
        backprop of order 2 already looks at what it needs)
    tol: the difference that is allowed, relative above 1; None for 10 √eps of the lowest precision among arguments and
        values: 1.5e-7 in float64, 3.5e-3 in float32
    h: the step (in the units of args); None for its eps^(1/3): 6e-6 in float64, 5e-3 in float32

    Raises DTypeError where no argument is real or complex, GradientError also where ``f`` does not repeat itself.

    >>> import tinygraph as tg
    >>> check_grads(tg.tanh, np.array([0.5, -2.0]), modes=("rev", "fwd"))
    >>> def wrong(x):
    ...     return (x * x.detach()).sum()
    >>> check_grads(wrong, np.array([1.0, 3.0]))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    tinygraph.core.errors.GradientError: check_grads: wrong: the gradient in argument 0 at [1] is 3 by backprop and 6...
    """
    if order < 1:
        raise ArgumentError(f"check_grads: order is 1 for the gradient or 2 for its gradient too, not {order}{here()}")
    if not modes or isinstance(modes, str) or set(modes) - {"rev", "fwd"}:
        raise ArgumentError(f'check_grads: modes are "rev", "fwd" or both, in a tuple, not {modes!r}{here()}')
    name = getattr(f, "__name__", type(f).__name__)
    arguments = _Arguments(args if isinstance(args, (tuple, list)) else (args,))
    if not arguments.varied:
        raise DTypeError(f"check_grads: none of the arguments of {name} is a real or complex array, so there is no "
                         f"derivative to check{here()}")
    rng = np.random.default_rng(seed)
    function, dtypes = _weighted(f, arguments, rng, name)
    # Of several precisions the lowest is what all of it is good to.
    dtype = max([*dtypes, *(x.dtype for x in arguments.varied)], key=lambda dtype: np.finfo(dtype).eps)
    step, tolerance = step_for(dtype)
    step, tolerance = step if h is None else h, tolerance if tol is None else tol
    functions = [(name, function)]
    for level in range(1, order + 1):
        for taken, function in functions:
            where = taken if level == 1 else f"{taken}, order {level}"
            for mode in modes:
                _check_level(function, arguments, mode, rng, step, tolerance, where)
        if level < order:
            several = len(modes) > 1
            functions = [(f"{taken} by {mode}" if several else taken, _directional(function, arguments, mode, rng))
                         for taken, function in functions for mode in modes]


class _Arguments:
    """What a function is called with: its floating arrays in one row, and where they stand.

    Attributes:
        varied: The arrays that are differentiated in, wherever they sit, each a copy.
        names: What messages call them.
    """

    def __init__(self, args: Sequence[Any]) -> None:
        self.varied: list[Array] = []
        self.names: list[str] = []
        self._parts: list[tuple[list[Any], Structure]] = []
        for i, x in enumerate(args):
            leaves, structure = flatten(x)
            # A container of mere numbers is rather a shape, an axis or a bound.
            if not structure.is_leaf and not any(map(is_array, leaves)):
                leaves, structure = [x], LEAF
            for k, leaf in enumerate(leaves):
                leaves[k] = leaf = _plain(leaf)
                if is_array(leaf) and leaf.dtype.kind in "fc":
                    self.varied.append(leaf)
                    self.names.append(f"argument {i}{structure.paths()[k]}")
                    leaves[k] = _PLACE
            self._parts.append((leaves, structure))

    def filled(self, arrays: Sequence[Any]) -> list[Any]:
        """The arguments with other arrays in the places of these."""
        rest = iter(arrays)
        return [structure.build([next(rest) if leaf is _PLACE else leaf for leaf in leaves])
                for leaves, structure in self._parts]

    def fresh(self) -> list[Tensor]:
        """The arrays in Tensors of their own, so that nothing that f does to one is seen by the next call."""
        return [tensor(x.copy()) for x in self.varied]


_PLACE = object()


def _plain(x: Any) -> Any:
    """An argument as an array of its own, or as it is where it is none."""
    if isinstance(x, Tensor):
        return x.data.copy()
    if isinstance(x, float | complex | np.generic):
        return np.array(x)
    return x.copy() if is_array(x) else x


def _weighted(f: Callable[..., Any], arguments: _Arguments, rng: np.random.Generator,
              name: str) -> tuple[Callable[..., Any], list[np.dtype[Any]]]:
    """All that ``f`` gives as one real number, each element with a random weight; and the dtypes of its values."""
    with no_grad():
        arrays, again = ([np.asarray(v) for v in flatten(f(*arguments.filled(arguments.fresh())))[0]] for _ in range(2))
    if not all(np.array_equal(a, b, equal_nan=a.dtype.kind in "fc") for a, b in zip(arrays, again, strict=True)):
        raise GradientError(f"check_grads: {name} gave two different values for the same arguments; give its random "
                            f"generator the same seed in each call{here()}")
    chosen = [i for i, a in enumerate(arrays) if a.dtype.kind in "fc"]
    alone = len(chosen) == 1 and arrays[chosen[0]].size == 1  # one number, whose own derivative the error can name
    weights = [np.ones_like(arrays[i]) if alone else random_direction(rng, arrays[i]) for i in chosen]

    def number(*varied: Any) -> Any:
        outputs = flatten(f(*arguments.filled(varied)))[0]
        return _summed([outputs[i] for i in chosen], weights)
    return number, [arrays[i].dtype for i in chosen]


def _summed(arrays: Sequence[Any], weights: Sequence[Any]) -> Any:
    """The real part of the sum of all elements, each times its weight."""
    total: Any = 0.0
    for array, weight in zip(arrays, weights, strict=True):
        term = np.sum(array * weight)
        total = total + (np.real(term) if np.iscomplexobj(term) else term)
    return total


def _directional(function: Callable[..., Any], arguments: _Arguments, mode: str,
                 rng: np.random.Generator) -> Callable[..., Any]:
    """The derivative of ``function`` along a random direction, as a function again."""
    directions = [random_direction(rng, x) for x in arguments.varied]
    if mode == "fwd":
        return lambda *varied: jvp(function, varied, directions)[1]
    gradient = grad(function, range(len(directions)))
    return lambda *varied: _summed(gradient(*varied), directions)


def _check_level(function: Callable[..., Any], arguments: _Arguments, mode: str, rng: np.random.Generator,
                 step: float, tolerance: float, name: str) -> None:
    # Without recording, so that a weight outside the function asks for no second derivative that nobody takes.
    with no_grad():
        if mode == "rev":
            value, gradients = value_and_grad(function, range(len(arguments.varied)))(*arguments.fresh())
        else:
            value, push = linearize(function, *arguments.fresh())
    for i, x in enumerate(arguments.varied):
        def at(z: Array, i: int = i) -> Any:
            return function(*(tensor(z.copy()) if k == i else y for k, y in enumerate(arguments.fresh())))

        def along(v: Array, i: int = i) -> float:
            """The derivative of the value along v."""
            if mode == "rev":  # added up in float64
                products = np.multiply(np.asarray(gradients[i]), v, dtype=np.result_type(v, float))
                return float(np.real(np.sum(products)))
            with no_grad():
                return float(push(*(v if k == i else None for k in range(len(arguments.varied)))))

        direction = random_direction(rng, x)
        above, below = (np.asarray(z, x.dtype) for z in (x + step * direction, x - step * direction))
        with no_grad():
            numerical = (float(at(above)) - float(at(below))) / (2 * step)
        # Along the step that rounding left, not the one that was asked for.
        found = along(above - below) / (2 * step)
        rounding = 16 * float(np.finfo(x.dtype).eps) * abs(float(value)) / step
        allowed = tolerance * max(1.0, abs(numerical)) + rounding
        if not abs(found - numerical) <= allowed:
            gradient = np.asarray(gradients[i]) if mode == "rev" else _by_elements(along, x)
            raise GradientError(_worst(at, x, gradient, step, arguments.names[i], mode, name))


def _by_elements(along: Callable[[Array], float], x: Array) -> Array:
    """The gradient, one element at a time."""
    gradient, unit = np.zeros_like(x), np.zeros_like(x)
    for index in np.ndindex(x.shape):
        for part, factor in ((1, 1), (1j, -1j)) if x.dtype.kind == "c" else ((1, 1),):
            unit[index] = part
            gradient[index] += factor * along(unit)
        unit[index] = 0
    return gradient


def _worst(at: Callable[[Array], Any], x: Array, gradient: Array, h: float, argument: str, mode: str, name: str) -> str:
    """The sentence that names the element whose two derivatives are furthest apart."""
    numerical = numerical_gradient(at, x.copy(), h)
    index = np.unravel_index(int(np.argmax(np.absolute(gradient - numerical))), x.shape)
    place = f" at [{', '.join(map(str, index))}]" if index else ""
    by = "by backprop" if mode == "rev" else "in forward mode"
    return (f"check_grads: {name}: the gradient in {argument}{place} is {gradient[index]:.9g} {by} and "
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
