"""Case, one call of an op with sample inputs; Trial, the runs of both passes that the properties of a case share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from tinygraph.core.kinds import Constant
from tinygraph.core.messages import describe
from tinygraph.core.op import Op
from tinygraph.tensors import Tensor, tensor
from tinygraph.testing.standin import each

Arrays = Sequence[Any]

STEP = 3e-4
"""At this step rounding spoils central differences by about 1e-12 of the value, and the fourth-order cut-off by 1e-14
of the fifth derivative, which is large where an argument is near the end of a function's range."""


class Case:
    """One call of an op with sample inputs: ``Case(x, axis=0)`` stands for ``op(x, axis=0)``.

    Every floating or complex ndarray among the arguments, also within lists, is an input to differentiate in, if the
    op has a rule for it. Keep values 0.01 away from kinks and ties: central differences would look across them.

    >>> Case([np.ones(2), np.ones((2, 3))], axis=0).without("second order")
    ([float64 (2,), float64 (2, 3)], axis=0)
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.args, self.kwargs = args, kwargs
        self.skip: frozenset[str] = frozenset()
        self.reference: Callable[..., Any] | None = None
        self.prepare: Callable[[Any], Any] | None = None
        self.reader: Callable[[Any], Any] | None = None

    def without(self, *properties: str) -> Case:
        """The same case, not tried for some of `PROPERTIES`; say why in a comment."""
        return self._changed(skip=self.skip | set(properties))

    def against(self, reference: Callable[..., Any]) -> Case:
        """The same case, whose value must equal that of another function of the same arguments."""
        return self._changed(reference=reference)

    def on(self, prepare: Callable[[Any], Any]) -> Case:
        """The same case, each of whose arrays goes through a function of NumPy calls before the op has it.

        So an op on symmetric matrices is only ever moved along symmetric matrices.
        """
        return self._changed(prepare=prepare)

    def read(self, reader: Callable[[Any], Any]) -> Case:
        """The same case, where it is ``reader`` of the op's result, a function of NumPy calls, that is looked at.

        So of an eigenvector, which is defined up to its phase, only what has none is looked at.
        """
        return self._changed(reader=reader)

    def _changed(self, **attributes: Any) -> Case:
        other = Case(*self.args, **self.kwargs)
        other.__dict__.update(self.__dict__, **attributes)
        return other

    def __repr__(self) -> str:
        given = [_told(a) for a in self.args] + [f"{name}={_told(a)}" for name, a in self.kwargs.items()]
        return f"({', '.join(given)})"

    @property
    def arrays(self) -> list[Any]:
        """Every ndarray among the arguments, in order."""
        found: list[Any] = []
        self.called(lambda *args, **kwargs: None, found.append)
        return found

    def called(self, function: Callable[..., Any], change: Callable[[Any], Any]) -> Any:
        """Call the function with each ndarray changed."""
        def walk(value: Any) -> Any:
            return change(value) if isinstance(value, np.ndarray) else each(value, walk)
        return function(*walk(self.args), **walk(self.kwargs))

    def replaced(self, arrays: Iterable[Any]) -> Case:
        """The same case with other arrays in the places of its own."""
        rest = iter(arrays)
        other: Case = self.called(Case, lambda _: next(rest))
        return self._changed(args=other.args, kwargs=other.kwargs)


def _told(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_told, value))}]"
    return describe(value)


class Failed(Exception):  # noqa: N818 - a verdict on one property, and no error of the program
    """One property does not hold; the message says by how much."""


class Trial:
    """One case of one op, with what its properties share: random seeds and directions, and runs of both passes."""

    def __init__(self, op: Op[..., Any], case: Case) -> None:
        self.op, self.case, self.worst = op, case, 0.0
        self.rng = np.random.default_rng(0)
        self.arrays = [frozen(a) for a in case.arrays]
        given = [self._prepared(a) for a in self.arrays]
        bound = [] if isinstance(op, Constant) else case.replaced(given).called(_Bind(op), lambda a: a)
        position = {id(x): i for i, x in enumerate(bound)}
        self.wrt = [i for i, a in enumerate(given)
                    if a.dtype.kind in "fc" and id(a) in position and op.rule(position[id(a)]) is not None]
        self.positions = {i: position[id(given[i])] for i in self.wrt}
        self.inputs = len(bound)
        self.outputs = [np.asarray(y) for y in several(self.call(self.arrays))]
        self.seeds = [frozen(self.like(y)) for y in self.outputs]

    def like(self, a: Any) -> Any:
        """Random numbers of an array's shape and dtype."""
        a = np.asarray(a)
        if a.dtype.kind not in "fc":
            return np.zeros(a.shape, a.dtype)
        r = self.rng.standard_normal(a.shape)
        return np.asarray(r + 1j * self.rng.standard_normal(a.shape) if a.dtype.kind == "c" else r, a.dtype)

    def call(self, arrays: Arrays, function: Callable[..., Any] | None = None, read: bool = True) -> Any:
        """The op's answer, or another function's, with these arrays in the case's places, as the case reads it."""
        rest = iter(arrays)
        answer = self.case.called(function or self.op, lambda _: self._prepared(next(rest)))
        return self.case.reader(answer) if read and self.case.reader is not None else answer

    def _prepared(self, array: Any) -> Any:
        return array if self.case.prepare is None else self.case.prepare(array)

    def tensors(self, arrays: Arrays) -> list[Any]:
        """The arrays with those that are differentiated as leaves; where the op has no derivative, all as leaves."""
        if isinstance(self.op, Constant):
            return [tensor(a, requires_grad=a.dtype.kind in "fc") for a in arrays]
        return [tensor(a, requires_grad=True) if i in self.wrt else a for i, a in enumerate(arrays)]

    def gradients(self, arrays: Arrays, seeds: Arrays) -> tuple[list[Any], list[Any]]:
        """The outputs and the gradient of each differentiated array, on bare arrays."""
        leaves = self.tensors(arrays)
        outputs = several(self.call(leaves))
        for y, seed in zip(outputs, seeds, strict=True):
            if isinstance(y.data, np.ndarray):
                y.data.flags.writeable = False
            if y.requires_grad and y.dtype.kind in "fc":
                y.backward(seed)
        return [y.data for y in outputs], [gradient_of(leaves[i]) for i in self.wrt]

    def second_gradients(self, arrays: Arrays, seeds: Arrays, weights: Arrays) -> tuple[list[Any], list[Any]]:
        """The gradients through a graph, and the derivative of their weighted sum in each array and each seed."""
        return self.higher_gradients(arrays, seeds, [weights])

    def higher_gradients(self, arrays: Arrays, seeds: Arrays, weights: Sequence[Arrays]) -> tuple[list[Any], list[Any]]:
        """The gradients of a weighted sum of the gradients of a weighted sum ..., as often as there are weights.

        The first weights are those of the arrays' gradients, all others those of what was differentiated in before:
        each array and each seed. Gives the gradients before the last ones, and the last ones.
        """
        leaves = self.tensors(arrays)
        g = [tensor(seed, requires_grad=seed.dtype.kind in "fc") for seed in seeds]
        wrt = [leaves[i] for i in self.wrt]
        total, before = weighted_sum(several(self.call(leaves)), g), list[Any]()
        for place, scales in enumerate(weights):
            total.backward(create_graph=True)
            before = [x.grad for x in (wrt + g if place else wrt)]
            for x in wrt + g:
                x.zero_grad()
            total = weighted_sum(before, scales)
            if not isinstance(total, Tensor) or not total.requires_grad:
                break
        else:
            total.backward()
        return [c if c is None else c.data for c in before], [gradient_of(x) for x in wrt + g]

    def close(self, what: str, got: Any, wanted: Any, tolerance: float, scale: float = 0.0) -> None:
        """Hold one number or array against another, relative to the larger of 1, their size and ``scale``."""
        got, wanted = np.asarray(got), np.asarray(wanted)
        if got.shape != wanted.shape:
            raise Failed(f"{what}: shape {got.shape}, and {wanted.shape} is right")
        if got.dtype.kind not in "biufc":
            if not np.array_equal(got, wanted):
                raise Failed(f"{what}: {got}, and {wanted} is right")
            return
        if not got.size:
            return
        both = np.isfinite(got) & np.isfinite(wanted)
        same = both | (got == wanted) | (np.isnan(got) & np.isnan(wanted))
        finite = np.where(both, wanted, 0)
        error = float(np.max(np.absolute(np.where(both, got, 0) - finite))) / max(1.0, scale, np.max(np.abs(finite)))
        self.worst = max(self.worst, error)
        if error > tolerance or not same.all():
            place = np.unravel_index(np.argmax(np.where(same, np.absolute(np.where(both, got, 0) - finite), np.inf)),
                                     got.shape)
            at = f" at {tuple(map(int, place))}" if place else ""
            raise Failed(f"{what}{at}: {got[place]:.12g}, and {wanted[place]:.12g} is right; they differ by "
                         f"{error:.2g} of the scale, {tolerance:.0e} is allowed")

    def named(self, i: int) -> str:
        """Which input the array number ``i`` is, for a message."""
        position = self.positions[i]
        name = self.op.inputs[position] if position < len(self.op.inputs) else self.op.nested or "an array"
        return f"input {position} ({name}, {describe(self.arrays[i])})"


class _Bind:
    """An op's binding as a function of its arguments that gives the inputs in order."""

    def __init__(self, op: Op[..., Any]) -> None:
        self.op = op

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.op.bind(args, kwargs)[0]


def frozen(a: Any) -> Any:
    """A copy that cannot be written to."""
    a = np.array(a)
    a.flags.writeable = False
    return a


def several(result: Any) -> list[Any]:
    """The outputs of an op as a list, whether it has one or more."""
    return list(result) if isinstance(result, tuple | list) else [result]


def gradient_of(leaf: Tensor) -> Any:
    """What backward left on a leaf; zeros where no rule came that far."""
    return leaf.grad if leaf.grad is not None else np.zeros_like(leaf.data)


def weighted_sum(values: Arrays, weights: Arrays) -> Any:
    """Σ Re(w v), the real number whose cotangents the weights are."""
    terms = [np.sum(np.real(v * w)) for v, w in zip(values, weights, strict=True)
             if v is not None and v.dtype.kind in "fc"]
    return sum(terms[1:], terms[0]) if terms else 0.0


@contextmanager
def unvalidated(op: Op[..., Any]) -> Iterator[None]:
    """Leave out the op's checks of values, which are for real inputs, and not for stand-ins or a step beside them."""
    validate, op.validate = op.validate, None
    try:
        yield
    finally:
        op.validate = validate


def slope(op: Op[..., Any], f: Callable[[float], float]) -> float:
    """f'(0) by central differences of fourth order."""
    with unvalidated(op):
        near, far = f(STEP) - f(-STEP), f(2 * STEP) - f(-2 * STEP)
    return float(8 * near - far) / (12 * STEP)
