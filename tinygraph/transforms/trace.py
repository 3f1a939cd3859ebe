"""One call of a function with what is needed to go back to its arguments: what every transform is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from tinygraph.core.arguments import Array, Handle
from tinygraph.core.backward import cotangents
from tinygraph.core.context import GRAD_ENABLED, enable_grad
from tinygraph.core.errors import ArgumentError, DTypeError, ShapeError
from tinygraph.core.messages import here
from tinygraph.core.node import SERIAL, Node, ancestors, leaf, wrap
from tinygraph.core.op import Op
from tinygraph.ops.elementwise import positive
from tinygraph.tensors import Tensor, tensor
from tinygraph.transforms.trees import Structure, flatten

Argnums = int | Sequence[int]


def name_of(function: Callable[..., Any]) -> str:
    """What a message calls a function."""
    return getattr(function, "__name__", type(function).__name__)


class Traced:
    """A function's value at some arguments, with what is needed to go back to those arguments.

    Each array in the arguments becomes a fresh tensor of this call's own, so that no other derivative that is being
    taken can mistake it for its variable.

    Attributes:
        inputs: The fresh tensors, those of all differentiated arguments in one row.
        outputs, structure: The leaves of the function's value, and their containers.
        plain: Whether there was no Tensor among the arrays that are differentiated.
        outside: Whether the outputs were computed from a tensor outside this call that requires a gradient. Their
            derivatives may then be differentiated in turn, and are computed with a graph.
    """

    def __init__(self, function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any],
                 argnums: Sequence[int], has_aux: bool = False) -> None:
        self.begin = next(SERIAL)
        self._arguments: list[tuple[int, Structure]] = []
        self.inputs: list[Tensor] = []
        self.plain = True
        given = list(args)
        with enable_grad():
            for i in argnums:
                leaves, structure = flatten(args[i])
                self._arguments.append((i, structure))
                fresh = [_fresh(x) for x in leaves]
                for k, x in enumerate(fresh):
                    if x.dtype.kind not in "fc":
                        raise DTypeError(f"{name_of(function)}: argument {i}{structure.paths()[k]} has dtype "
                                         f"{x.dtype}, and a derivative needs real numbers; give x.astype(float)"
                                         f"{here()}")
                given[i] = structure.build(fresh)
                self.inputs += fresh
                self.plain = self.plain and not any(isinstance(x, Tensor) for x in leaves)
            result = function(*given, **kwargs)
        self._aux = None
        if has_aux:
            if not isinstance(result, tuple) or len(result) != 2:
                raise ArgumentError(f"{name_of(function)}: with has_aux=True a function gives a pair (value, anything "
                                    f"else), and this one gave {told(result)}{here()}")
            result, self._aux = result
        self.outputs, self.structure = flatten(result)
        self._fresh = {x.node for x in self.inputs}
        self._needed, self._outside = between(_roots(self.outputs), self._fresh, self.begin)
        self.outside = any(node in self._outside for node in _roots(self.outputs))

    @property
    def value(self) -> Any:
        """The function's value; it has a past only where that reaches something outside the call."""
        return self.structure.build([self._shown(y, self._outside) for y in self.outputs])

    @property
    def aux(self) -> Any:
        """What the function gave besides its value."""
        leaves, structure = flatten(self._aux)
        outside = between(_roots(leaves), self._fresh, self.begin)[1]
        return structure.build([self._shown(x, outside) for x in leaves])

    def _shown(self, x: Any, outside: set[Node]) -> Any:
        """A tensor of this call as the caller sees it: an array where arrays came in, unless it has a past outside."""
        if not isinstance(x, Tensor) or (x.node in outside and GRAD_ENABLED.get()):
            return x
        return x.data[()] if self.plain else x.detach()

    def given(self, answers: Sequence[Any]) -> tuple[Any, ...]:
        """One answer an input, in the containers of the arguments: one an argument."""
        rest = iter(answers)
        return tuple(s.build([next(rest) for _ in range(s.size)]) for _, s in self._arguments)

    def tangents(self, values: Any, of: str) -> list[Any]:
        """One array an input, None for zero, out of one value an argument in the argument's containers."""
        if not isinstance(values, tuple | list) or len(values) != len(self._arguments):
            raise ArgumentError(f"{of}: the tangents are a tuple of one for each of the {len(self._arguments)} "
                                f"primals, and not {told(values)}{here()}")
        inputs = iter(self.inputs)
        found = []
        for (i, structure), value in zip(self._arguments, values, strict=True):
            what = f"{of}: the tangent of argument {i}"
            for k, v in enumerate(structure.match(value, what)):
                x = next(inputs)
                found.append(None if v is None else fitted(v, x, what, structure, k))
        return found

    def seeds(self, value: Any) -> list[Any]:
        """One array an output, None for zero, out of a cotangent in the containers of the function's value."""
        of = "vjp: the cotangent"
        return [None if g is None else fitted(g, y, of, self.structure, k)
                for k, (g, y) in enumerate(zip(self.structure.match(value, of), self.outputs, strict=True))]

    def pull(self, seeds: Sequence[Any], *, graph: bool = False, hooks: bool = True) -> list[Any]:
        """The cotangent of each input for one of each output, as an array or a Tensor; None where there is no way.

        With a graph where ``graph`` says so, or where an outer derivative will need it.
        """
        roots = [(y.node, g) for y, g in zip(self.outputs, seeds, strict=True)
                 if g is not None and isinstance(y, Tensor) and y.node in self._needed]
        wanted = self.outside or any(isinstance(g, Tensor) and g.requires_grad for _, g in roots)
        found = sweep(roots, self._needed, self._fresh, graph or (wanted and GRAD_ENABLED.get()), hooks)
        return [found.get(x.node) for x in self.inputs]

    def answers(self, seeds: Sequence[Any], found: Sequence[Any]) -> list[Any]:
        """What `pull` or `sweep` found, as the caller sees it: an array (or a Tensor) of its own for each input."""
        plain = self.plain and not any(isinstance(g, Tensor) for g in seeds)
        return [own(c, x, plain) for c, x in zip(found, self.inputs, strict=True)]


def own(c: Any, like: Any, plain: bool) -> Any:
    """A cotangent or a tangent that shares memory with nothing; zeros where it is None."""
    if c is None:
        c = np.zeros_like(bare(like))
    elif isinstance(c, Tensor):
        c = wrap(Tensor, c.node) if c.requires_grad else c.data.copy()
    else:
        c = c.copy()
    return presented(c, plain)


def presented(c: Any, plain: bool) -> Any:
    """An answer as the caller sees it: an array where arrays came in, unless an outer derivative needs its past."""
    if isinstance(c, Tensor):
        return c.data[()] if plain and not c.requires_grad else c
    return c[()] if plain else tensor(c)


def bare(y: Any) -> Any:
    """A Tensor's array; anything else as it is."""
    return y.data if isinstance(y, Tensor) else y


def fitted(c: Any, x: Any, what: str, structure: Structure, k: int) -> Array:
    """A cotangent or tangent ``c`` with the dtype of the value ``x`` it belongs to; raises where it does not fit.

    ``what`` names what the ``structure`` is of whose leaf ``k`` it is.
    """
    if not hasattr(c, "shape"):
        c = np.asarray(c)
    shape, dtype = np.shape(x), x.dtype if hasattr(x, "dtype") else np.asarray(x).dtype
    if c.shape != shape:
        raise ShapeError(f"{what}{structure.paths()[k]} has shape {c.shape}, and what it belongs to {shape}{here()}")
    if c.dtype.kind not in "biufc" or (c.dtype.kind == "c" and dtype.kind != "c"):
        raise DTypeError(f"{what}{structure.paths()[k]} is {c.dtype}, and what it belongs to {dtype}{here()}")
    return c if c.dtype == dtype or dtype.kind not in "fc" else c.astype(dtype)


def between(roots: Sequence[Node], targets: set[Node], begin: int) -> tuple[set[Node], set[Node]]:
    """The nodes on the ways from the roots back to the targets, and those from which a way leads out of this call.

    Nodes with a serial number below ``begin`` are older than the call; a way leads out where one of them requires a
    gradient.
    """
    needed: set[Node] = set()
    outside: set[Node] = set()
    for node in ancestors(roots, since=begin):
        on_the_way, leads_out = node in targets, node.serial < begin and node.requires_grad
        for p in node.parents:
            if type(p) is Node:
                on_the_way = on_the_way or p in needed
                leads_out = leads_out or p in outside or (p.serial < begin and p.requires_grad)
        if on_the_way:
            needed.add(node)
        if leads_out:
            outside.add(node)
    return needed, outside


def sweep(roots: Sequence[tuple[Node, Any]], needed: set[Node], targets: set[Node], graph: bool,
          hooks: bool = True) -> dict[Node, Any]:
    """The cotangents of the targets, from roots that each have one already; on bare arrays unless with a graph."""
    if not roots:
        return {}
    if graph:
        roots = [(node, g if isinstance(g, Tensor) else tensor(g)) for node, g in roots]
    else:
        roots = [(node, g.data if isinstance(g, Tensor) else g) for node, g in roots]
    if len(roots) == 1:
        start, seed = roots[0]
    else:
        start, seed = leaf(None), None
        start.op, start.watched = _SEVERAL, False
        start.parents, start.params = tuple(node for node, _ in roots), {"seeds": tuple(g for _, g in roots)}
    every = not all(node.watched for node in targets)
    steps = cotangents(start, seed, Tensor if graph else None, only=needed, until=targets, hooks=hooks, every=every)
    return {node: c for node, c, _ in steps if node in targets}


class _Several(Op[..., Any]):
    """A root above several: each of its parents gets the cotangent that stands ready for it."""

    def bound_rules(self, params: dict[str, Any], values: Sequence[Any]) -> list[Any]:
        return [lambda *_, g=g: g for g in params["seeds"]]


def _nothing() -> None:
    """Have no value; only what stands below counts."""


_SEVERAL = _Several(_nothing, vjp=())


def _roots(leaves: Sequence[Any]) -> list[Node]:
    return [x.node for x in leaves if isinstance(x, Tensor) and x.requires_grad]


def _fresh(x: Any) -> Tensor:
    """An array of an argument as a tensor of this call's own: a leaf, or a copy of the handle that keeps the past."""
    if isinstance(x, Tensor) and x.requires_grad:
        node = positive(x).node
        node.watched = True
        return wrap(Tensor, node)  # type: ignore[no-any-return]
    value = x.data if isinstance(x, Tensor) else float(x) if type(x) is int else x
    return wrap(Tensor, leaf(value if hasattr(value, "dtype") else np.asarray(value), True))  # type: ignore[no-any-return]


def told(value: Any) -> str:
    """What a function gave, for a message."""
    if isinstance(value, Handle) or hasattr(value, "shape"):
        return f"an array of shape {np.shape(value)}"
    if isinstance(value, tuple):
        return f"a tuple of {len(value)}"
    return f"a {type(value).__name__}"


def positions(argnums: Argnums, args: Sequence[Any]) -> list[int]:
    """The places that ``argnums`` names, counted from the front; raises where there is no such argument."""
    wanted = list(argnums) if isinstance(argnums, Iterable) else [argnums]
    if not all(isinstance(i, int) for i in wanted):
        raise ArgumentError(f"argnums is an int, or several in a tuple, and not {argnums!r}{here()}")
    for i in wanted:
        if not -len(args) <= i < len(args):
            raise ArgumentError(f"argnums names argument {i}, and {len(args)} were given by position{here()}")
    found = [i % len(args) for i in wanted]
    if len(set(found)) < len(found):
        raise ArgumentError(f"argnums names an argument twice: {argnums}{here()}")
    return found
