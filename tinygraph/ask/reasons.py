"""Why an op gave NaN or infinity, and why no gradient passes it: a sentence each, from the op and its inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygraph.core.arguments import Array


def _some(condition: Any) -> bool:
    return bool(np.any(condition))


def _of_log(x: Array, *_: Any) -> str:
    if _some(x < 0):
        return "the logarithm of a negative number is NaN"
    return "the logarithm of 0 is minus infinity" if _some(x == 0) else ""


def _of_divide(a: Array, b: Array, *_: Any) -> str:
    return "it divides by 0" if _some(b == 0) else ""


def _of_sqrt(x: Array, *_: Any) -> str:
    return "the square root of a negative number is NaN" if _some(x < 0) else ""


def _of_log1p(x: Array, *_: Any) -> str:
    return _of_log(1 + x)


def _largest(x: Any, unit: float = 1.0) -> float:
    """The largest number, in units of which exp of it is finite."""
    dtype = x.dtype if hasattr(x, "dtype") and x.dtype.kind == "f" else np.dtype(float)
    return float(np.log(np.finfo(dtype).max)) / unit


def _of_exp(x: Array, *_: Any) -> str:
    return f"exp overflows above {_largest(x):.5g}; subtract the largest first, as tg.softmax and tg.logsumexp do" \
        if _some(x > _largest(x)) else ""


def _of_exp2(x: Array, *_: Any) -> str:
    limit = _largest(x, np.log(2))
    return f"it overflows above {limit:.5g}" if _some(x >= limit) else ""


def _of_cosh(x: Array, *_: Any) -> str:
    limit = _largest(x) + float(np.log(2))
    return f"it overflows where its input is larger than {limit:.5g}" if _some(np.absolute(x) > limit) else ""


def _of_power(a: Array, b: Array, *_: Any) -> str:
    if _some((a == 0) & (b < 0)):
        return "0 to a negative power is infinite"
    return "a negative number to a broken power is NaN" if _some((a < 0) & (np.floor(b) != b)) else ""


def _of_arcsin(x: Array, *_: Any) -> str:
    return "it is defined between -1 and 1" if _some(np.absolute(x) > 1) else ""


_FORWARD: dict[str, Callable[..., str]] = {
    "log": _of_log, "log2": _of_log, "log10": _of_log, "divide": _of_divide, "sqrt": _of_sqrt, "exp": _of_exp,
    "power": _of_power, "arcsin": _of_arcsin, "arccos": _of_arcsin,
    "arctanh": lambda x, *_: _of_arcsin(x) or ("it is infinite at 1 and -1" if _some(np.absolute(x) == 1) else ""),
    "reciprocal": lambda x, *_: _of_divide(1.0, x), "log1p": _of_log1p, "expm1": _of_exp, "exp2": _of_exp2,
    "sinh": _of_cosh, "cosh": _of_cosh, "float_power": _of_power, "mod": _of_divide, "remainder": _of_divide,
    "fmod": _of_divide, "floor_divide": _of_divide,
    "arccosh": lambda x, *_: "it is defined from 1 on" if _some(x < 1) else "",
    "softmax": lambda z, *_: "infinity less infinity is NaN: a row holds nothing but minus infinity, or infinity"
                             if _some(np.max(z, axis=-1) == -np.inf) or _some(z == np.inf) else "",
}


def of_value(op: str, values: Sequence[Any]) -> str:
    """Why a forward on finite inputs is not finite; empty where nothing more is known.

    >>> of_value("log", [np.array([0.0, 1.0])])
    'the logarithm of 0 is minus infinity'
    """
    found = _told(_FORWARD.get(op), values)
    if not found and all(_finite(v) for v in values):
        found = "the result is too large for its dtype"
    return found


def _finite(x: Any) -> bool:
    dtype = getattr(x, "dtype", None)
    return bool(np.all(np.isfinite(x))) if dtype is not None and dtype.kind in "fc" else True


def _back_root(x: Array, *_: Any) -> str:
    return "the derivative of a root at 0 is infinite; add a small number under it" if _some(x == 0) else ""


def _back_power(a: Array, b: Array, *_: Any) -> str:
    if _some((a == 0) & (b < 1)):
        return "the derivative of a power below 1 at 0 is infinite"
    return "the derivative in the exponent needs the logarithm of a negative number" if _some(a < 0) else ""


_BACKWARD: dict[str, Callable[..., str]] = {
    "sqrt": _back_root, "cbrt": _back_root, "power": _back_power, "divide": _of_divide,
    "log": lambda x, *_: "the derivative of log at 0 is infinite" if _some(x == 0) else "",
    "norm": _back_root,
    "arcsin": lambda x, *_: "its derivative at 1 and -1 is infinite" if _some(np.absolute(x) == 1) else "",
    "arccos": lambda x, *_: "its derivative at 1 and -1 is infinite" if _some(np.absolute(x) == 1) else "",
}


def of_gradient(op: str, values: Sequence[Any]) -> str:
    """Why a rule made NaN or infinity of finite arrays; empty where nothing is known.

    >>> of_gradient("sqrt", [np.array([0.0, 1.0])])
    'the derivative of a root at 0 is infinite; add a small number under it'
    """
    return _told(_BACKWARD.get(op), values)


def _told(reason: Callable[..., str] | None, values: Sequence[Any]) -> str:
    if reason is None:
        return ""
    try:
        return reason(*values)
    except (TypeError, ValueError):  # an input of another kind than the sentence is about
        return ""


# --- no gradient passes ---------------------------------------------------------------------------------------------

def _flat(y: Array, x: Array, *_: Any) -> str:
    return (f"saturated: its inputs are of size {np.min(np.absolute(x)):.4g} and more, where its slope is 0 in "
            f"{y.dtype}")


def _softmax(y: Array, z: Array, *_: Any) -> str:
    return "saturated: one probability of each row is 1 and the others 0, where its slope is 0"


def _loss(y: Array, z: Array, *_: Any) -> str:
    return "the softmax equals the labels to the last digit, so the loss is at its minimum"


_ZERO: dict[str, Callable[..., str]] = {
    "sigmoid": _flat, "tanh": _flat, "erf": _flat, "arctan": _flat, "softmax": _softmax,
    "softmax_with_loss": _loss,
    "exp": lambda y, x, *_: f"exp underflows to 0: its inputs are {np.max(x):.6g} and less",
    "clip": lambda y, x, *_: "clipped: these inputs lie outside the bounds, where the result is constant",
    "where": lambda y, *_: "masked: the condition takes the other branch everywhere here",
    "getitem": lambda y, *_: "not read: the index names none of the elements that a gradient flows to",
    "take": lambda y, *_: "not read: the index names none of the elements that a gradient flows to",
    "setitem": lambda y, *_: "overwritten: these elements were replaced by others",
    "maximum": lambda y, *_: "masked: the other argument is the larger one everywhere here",
    "minimum": lambda y, *_: "masked: the other argument is the smaller one everywhere here",
    "max": lambda y, *_: "masked: these elements are not the largest",
    "min": lambda y, *_: "masked: these elements are not the smallest",
    "sign": lambda y, *_: "the sign is constant on either side of 0, so its derivative is 0",
    "absolute": lambda y, x, *_: "the derivative of |x| at 0 is taken as 0",
}


def of_zero(op: str, y: Any, position: int, values: Sequence[Any], whole: bool = True) -> str:
    """Why a rule gave zero for a cotangent that is not; not ``whole`` where these are but some of the op's elements.

    >>> of_zero("relu", np.zeros(2), 0, [np.array([-1.0, -2.0])])
    'a dead ReLU: none of these inputs is above 0 (the largest is -1)'
    """
    if op in ("multiply", "divide", "matmul", "dot", "affine", "inner", "outer", "tensordot", "einsum", "power"):
        others = [i for i, v in enumerate(values) if i != position and _all_zero(v)]
        if others:
            return f"what it is multiplied by, argument {others[0]}, is 0"
        if op == "power" and _all_zero(values[0]):
            return "the derivative of a power above 1 at 0 is 0"
    if op == "where" and position == 1:
        return "masked: the condition holds nowhere that a gradient flows to"
    if op == "where" and position == 2:
        return "masked: the condition holds everywhere that a gradient flows to"
    if op == "relu":
        return (f"{'a dead ReLU' if whole else 'closed'}: none of these inputs is above 0 (the largest is "
                f"{np.max(values[0]):.6g})")
    told = _told(_ZERO.get(op), [y[0] if isinstance(y, tuple) else y, *values])
    return told or "its derivative is 0 at these inputs"


def _all_zero(x: Any) -> bool:
    if isinstance(x, int | float | complex):
        return x == 0
    return hasattr(x, "dtype") and x.dtype.kind in "fciub" and x.size > 0 and not _some(x)
