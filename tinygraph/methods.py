"""NumPy's methods of arrays, one line each: ``t.sum(axis=0)`` is ``np.sum(t, axis=0)``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinygraph.core.arguments import Handle
from tinygraph.core.op import Op
from tinygraph.elsewhere import METHODS, Elsewhere
from tinygraph.ops import choice, constants, index, join, linalg, matrices, reduction, scan, sorting
from tinygraph.ops import complex as complexes
from tinygraph.ops import shape as shapes


def method(op: Op[..., Any]) -> Callable[..., Any]:
    """The method that is exactly NumPy's function of the same name, with the array in front."""
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        return op(self, *args, **kwargs)
    call.__name__, call.__qualname__ = op.name, f"Tensor.{op.name}"
    call.__doc__ = f"See `tinygraph.{op.name}`."
    return call


class Methods(Handle):
    """A handle with NumPy's methods."""

    __slots__ = ()

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if name not in METHODS]

    @property
    def T(self) -> Any:  # noqa: N802 - NumPy's name
        """The axes in reverse order."""
        return shapes.transpose(self)

    @property
    def mT(self) -> Any:  # noqa: N802 - NumPy's name
        """The last two axes exchanged."""
        return shapes.swapaxes(self, -1, -2)

    @property
    def real(self) -> Any:
        """The real part."""
        return complexes.real(self)

    @property
    def imag(self) -> Any:
        """The imaginary part."""
        return complexes.imag(self)

    def reshape(self, *sizes: Any, order: Any = "C", copy: bool | None = None) -> Any:
        """See `tinygraph.reshape`; the sizes may also stand one by one."""
        shape = sizes[0] if len(sizes) == 1 else sizes
        return shapes.reshape(self, shape, order, copy=copy)

    def compress(self, condition: Any, axis: int | None = None) -> Any:
        """See `tinygraph.compress`, whose condition comes first."""
        return index.compress(condition, self, axis)

    def transpose(self, *axes: Any) -> Any:
        """See `tinygraph.transpose`; the axes may also stand one by one."""
        return shapes.transpose(self, axes[0] if len(axes) == 1 else axes or None)

    flatten = method(shapes.ravel)
    copy = method(shapes.copy)
    ravel = method(shapes.ravel)
    squeeze = method(shapes.squeeze)
    swapaxes = method(shapes.swapaxes)
    astype = method(shapes.astype)
    take = method(index.take)
    choose = method(index.choose)
    repeat = method(join.repeat)
    diagonal = method(matrices.diagonal)
    trace = method(matrices.trace)
    argpartition = method(sorting.argpartition)
    searchsorted = method(constants.searchsorted)
    sum = method(reduction.sum)
    mean = method(reduction.mean)
    var = method(reduction.var)
    std = method(reduction.std)
    prod = method(reduction.prod)
    cumsum = method(scan.cumsum)
    cumprod = method(scan.cumprod)
    max = method(reduction.max)
    min = method(reduction.min)
    dot = method(linalg.dot)
    clip = method(choice.clip)
    conj = method(complexes.conj)
    conjugate = method(complexes.conj)
    argmax = method(constants.argmax)
    argmin = method(constants.argmin)
    argsort = method(constants.argsort)
    nonzero = method(constants.nonzero)
    any = method(constants.any)
    all = method(constants.all)
    round = method(constants.round)


for _name in METHODS:
    setattr(Methods, _name, Elsewhere(_name))
