"""Kinds of ops that have no rules of their own: functions without a derivative, and functions of other ops."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinygraph.core.arguments import Array, Handle, put_back, take_out
from tinygraph.core.errors import GradientError, TinygraphError, UnsupportedError
from tinygraph.core.messages import here
from tinygraph.core.op import COMPOSED, EXPLAINED, OPS, Op, P, R, Rule, as_array, enter


class Constant(Op[P, R]):
    """A function whose result carries no derivative: a comparison, a rounding, an argmax.

    It takes its arguments as NumPy does and is never recorded; with a Tensor among them it gives a Tensor.
    """

    def __init__(self, function: Callable[P, R], meaning: str) -> None:
        super().__init__(function, vjp={}, numpy=function)
        self.__doc__ = meaning
        self.nested = "args"

    def _lay_out(self) -> None:
        # NumPy's function sorts its arguments itself, and may be no Python function at all.
        self.inputs, self.params, self.rules, self.nested_rule, self._wanted = (), (), (), None, {}
        self.forward, self.simple, self.total, self._bare = self.function, False, False, -1

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any] | None]:
        """Take every array out of the arguments, wherever it sits."""
        if kwargs.get("out") is not None:
            raise UnsupportedError(f"{self.name}: out= is not supported; assign the result instead{here()}")
        found: list[Any] = []
        params = {"args": take_out(args, found, 0), "kwargs": {k: take_out(v, found, 0) for k, v in kwargs.items()}}
        return tuple(found), params

    def run(self, values: tuple[Any, ...], params: dict[str, Any] | None) -> Any:
        """Call NumPy's function with the arrays put back."""
        assert params is not None
        args = put_back(params["args"], values)
        kwargs = {name: put_back(value, values) for name, value in params["kwargs"].items()}
        try:
            return self.function(*args, **kwargs)
        except EXPLAINED as error:
            raise self.explain(error, args, kwargs) from error

    def __repr__(self) -> str:
        return f"<op {self.name}: no derivative>"


def constant(function: Callable[..., Any], meaning: str) -> Constant[..., Any]:
    """Register a NumPy function as one without a derivative; ``meaning`` is its docstring.

    >>> import numpy as np, tinygraph as tg
    >>> np.floor(tg.tensor([1.5]))
    tensor([1.], dtype=float64)
    """
    return enter(Constant(function, meaning), OPS)


class Composed(Op[P, R]):
    """A function of ops: calling it records the ops that it calls, and they bring the rules."""

    def __init__(self, function: Callable[P, R], name: str | None, **card: Any) -> None:
        super().__init__(function, vjp={}, **card)
        self.name = name or self.name

    def _lay_out(self) -> None:
        super()._lay_out()
        self.simple, self.total, self._bare = False, False, -1

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function; what goes wrong within it is told under its name."""
        super().bind(args, kwargs)
        try:
            try:
                return self.function(*args, **kwargs)
            except GradientError:
                # A list of tensors, which NumPy would have made an array of.
                again, named = tuple(map(_joined, args)), {name: _joined(x) for name, x in kwargs.items()}
                if all(a is b for a, b in zip((*args, *kwargs.values()), (*again, *named.values()), strict=True)):
                    raise
                return self.function(*again, **named)
        except TinygraphError as error:
            line = here()
            told = f"{error}" if str(error).startswith(f"{self.name}") else f"{self.name}: {error}"
            raise type(error)(told if told.endswith(line) else told + line) from error
        except EXPLAINED as error:
            raise self.explain(error, args, kwargs) from error

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any] | None]:
        """Take every array out of the arguments, wherever it sits."""
        found: list[Any] = []
        params = {name: take_out(value, found, 0) for name, value in [*enumerate(args), *kwargs.items()]}
        return tuple(found), {str(name): value for name, value in params.items()}

    def rule(self, position: int) -> Rule | None:
        """Stand for the rules of the ops within, so that the suite differentiates in every input."""
        return _of_the_ops_within


def _joined(x: Any) -> Any:
    """A list of tensors as one tensor; anything else as it is."""
    array = as_array(x)
    return array if isinstance(array, Handle) else x


def _of_the_ops_within(g: Array, y: Array, *inputs: Array) -> Array:
    raise AssertionError("no node is made of a composed function")  # pragma: no cover


def composed(*, name: str | None = None, **card: Any) -> Callable[[Callable[P, R]], Composed[P, R]]:
    """Register the decorated function of ops: where NumPy's own function is a composition, so is its derivative.

    It has NumPy's signature and is written in plain NumPy, or in ops; on arrays it gives arrays. ``numpy`` names the
    functions it stands for, so that ``np.name(tensor)`` calls it; ``opaque`` says that it is for NumPy's arrays only;
    ``name`` is its key in COMPOSED where that is not the function's name.

    >>> import numpy as np
    >>> import tinygraph as tg
    >>> from tinygraph.core.kinds import composed
    >>> from tinygraph.core.op import COMPOSED
    >>> @composed()
    ... def rms(a, axis=None):
    ...     return np.sqrt(np.mean(a * a, axis))
    >>> rms(np.array([3.0, 3.0])), tg.grad(rms)(np.array([3.0, 3.0]))
    (np.float64(3.0), array([0.5, 0.5]))
    >>> del COMPOSED["rms"]
    """
    def register(function: Callable[P, R]) -> Composed[P, R]:
        return enter(Composed(function, name, **card), COMPOSED)
    return register
