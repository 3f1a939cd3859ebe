"""Derivatives by going forward, and Hessians times vectors: jvp, linearize, hvp.

There is no second table of rules. What `vjp` gives is linear in its cotangent u: c(u) = Jᵀu. The vjp of that, taken to
u, is v -> Jv, which is the derivative along v.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygraph.core.context import GRAD_ENABLED, enable_grad
from tinygraph.core.errors import ArgumentError
from tinygraph.core.messages import here
from tinygraph.core.node import Node
from tinygraph.tensors import Tensor, tensor
from tinygraph.transforms.reverse import one
from tinygraph.transforms.trace import Traced, bare, between, own, sweep, told


def jvp(function: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any],
        has_aux: bool = False) -> tuple[Any, ...]:
    """The value at ``primals`` and its derivative along ``tangents``: y, J·v.

    primals: a tuple of arguments, each an array or containers of arrays
    tangents: the same with the direction in the place of each array, None for zero
    -> (y, dy), dy in the containers of y; (y, dy, aux) with ``has_aux``, where ``function`` gives (y, anything else)

    Raises ArgumentError, ShapeError or DTypeError where primals and tangents do not fit together.

    >>> import tinygraph as tg
    >>> tg.jvp(tg.sin, (0.0,), (2.0,))
    (np.float64(0.0), np.float64(2.0))
    """
    traced = _traced("jvp", function, primals, has_aux)
    dy = _Linear(traced).push(tangents, "jvp")
    return (traced.value, dy, traced.aux) if has_aux else (traced.value, dy)


def linearize(function: Callable[..., Any], *primals: Any, has_aux: bool = False) -> tuple[Any, ...]:
    """The value at ``primals`` and its derivative there as a linear function of tangents: y, v -> J·v.

    ``y, push = linearize(function, *primals)``, or ``y, push, aux`` with ``has_aux``. ``push(*tangents)`` is what `jvp`
    gives along them; the function is run only once, however often it is called.

    >>> import tinygraph as tg
    >>> y, push = tg.linearize(lambda x, w: x * w, 2.0, 3.0)
    >>> y, push(1.0, 0.0), push(0.0, 1.0)
    (np.float64(6.0), np.float64(3.0), np.float64(2.0))
    """
    traced = Traced(function, primals, {}, range(len(primals)), has_aux)
    linear = _Linear(traced)

    def push(*tangents: Any) -> Any:
        return linear.push(tangents, "linearize")
    return (traced.value, push, traced.aux) if has_aux else (traced.value, push)


def hvp(function: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any], has_aux: bool = False) -> Any:
    """The Hessian of a function whose value is a single number, times a vector: H·v, without the Hessian.

    primals, tangents: as in `jvp`
    -> a tuple, one answer a primal, each in the primal's containers; with ``has_aux`` (that, aux)

    It is the gradient of the gradient's product with v, two sweeps in all (Pearlmutter, "Fast exact multiplication by
    the Hessian", Neural Computation 1994).

    >>> import tinygraph as tg
    >>> tg.hvp(lambda x: x[0] ** 2 * x[1], (np.array([2.0, 3.0]),), (np.array([1.0, 0.0]),))
    (array([6., 4.]),)
    """
    traced = _traced("hvp", function, primals, has_aux)
    directions = traced.tangents(tangents, "hvp")
    ones = one(traced, "hvp", "differentiate one of its elements")
    with enable_grad():
        gradients = traced.pull([ones], graph=True)
    roots = _roots(gradients, directions)
    targets = {x.node for x in traced.inputs}
    needed, outside = between([node for node, _ in roots], targets, traced.begin)
    found = sweep(roots, needed, targets, GRAD_ENABLED.get() and (bool(outside) or _varied(directions)))
    answer = traced.given(traced.answers(directions, [found.get(x.node) for x in traced.inputs]))
    return (answer, traced.aux) if has_aux else answer


class _Linear:
    """The vjp of a call, with a graph, ready to be gone back through to its cotangents."""

    def __init__(self, traced: Traced) -> None:
        self.traced = traced
        with enable_grad():
            self.seeds = [tensor(np.zeros_like(y.data), requires_grad=True)
                          if isinstance(y, Tensor) and y.requires_grad else None for y in traced.outputs]
            # Only the way from the seeds to the cotangents counts, so what 0 times infinity is here is no news.
            with np.errstate(all="ignore"):
                self.cotangents = traced.pull(self.seeds, graph=True, hooks=False)
        self.targets = {u.node for u in self.seeds if u is not None}
        roots = [c.node for c in self.cotangents if c is not None]
        self.needed, _ = between(roots, self.targets, min((node.serial for node in self.targets), default=0))

    def push(self, tangents: Sequence[Any], of: str) -> Any:
        """The derivative of the outputs along tangents of the inputs, in the outputs' containers."""
        traced = self.traced
        directions = traced.tangents(tangents, of)
        roots = [(node, v) for node, v in _roots(self.cotangents, directions) if node in self.needed]
        graph = GRAD_ENABLED.get() and (traced.outside or _varied(directions))
        found = sweep(roots, self.needed, self.targets, graph, hooks=False)
        plain = traced.plain and not any(isinstance(v, Tensor) for v in directions)
        return traced.structure.build([own(None if u is None else found.get(u.node), bare(y), plain)
                                       for u, y in zip(self.seeds, traced.outputs, strict=True)])


def _traced(of: str, function: Callable[..., Any], primals: Any, has_aux: bool) -> Traced:
    if not isinstance(primals, tuple | list):
        raise ArgumentError(f"{of}: the primals are a tuple of arguments, such as (x,), and not {told(primals)}"
                            f"{here()}")
    return Traced(function, primals, {}, range(len(primals)), has_aux)


def _roots(cotangents: Sequence[Any], directions: Sequence[Any]) -> list[tuple[Node, Any]]:
    return [(c.node, v) for c, v in zip(cotangents, directions, strict=True) if c is not None and v is not None]


def _varied(directions: Sequence[Any]) -> bool:
    """Whether somebody may ask for a derivative in the directions themselves."""
    return any(isinstance(v, Tensor) and v.requires_grad for v in directions)
