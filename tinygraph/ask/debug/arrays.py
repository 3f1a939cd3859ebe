"""What `tinygraph.debug` asks of arrays: are they finite, are they what they were, whose memory is it."""

from __future__ import annotations

import cmath
from typing import Any

import numpy as np

from tinygraph.ask.wording import at, count
from tinygraph.core.arguments import Array

_ndarray, _generic = np.ndarray, np.generic
_is_finite = cmath.isfinite
_vdot = getattr(np.vdot, "_implementation", np.vdot)  # without the look for other packages' arrays, a third of its time


def is_finite(x: Any) -> bool:
    """Whether no element is NaN or infinite; True for what is no array of floats.

    >>> is_finite(np.array([1e300])), is_finite(np.array([1.0, np.nan]))
    (True, False)
    """
    if type(x) is _ndarray:
        if x.dtype.kind not in "fc":
            return True
        # A sum of squares is finite only if each element is; vdot has it before a ufunc has started, and never warns.
        return _is_finite(_vdot(x, x)) or bool(np.isfinite(x).all())
    return not isinstance(x, _generic) or x.dtype.kind not in "fc" or bool(np.isfinite(x))


def holds(x: Array, before: bytes) -> bool:
    """Whether a large array holds these bytes; without a copy of it, which would cost more than the look.

    >>> x = np.array([1.0, np.nan])
    >>> holds(x, x.tobytes()), holds(x + 1, x.tobytes())
    (True, False)
    """
    if x.nbytes != len(before):
        return False
    return not np.any(np.frombuffer(before, x.dtype).reshape(x.shape) != x) or x.tobytes() == before


def owner(x: Array) -> Array:
    """The array whose memory this one is a view of, or itself."""
    while type(x.base) is _ndarray:
        x = x.base
    return x


def locked(x: Any) -> Any:
    """A view that nobody can write into."""
    if type(x) is _ndarray:
        x = x[...]
        x.setflags(write=False)
    elif type(x) is tuple or type(x) is list:
        return type(x)(map(locked, x))
    return x


def copied(x: Any) -> Any:
    """The same in arrays of their own."""
    if isinstance(x, tuple | list):
        return type(x)(map(copied, x))
    return x.copy() if type(x) is _ndarray else x


def restored(before: Any, now: Any) -> Any:
    """An array from the bytes it once had; None where it has another size now."""
    if isinstance(now, tuple):
        parts = [restored(b, x) for b, x in zip(before, now, strict=True)]
        return None if any(part is None for part in parts) else tuple(parts)
    if not isinstance(before, bytes) or now.nbytes != len(before):
        return None
    return np.frombuffer(before, now.dtype).reshape(now.shape)


def changed(was: Any, now: Any) -> str | None:
    """What in an array is not what it was; None where nothing is."""
    if isinstance(was, tuple | list):
        told = [f"output {i}: {change}" for i, (a, b) in enumerate(zip(was, now, strict=True))
                if a is not None and (change := changed(a, b)) is not None]
        return "; ".join(told) or None
    if not isinstance(was, _ndarray | _generic):
        return None
    differs = np.not_equal(was, now) & ~((was != was) & (now != now))
    number = int(np.count_nonzero(differs))
    if not number:
        return None
    index = tuple(np.argwhere(differs)[0])
    first = f"{np.asarray(was)[index]:.6g} became {np.asarray(now)[index]:.6g}"
    if np.size(was) == 1:
        return first
    return f"{number:,} of {count(int(np.size(was)), 'element')} changed, the first{at(index)}: {first}"
