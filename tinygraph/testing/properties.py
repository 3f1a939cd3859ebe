"""The properties that the rules of every op have, one function each; its docstring is the property."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygraph.core.kinds import Constant
from tinygraph.tensors import Tensor
from tinygraph.testing.standin import KNOWN, StandIn, dressed
from tinygraph.testing.trial import Failed, Trial, frozen, several, slope, unvalidated, weighted_sum

TOLERANCE = 1e-8
"""How far, relative to the size of what was added up, a derivative may be from central differences."""


def _value(t: Trial) -> None:
    """Equal, in value, shape and dtype, to NumPy's function or the case's reference; the same with Tensors."""
    references = [t.case.reference] if t.case.reference is not None else list(t.op.numpy)
    if t.op.forward is not t.op.function:  # a ufunc that is called in the function's stead
        references.append(t.op.function)
    for function in references:
        wanted = several(t.call(t.arrays, function))
        if len(wanted) != len(t.outputs):
            raise Failed(f"{len(t.outputs)} outputs, and {len(wanted)} are right")
        for y, w in zip(t.outputs, wanted, strict=True):
            t.close("value", y, w, 1e-12)
            if t.case.reference is None and y.dtype != np.asarray(w).dtype:
                raise Failed(f"dtype {y.dtype}, and {np.asarray(w).dtype} is right")


def _tensors(t: Trial) -> None:
    """A Tensor comes out where a Tensor goes in, through the op and through NumPy's function; it remembers the op."""
    constant = isinstance(t.op, Constant)
    leaves = t.tensors(t.arrays)
    functions: list[Callable[..., Any]] = [t.op, *t.op.numpy]
    for function in functions if any(isinstance(x, Tensor) for x in leaves) else ():
        for y, wanted in zip(several(t.call(leaves, function)), t.outputs, strict=True):
            bare = y.data if isinstance(y, Tensor) else y
            t.close("value", bare, wanted, 0.0)
            if isinstance(y, Tensor) and y.requires_grad == constant:
                raise Failed(f"requires_grad is {y.requires_grad} where it should be {not constant}")
            if not isinstance(y, Tensor) and hasattr(y, "dtype"):
                raise Failed(f"{function!r} gives {type(y).__name__}, and a Tensor is right")


def _first_order(t: Trial) -> None:
    """Each rule against central differences of the value, in a random direction."""
    _, gradients = t.gradients(t.arrays, t.seeds)
    for i, c in zip(t.wrt, gradients, strict=True):
        direction = t.like(t.arrays[i])

        def loss(step: float, i: int = i, direction: Any = direction) -> float:
            moved = [a + step * direction if j == i else a for j, a in enumerate(t.arrays)]
            return float(weighted_sum([np.asarray(y) for y in several(t.call(moved))], t.seeds))
        scale = float(np.sum(np.abs(c * direction)))
        t.close(t.named(i), np.sum(np.real(c * direction)), slope(t.op, loss), TOLERANCE, scale)


def _second_order(t: Trial) -> None:
    """The rules through a graph give the same, and their own derivatives agree with central differences of theirs."""
    weights = [t.like(t.arrays[i]) for i in t.wrt]
    _, plain = t.gradients(t.arrays, t.seeds)
    through, second = t.second_gradients(t.arrays, t.seeds, weights)
    for i, c, wanted in zip(t.wrt, through, plain, strict=True):
        t.close(f"first derivative through a graph in {t.named(i)}", np.zeros_like(wanted) if c is None else c,
                wanted, 1e-12)
    for number, c in enumerate(second):
        i = t.wrt[number] if number < len(t.wrt) else -1
        k = number - len(t.wrt)
        direction = t.like(t.arrays[i] if i >= 0 else t.seeds[k])

        def slope_of(step: float, i: int = i, k: int = k, direction: Any = direction) -> float:
            moved = [a + step * direction if j == i else a for j, a in enumerate(t.arrays)]
            seeds = [s + step * direction if i < 0 and j == k else s for j, s in enumerate(t.seeds)]
            return float(weighted_sum(t.gradients(moved, seeds)[1], weights))
        name = t.named(i) if i >= 0 else f"the cotangent of output {k}"
        scale = float(np.sum(np.abs(c * direction)))
        t.close(name, np.sum(np.real(c * direction)), slope(t.op, slope_of), TOLERANCE, scale)


def _third_order(t: Trial) -> None:
    """The second derivatives through a graph have derivatives that agree with central differences of theirs."""
    weights = [t.like(t.arrays[i]) for i in t.wrt]
    scales = [t.like(t.arrays[i]) for i in t.wrt] + [t.like(s) for s in t.seeds]
    _, third = t.higher_gradients(t.arrays, t.seeds, [weights, scales])
    for i, c in zip(t.wrt, third, strict=False):
        direction = t.like(t.arrays[i])

        def slope_of(step: float, i: int = i, direction: Any = direction) -> float:
            moved = [a + step * direction if j == i else a for j, a in enumerate(t.arrays)]
            return float(weighted_sum(t.second_gradients(moved, t.seeds, weights)[1], scales))
        scale = float(np.sum(np.abs(c * direction)))
        t.close(t.named(i), np.sum(np.real(c * direction)), slope(t.op, slope_of), TOLERANCE, scale)


def _linear(t: Trial) -> None:
    """The rule of a sum of cotangents is the sum of the rules."""
    others = [frozen(t.like(y)) for y in t.outputs]
    _, one = t.gradients(t.arrays, t.seeds)
    _, two = t.gradients(t.arrays, others)
    mixed = [frozen(np.asarray(2.5 * a - 0.75 * b, a.dtype)) for a, b in zip(t.seeds, others, strict=True)]
    _, both = t.gradients(t.arrays, mixed)
    for i, a, b, c in zip(t.wrt, one, two, both, strict=True):
        t.close(t.named(i), c, 2.5 * a - 0.75 * b, 1e-12)


def _fits(t: Trial) -> None:
    """A gradient is an ndarray of its input's shape and dtype, and shares memory with no array in reach."""
    outputs, gradients = t.gradients(t.arrays, t.seeds)
    others = [("an input", a) for a in t.arrays] + [("a cotangent", s) for s in t.seeds]
    others += [("an output", y) for y in outputs]
    for i, c in zip(t.wrt, gradients, strict=True):
        x = t.arrays[i]
        if type(c) is not np.ndarray or c.shape != x.shape or c.dtype != x.dtype:
            raise Failed(f"{t.named(i)}: the gradient is {type(c).__name__} {c.dtype} {c.shape}")
        for name, other in others:
            if np.shares_memory(c, other):
                raise Failed(f"{t.named(i)}: the gradient shares memory with {name}")
        if not c.flags.writeable:
            raise Failed(f"{t.named(i)}: the gradient cannot be written to")
        others.append((f"the gradient of {t.named(i)}", c))


def _single(t: Trial) -> None:
    """With float32 inputs the value has NumPy's dtype, and each gradient is float32."""
    narrow = {"f8": np.float32, "c16": np.complex64}
    arrays = [frozen(a.astype(narrow.get(a.dtype.str[1:], a.dtype))) for a in t.arrays]
    outputs, gradients = t.gradients(arrays, [s.astype(narrow.get(s.dtype.str[1:], s.dtype)) for s in t.seeds])
    wanted = [np.asarray(y).dtype for y in several(t.call(arrays, t.op.numpy[0]))] if t.op.numpy else [
        np.dtype(narrow.get(y.dtype.str[1:], y.dtype)) for y in t.outputs]
    for y, dtype in zip(outputs, wanted, strict=True):
        if y.dtype != dtype:
            raise Failed(f"value: {y.dtype}, and {dtype} is right")
    for i, c, exact in zip(t.wrt, gradients, t.gradients(t.arrays, t.seeds)[1], strict=True):
        if c.dtype != arrays[i].dtype:
            raise Failed(f"{t.named(i)}: a {arrays[i].dtype} input has a gradient of {c.dtype}")
        t.close(t.named(i), c, exact, 1e-3)


def _card(t: Trial) -> None:
    """The cost is a whole number, and there are no more formulas than inputs."""
    if len(t.op.tex) > t.inputs:
        raise Failed(f"{len(t.op.tex)} formulas for {t.inputs} inputs")
    outputs = [y for y in several(t.call(t.tensors(t.arrays), read=False))
               if isinstance(y, Tensor) and y.node.op is not None]
    if t.op.flops is None or not outputs:
        return
    node = outputs[0].node if outputs[0].node.op is t.op else outputs[0].node.parents[0]
    values = [getattr(parent, "value", parent) for parent in node.parents]
    cost = t.op.flops(node.value, *values, **t.op.filled(node.params or {}, tuple(values)))
    if int(cost) != cost or cost < 0:
        raise Failed(f"flops gives {cost!r}, and a whole number of operations is right")


def _strided(t: Trial) -> None:
    """Inputs with negative and gapped strides, and in Fortran's order, give the same value and gradients."""
    wanted_y, wanted = t.gradients(t.arrays, t.seeds) if t.wrt else (t.outputs, [])
    for relaid in (_reversed_in_memory, _in_columns):
        arrays = [relaid(a) for a in t.arrays]
        outputs, gradients = t.gradients(arrays, t.seeds) if t.wrt else (several(t.call(arrays)), [])
        for y, w in zip(outputs, wanted_y, strict=True):
            t.close("value", y, w, 1e-12)
        for i, c, w in zip(t.wrt, gradients, wanted, strict=True):
            t.close(t.named(i), c, w, 1e-12)


def _reversed_in_memory(a: Any) -> Any:
    if not a.shape:
        return a
    roomy = np.empty([2 * n for n in a.shape], a.dtype)
    view = roomy[tuple(slice(None, None, -2) for _ in a.shape)]
    view[...] = a
    view.flags.writeable = False
    return view


def _in_columns(a: Any) -> Any:
    turned = np.asarray(a, order="F")
    turned.flags.writeable = False
    return turned


def _stand_in(t: Trial) -> None:
    """On a `StandIn` the same value, gradients and second derivatives, each a StandIn, unless the card says opaque."""
    if t.op.opaque or not t.arrays:
        return
    with unvalidated(t.op):
        arrays, seeds = dressed(t.arrays), dressed(t.seeds)
        for y, wanted in zip(several(t.call(arrays)), t.outputs, strict=True):
            t.close("value", _undressed(y) if isinstance(y, KNOWN) else y, wanted, 1e-12)
        if not t.wrt:
            return
        for i, c, wanted in zip(t.wrt, t.gradients(arrays, seeds)[1], t.gradients(t.arrays, t.seeds)[1], strict=True):
            t.close(t.named(i), _undressed(c), wanted, 1e-12)
        weights = [t.like(t.arrays[i]) for i in t.wrt]
        _, found = t.second_gradients(arrays, seeds, dressed(weights))
        for c, wanted in zip(found, t.second_gradients(t.arrays, t.seeds, weights)[1], strict=True):
            t.close("second derivative", _undressed(c), wanted, 1e-12)


def _undressed(x: Any) -> Any:
    if not isinstance(x, StandIn):
        raise Failed(f"a stand-in array came out as {type(x).__name__}")
    return x._array


PROPERTIES: dict[str, Callable[[Trial], None]] = {
    "value": _value, "tensors": _tensors, "card": _card, "strides": _strided, "stand-in": _stand_in,
    "first order": _first_order, "linear in g": _linear, "own gradient": _fits, "float32": _single,
    "second order": _second_order, "third order": _third_order,
}
"""What is tried on each case, in this order; the functions' docstrings say what each means."""

WITHOUT_A_RULE = 5
"""So many of them, the first ones, apply where there is nothing to differentiate in."""
