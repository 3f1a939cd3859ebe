"""Functions that go back their own way: custom_vjp, checkpoint, stop_gradient."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygraph.core.arguments import Array, Handle, Slot
from tinygraph.core.context import GRAD_ENABLED, enable_grad, no_grad
from tinygraph.core.errors import GradientError
from tinygraph.core.messages import here
from tinygraph.core.node import SERIAL, Node, ancestors, inner, wrap
from tinygraph.core.op import Op, pick
from tinygraph.tensors import Tensor
from tinygraph.transforms.trace import bare, name_of, sweep, told
from tinygraph.transforms.trees import Structure, flatten


def stop_gradient(x: Any) -> Any:
    """The same value, through which no gradient flows: ``detach`` for every Tensor in x, which may be containers.

    >>> import tinygraph as tg
    >>> tg.grad(lambda x: x * tg.stop_gradient(x))(3.0)
    np.float64(3.0)
    """
    leaves, structure = flatten(x)
    return structure.build([leaf.detach() if isinstance(leaf, Tensor) else leaf for leaf in leaves])


def custom_vjp(rule: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a function a rule of its own in place of the derivative of what it does. A decorator.

    The rule is called ``rule(g, y, *args, **kwargs)``: the cotangent of the value, the value, and the function's own
    arguments. It gives a tuple, one cotangent for each positional argument, in its containers, None for zero; the
    function of one argument may give it bare. The rules for an op's rule hold: where it is written in ops it can be
    differentiated again, to any order and forward.

    The function itself is not recorded, so it may leave the graph: call SciPy, iterate to a fixed point. Its value may
    be containers; g then has zeros for what nobody used.

    Raises GradientError where the function or, in a first derivative, the rule uses a tensor that requires a gradient
    and is none of the positional arguments: there would be no gradient for it.

    >>> import tinygraph as tg
    >>> @tg.custom_vjp(lambda g, y, x: g * tg.sigmoid(x))
    ... def log1pexp(x):
    ...     return tg.logaddexp(0, x)
    >>> tg.grad(log1pexp)(0.0), tg.grad(tg.grad(log1pexp))(0.0)
    (np.float64(0.5), np.float64(0.25))
    """
    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def ruled(*args: Any, **kwargs: Any) -> Any:
            call = _Ruled(function, rule, args, kwargs)
            leaves, structure = call.run([stop_gradient(x) for x in call.leaves])
            if any(isinstance(y, Tensor) and y.requires_grad for y in leaves):
                raise GradientError(f"{call.name} uses a tensor that requires a gradient and is none of its positional "
                                    f"arguments, so that its rule has none for it; give it by position, or its .data"
                                    f"{here()}")
            if not call.places:
                return structure.build(leaves)
            call.value = structure, leaves
            differentiable = [i for i, y in enumerate(leaves) if _dtype(y).kind in "fc"]
            return structure.build(_joined(call, leaves, differentiable))
        return ruled
    return decorate


def checkpoint(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, that forgets what it computed on its way and computes it again in backward. A decorator.

    The graph keeps the arguments and the value alone, so that of a chain of such calls one at a time is held in full:
    memory for one more evaluation (Griewank, "Achieving logarithmic growth of temporal and spatial complexity in
    reverse automatic differentiation", 1992). Weights that the function finds outside its arguments get their
    gradients too. Hooks on tensors within it are not called.

    Raises GradientError in backward where the second run does not do what the first one did: it gave another value
    (random numbers without a seed of their own), or used other tensors.

    >>> import tinygraph as tg
    >>> block = tg.checkpoint(lambda x: tg.tanh(tg.sin(x) ** 2))
    >>> x = tg.tensor(1.0, requires_grad=True)
    >>> [node.op for node in tg.graph(block(block(x)))]  # two blocks of three ops each
    [None, '<lambda>', '<lambda>']
    """
    @functools.wraps(function)
    def checkpointed(*args: Any, **kwargs: Any) -> Any:
        if not GRAD_ENABLED.get():
            return function(*args, **kwargs)
        call = _Again(function, args, kwargs)
        leaves, structure, _ = call.run()
        recorded = [i for i, y in enumerate(leaves) if isinstance(y, Tensor) and y.requires_grad]
        call.recorded = recorded
        return structure.build(_joined(call, leaves, recorded))
    return checkpointed


class _Call:
    """One call of a user's function that is recorded as one node.

    Attributes:
        parents: The nodes that it has a cotangent for.
    """

    parents: list[Node]

    def __init__(self, function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> None:
        self.function, self.kwargs, self.name = function, kwargs, name_of(function)
        taken = [flatten(x) for x in args]
        self.structures = [structure for _, structure in taken]
        self.leaves = [x for leaves, _ in taken for x in leaves]

    def arguments(self, leaves: Sequence[Any]) -> list[Any]:
        """The positional arguments with other leaves."""
        rest = iter(leaves)
        return [structure.build([next(rest) for _ in range(structure.size)]) for structure in self.structures]

    def forward(self, *values: Array) -> Any:
        """The recorded outputs for other values of the parents."""
        raise NotImplementedError

    def pull(self, g: Any, y: Any, values: Sequence[Array]) -> list[Any]:
        """The cotangents of the parents, None for none."""
        raise NotImplementedError


class _Whole(Op[..., Any]):
    """One call of a user's function as an op of its own, in no registry; one rule serves all of its inputs."""

    def __init__(self, call: _Call, outputs: int) -> None:
        def whole(*arrays: Any) -> Any:
            return call.forward(*arrays)

        def rule(g: Any, y: Any, *arrays: Any, k: int, memo: dict[str, Any]) -> Any:
            if "cotangents" not in memo:
                memo["cotangents"] = call.pull(g, y, arrays)
            return memo["cotangents"][k]
        whole.__name__ = whole.__qualname__ = call.name
        whole.__doc__ = call.function.__doc__
        super().__init__(whole, vjp={"arrays": rule}, nested="arrays", outputs=outputs, opaque=True)


def _joined(call: _Call, leaves: Sequence[Any], recorded: Sequence[int]) -> list[Any]:
    """The leaves of a value, those ``recorded`` as outputs of one node."""
    if not recorded:
        return list(leaves)
    values = [y.data if isinstance(y, Tensor) else np.asarray(y) for y in (leaves[i] for i in recorded)]
    op = _Whole(call, len(values) if len(values) > 1 else 0)
    params = {"arrays": tuple(map(Slot, range(len(call.parents))))}
    node = inner(op, tuple(call.parents), params, tuple(values) if op.outputs else values[0])
    answer = list(leaves)
    for k, i in enumerate(recorded):
        answer[i] = wrap(Tensor, inner(pick, (node,), {"index": k}, values[k]) if op.outputs else node)
    return answer


class _Ruled(_Call):
    """A call of a function with a rule of its own; ``value`` is what it gave, ``places`` which leaves have nodes."""

    value: tuple[Structure, list[Any]]

    def __init__(self, function: Callable[..., Any], rule: Callable[..., Any], args: Sequence[Any],
                 kwargs: dict[str, Any]) -> None:
        super().__init__(function, args, kwargs)
        self.rule = rule
        self.places = [i for i, x in enumerate(self.leaves)
                       if isinstance(x, Tensor) and x.requires_grad and GRAD_ENABLED.get()]
        self.parents = [self.leaves[i].node for i in self.places]

    def run(self, leaves: Sequence[Any]) -> tuple[list[Any], Structure]:
        """The leaves and the structure of the function's value."""
        return flatten(self.function(*self.arguments(leaves), **self.kwargs))

    def filled(self, values: Sequence[Array]) -> list[Any]:
        """The leaves of the arguments with these values in the places of the parents."""
        leaves = [bare(x) for x in self.leaves]
        for i, value in zip(self.places, values, strict=True):
            leaves[i] = value
        return leaves

    def forward(self, *values: Array) -> Any:
        with no_grad():
            outputs = [bare(y) for y in self.run(self.filled(values))[0] if _dtype(y).kind in "fc"]
        return tuple(outputs) if len(outputs) > 1 else outputs[0]

    def pull(self, g: Any, y: Any, values: Sequence[Array]) -> list[Any]:
        structure, leaves = self.value
        given = iter(g if isinstance(y, tuple) else [g])
        recorded = iter(y if isinstance(y, tuple) else [y])
        gs, ys = [], []
        for leaf in map(bare, leaves):
            c = next(given) if _dtype(leaf).kind in "fc" else None
            gs.append(np.zeros_like(leaf) if c is None else c)
            ys.append(next(recorded) if _dtype(leaf).kind in "fc" else leaf)
        args = self.arguments(self.filled(values))
        answer = self.rule(structure.build(gs), structure.build(ys), *args, **self.kwargs)
        graph = any(isinstance(v, Handle) for v in values)
        return [self._cotangent(c, graph) for c in self._found(answer)]

    def _found(self, answer: Any) -> list[Any]:
        """What the rule gave for each parent."""
        count = len(self.structures)
        if count == 1 and not (isinstance(answer, tuple) and (len(answer) == 1 or self.structures[0].is_leaf)):
            answer = (answer,)
        if not isinstance(answer, tuple) or len(answer) != count:
            raise GradientError(f"{self.name}: its rule gives a tuple of one cotangent for each of its {count} "
                                f"positional arguments, and gave {told(answer)}{here()}")
        found = [c for i, (structure, part) in enumerate(zip(self.structures, answer, strict=True))
                 for c in structure.match(part, f"{self.name}: its rule's cotangent of argument {i}")]
        return [found[i] for i in self.places]

    def _cotangent(self, c: Any, graph: bool) -> Any:
        if isinstance(c, Tensor) and not graph:
            if c.requires_grad:
                raise GradientError(f"{self.name}: its rule uses a tensor that requires a gradient and is none of the "
                                    f"function's positional arguments; give it by position, or its .data{here()}")
            return c.data
        return c if c is None or hasattr(c, "shape") else np.asarray(c)


class _Again(_Call):
    """A call that is computed again in backward; ``recorded`` says which leaves of its value are the node's outputs."""

    recorded: list[int]

    def __init__(self, function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> None:
        super().__init__(function, args, kwargs)
        taken = {name: flatten(x) for name, x in kwargs.items()}
        # Handles of its own, made anew for each run: `t += v` points a handle at another node.
        self.leaves = [x.node if isinstance(x, Tensor) else x for x in self.leaves]
        self.keywords = {name: ([x.node if isinstance(x, Tensor) else x for x in leaves], structure)
                         for name, (leaves, structure) in taken.items()}
        self.parents = []

    def run(self) -> tuple[list[Any], Structure, set[Node]]:
        """The leaves and the structure of the value, with a graph; and the nodes of that graph.

        The first run finds the parents: every tensor older than the call that requires a gradient and is used in it,
        be it an argument or not.
        """
        begin = next(SERIAL)
        with enable_grad():
            kwargs = {name: structure.build(_handles(leaves)) for name, (leaves, structure) in self.keywords.items()}
            leaves, structure = flatten(self.function(*self.arguments(_handles(self.leaves)), **kwargs))
        roots = [y.node for y in leaves if isinstance(y, Tensor) and y.requires_grad]
        order = ancestors(roots, since=begin)
        reached = dict.fromkeys(p for node in order for p in (node, *node.parents)
                                if type(p) is Node and p.serial < begin and p.requires_grad)
        if not self.parents:
            self.parents = list(reached)
        elif strange := reached.keys() - self.parents:
            name = next((f" ({node.name!r})" for node in strange if node.name), "")
            raise GradientError(f"checkpoint: {self.name} used other tensors when it was run again in backward{name}; "
                                f"what it finds outside its arguments must stay the same until then{here()}")
        return leaves, structure, {*order, *reached}

    def forward(self, *values: Array) -> Any:
        kept = [node.value for node in self.parents]
        try:
            for node, value in zip(self.parents, values, strict=True):
                node.value = value
            leaves = self.run()[0]
        finally:
            for node, value in zip(self.parents, kept, strict=True):
                node.value = value
        outputs = tuple(leaves[i].data for i in self.recorded)
        return outputs if len(outputs) > 1 else outputs[0]

    def pull(self, g: Any, y: Any, values: Sequence[Array]) -> list[Any]:
        leaves, _, nodes = self.run()
        before, gs = (y, g) if isinstance(y, tuple) else ((y,), (g,))
        roots = [leaf for leaf in leaves if isinstance(leaf, Tensor) and leaf.requires_grad]
        same = len(roots) == len(before) and not any(map(_differ, map(bare, before), map(bare, roots)))
        if not same:
            raise GradientError(f"checkpoint: {self.name} gave another value when it was run again in backward; give "
                                f"its random generator the same seed in each call{here()}")
        seeded = [(root.node, c) for root, c in zip(roots, gs, strict=True) if c is not None]
        graph = any(isinstance(v, Handle) for v in values)
        found = sweep(seeded, nodes, set(self.parents), graph, hooks=False)
        return [found.get(node) for node in self.parents]


def _handles(leaves: Sequence[Any]) -> list[Any]:
    return [wrap(Tensor, x) if type(x) is Node else x for x in leaves]


def _differ(before: Any, again: Any) -> bool:
    """Whether two values are further apart than the order of additions explains."""
    if before.shape != again.shape:
        return True
    if type(before) is not np.ndarray or not before.size:
        return False
    with np.errstate(all="ignore"):
        return bool(np.max(np.absolute(before - again)) > 1e-3 * np.max(np.absolute(before)))


def _dtype(y: Any) -> np.dtype[Any]:
    return y.dtype if hasattr(y, "dtype") else np.asarray(y).dtype
