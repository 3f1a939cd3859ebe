"""wrap_layer: any object with the lecture's ``forward(x)`` and ``backward(dout)``, unchanged, as a node of the graph.

A layer of that kind works in a loop that calls each one forward once, then each one backward once, and starts from
``dout = 1``. In a graph a cotangent may be shared by several nodes, may come from further on, and a layer may be used
more than once. What goes wrong then is found here and named, in one sentence each.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygraph.core.arguments import Array, Handle, is_array
from tinygraph.core.context import no_grad
from tinygraph.core.errors import ArgumentError, GradientError, TraceError, UnsupportedError
from tinygraph.core.messages import describe, here
from tinygraph.core.node import Node
from tinygraph.core.op import Op, as_array
from tinygraph.differences import numerical_gradient, random_direction, step_for
from tinygraph.nn import faults
from tinygraph.nn.faults import Gradients, same
from tinygraph.tensors import Tensor, tensor


class WrappedLayer:
    """A layer of the lecture's kind as a function of Tensors; made by `wrap_layer`.

    Attributes:
        layer: The object itself.
        weights: Its weights by name, as Tensors that share the layer's arrays; backward leaves their ``grad``.
        mistakes: One sentence for each mistake of the layer's that was found so far.
        strict: Whether a mistake that was made good raises all the same.

    >>> class Double:
    ...     def forward(self, x): return 2 * x
    ...     def backward(self, dout): return 2 * dout
    >>> WrappedLayer(Double())
    <WrappedLayer Double>
    """

    def __init__(self, layer: Any, weights: Sequence[str] | None = None, strict: bool = False) -> None:
        name = layer.__name__ if isinstance(layer, type) else type(layer).__name__
        if isinstance(layer, type):
            raise ArgumentError(f"wrap_layer: {name} is a class; give one of its instances, {name}(...){here()}")
        for method in ("forward", "backward"):
            if not callable(getattr(layer, method, None)):
                raise ArgumentError(f"wrap_layer: {name} has no method {method}; a layer has forward(x) and "
                                    f"backward(dout){here()}")
        self.layer, self.strict = layer, strict
        self.mistakes: list[str] = []
        self.weights = {w: tensor(getattr(layer, w), requires_grad=True, name=w) for w in self._named(weights, name)}
        self._shared = {w: getattr(layer, w) for w in self.weights}
        self._name, self._calls = name, 0
        self._probed = False
        self._ignored: str | None = None
        held = getattr(layer, "__dict__", {})
        self._others = [] if weights is not None else [x for x in held if _is_weight(held[x]) and x not in self.weights]

        def forward(*arrays: Array, call: _Call) -> Array:
            return self._forward(call, tuple(map(_own, arrays[:len(arrays) - len(self.weights)])))

        def rule(g: Array, y: Array, *arrays: Array, call: _Call, k: int) -> Array:
            return self._gradient(call, k, g, y, arrays)

        forward.__name__ = forward.__qualname__ = name
        forward.__doc__ = type(layer).__doc__
        # An op of this layer's own: it is in no registry, and its card shows the class's name.
        self.op: Op[..., Any] = Op(forward, vjp={"arrays": rule}, nested="arrays", symbol=name, opaque=True,
                                  mismatch=lambda *_, call, **others: call.trouble)

    def __call__(self, *inputs: Any, **keywords: Any) -> Any:
        """Run the layer's forward and record one node; keywords go to forward as they are."""
        for name, value in keywords.items():
            if isinstance(value, Handle):
                raise UnsupportedError(f"{self._name}: the tensor given as {name}= would leave the graph; give it by "
                                       f"position, or its .data{here()}")
        self._share()
        arrays = (*map(as_array, inputs), *self.weights.values())
        wanted = sum(isinstance(x, Handle) and x.node.requires_grad for x in arrays)
        return self.op(*arrays, call=_Call(keywords, wanted, self))

    def __repr__(self) -> str:
        weights = "".join(f", {name} {weight.shape}" for name, weight in self.weights.items())
        return f"<WrappedLayer {self._name}{weights}>"

    def check(self, *inputs: Any, h: float | None = None, tol: float | None = None, seed: int = 0,
              **keywords: Any) -> list[str]:
        """Try the layer on these inputs and give its mistakes, one sentence each; none for a layer that is right.

        Looks whether forward repeats itself and leaves its inputs alone, whether backward leaves dout alone and is
        linear in it, and whether each gradient that it gives for a random dout agrees with central differences,
        element by element.

        h, tol: the step and the difference allowed (relative above 1); None for what the dtype allows, see `step_for`
        seed: of the random ``dout``

        Raises the first of them as a GradientError under ``strict=True``.

        >>> class Twice:
        ...     def forward(self, x): return 2 * x
        ...     def backward(self, dout): return dout
        >>> for mistake in wrap_layer(Twice()).check(np.ones(3)):
        ...     print(mistake)
        Twice.backward: the gradient of input 0 at [0] is 0.540974 and central differences give 1.08195
        """
        found: list[str] = []
        with no_grad():
            self._check(tuple(_bare(x) for x in inputs), keywords, h, tol, np.random.default_rng(seed), found)
        self.mistakes += [mistake for mistake in found if mistake not in self.mistakes]
        if found and self.strict:
            raise GradientError(found[0] + here())
        return found

    def copied(self) -> WrappedLayer:
        """The same on a copy of the layer's object: what is tried with it leaves this one as it is.

        >>> class Double:
        ...     def forward(self, x): return 2 * x
        ...     def backward(self, dout): return 2 * dout
        >>> layer = wrap_layer(Double())
        >>> layer.copied().layer is layer.layer
        False
        """
        return WrappedLayer(copy.deepcopy(self.layer), list(self.weights))

    # --- forward ------------------------------------------------------------------------------------------------

    def _named(self, asked: Sequence[str] | None, name: str) -> list[str]:
        """The attributes that are weights: those asked for, or the float arrays X that have a dX beside them."""
        held = getattr(self.layer, "__dict__", {})
        if asked is None:
            return [x for x, value in held.items() if f"d{x}" in held and _is_weight(value)]
        for x in asked:
            if not _is_weight(getattr(self.layer, x, None)):
                raise ArgumentError(f"wrap_layer: {name} has no array of floats called {x!r}{here()}")
        return list(asked)

    def _share(self) -> None:
        """Let layer and tensor hold the same array, where one of them was given another since the last call."""
        for name, weight in self.weights.items():
            held = getattr(self.layer, name)
            if held is weight.data:
                continue
            if held is not self._shared.get(name):  # the layer's was replaced, as by layer.W = layer.W - lr * layer.dW
                weight.data = held
            setattr(self.layer, name, weight.data)
            self._shared[name] = weight.data

    def _forward(self, call: _Call, inputs: tuple[Any, ...]) -> Array:
        """Run forward on inputs that it may keep and write into; note what it remembers."""
        self._calls += 1
        before = dict(self._state())
        try:
            y = self.layer.forward(*inputs, **call.keywords)
        except Exception as error:
            call.trouble = f"forward({', '.join(map(describe, inputs))}): {error}"
            raise
        if isinstance(y, (tuple, list, Handle)) or y is None:
            raise UnsupportedError(f"{self._name}.forward gave a {type(y).__name__}, and a layer gives one array")
        call.number = self._calls
        call.saved = {name: value for name, value in self._state().items() if before.get(name) is not value}
        return y if hasattr(y, "dtype") else np.asarray(y)

    def _state(self) -> dict[str, Any]:
        """What the layer holds besides its weights and their gradients."""
        ours = {*self.weights, *(f"d{name}" for name in self.weights)}
        return {name: value for name, value in getattr(self.layer, "__dict__", {}).items() if name not in ours}

    # --- backward -----------------------------------------------------------------------------------------------

    def _gradient(self, call: _Call, k: int, g: Array, y: Array, arrays: tuple[Array, ...]) -> Array:
        """The rule of input ``k``: run backward for the first input that asks, hand on what it gave to the others."""
        if isinstance(g, Handle):
            raise GradientError(f"{self._name}: the backward of a wrapped layer is code that cannot be differentiated, "
                                "so there is no create_graph=True and no gradient of a gradient through it; for first "
                                f"derivatives call tg.grad under tg.no_grad(), or write the layer in ops{here()}")
        if not call.has_for(k, g):
            self._check_unused(call)
            call.keep(g, self._backward(call, g, y))
        gradients = call.take(k)
        first_weight = len(arrays) - len(self.weights)
        if k >= first_weight:
            name = list(self.weights)[k - first_weight]
            return self._fitting(gradients.weights[name], arrays[k], name)
        if k >= len(gradients.inputs):
            raise GradientError(f"{self._name}.backward gave {len(gradients.inputs)} gradients, and input {k} requires "
                                f"one too; detach() it, or let backward return one for each input{here()}")
        return self._fitting(gradients.inputs[k], arrays[k], f"input {k}")

    def _fitting(self, c: Any, x: Array, of: str) -> Array:
        """A gradient as an array of its input's shape; raises where it is none."""
        if (mistake := faults.unfit(self._name, c, x, of)) is not None:
            raise GradientError(mistake + here())
        return c if hasattr(c, "dtype") else np.asarray(c)

    def _check_unused(self, call: _Call) -> None:
        """Raise unless the layer still remembers the forward of this call, and no other."""
        state = self._state()
        lost = [name for name, value in call.saved.items() if state.get(name) is not value]
        # A layer that remembers in buffers of its own shows no new attribute; there a later call alone is a sign.
        holds_buffers = any(isinstance(value, np.ndarray | list | dict) for value in state.values())
        if lost or (call.number != self._calls and holds_buffers):
            what = f" ({', '.join(lost)})" if lost else ""
            raise GradientError(f"{self._name} was used twice in one graph, or again before backward, and what its "
                                f"forward had saved{what} was overwritten; wrap a layer of its own for each use (they "
                                f"may share the arrays of their weights){here()}")

    def _backward(self, call: _Call, g: Array, y: Array) -> Gradients:
        """What the layer's backward gives for one sweep; the first time it is also asked for -2 g, and judged."""
        if not self._probed and np.any(g):
            scaled = self._run(faults.FACTOR * g, call).copied()
            once = self._run(g, call)
            self._ignored = faults.ignored(self._name, once, scaled)
            if self._ignored is None and (mistake := faults.nonlinear(self._name, once, scaled)) is not None:
                raise GradientError(mistake + here())
            self._probed = once.tell()
        else:
            once = self._run(g, call)
        if once.wrote:
            self._note(faults.wrote(self._name), "here it had a copy of its own, so the gradients are right")
        for mistake in self._late():
            self._note(mistake, "its gradient is in the layer alone")
        if self._ignored is None:
            return once
        if y.size != 1:
            raise GradientError(self._ignored + here())
        self._note(self._ignored, "its value is one number, so here the gradients were multiplied for it")
        right = once.times(np.reshape(g, ()))
        for name, c in right.weights.items():
            setattr(self.layer, f"d{name}", c)
        return right

    def _run(self, dout: Array, call: _Call) -> Gradients:
        """Call backward once, on a copy of dout, which it may write into."""
        own = np.array(dout)
        given = self.layer.backward(own)
        wrote = not np.array_equal(own, dout, equal_nan=True)
        weights = {name: getattr(self.layer, f"d{name}", None) for name in self.weights}
        # What it let go of, now that it was asked, is needed when backward is called again.
        for name, value in call.saved.items():
            setattr(self.layer, name, value)
        return Gradients(list(given) if isinstance(given, (tuple, list)) else [given], weights, wrote)

    # --- mistakes -----------------------------------------------------------------------------------------------

    def _note(self, mistake: str, outcome: str) -> None:
        """Name a mistake that was made good: once, as a warning, or every time as an error where strict."""
        if self.strict:
            raise GradientError(mistake + here())
        if mistake not in self.mistakes:
            self.mistakes.append(mistake)
            warnings.warn(f"{mistake} ({outcome}){here()}", stacklevel=2)

    def _late(self) -> list[str]:
        held = getattr(self.layer, "__dict__", {})
        return [f"{self._name}.backward set d{x}, and the layer had none when it was wrapped, so {x} is not among its "
                f"weights: set self.d{x} = None in the constructor, or give wrap_layer(layer, weights=[...])"
                for x in self._others if f"d{x}" in held]

    def _check(self, inputs: tuple[Any, ...], keywords: dict[str, Any], h: float | None, tol: float | None,
               rng: np.random.Generator, found: list[str]) -> None:
        self._share()
        call = _Call(keywords)

        def run() -> Array:
            return self._forward(call, tuple(map(_own, inputs)))

        y = np.array(run())
        if not same(y, run()):
            found.append(f"{self._name}.forward gave two different values for the same inputs, so its gradients cannot "
                         "be checked: give its random generator the same seed in each call")
            return
        copies = tuple(map(_own, inputs))
        self._forward(call, copies)
        found += [f"{self._name}.forward wrote into input {i}: let it write into a copy"
                  for i, (x, copy) in enumerate(zip(inputs, copies, strict=True)) if not same(x, copy)]
        dout = random_direction(rng, y)
        scaled, once = self._run(faults.FACTOR * dout, call).copied(), self._run(dout, call).copied()
        if once.wrote:
            found.append(faults.wrote(self._name))
        ignored = faults.ignored(self._name, once, scaled)
        if (mistake := ignored or faults.nonlinear(self._name, once, scaled)) is not None:
            found.append(mistake)
        if ignored:
            dout = np.ones_like(y)  # what such a layer takes it for
        gradients = self._run(dout, call).copied()
        found += self._late()
        arrays = [(i, x) for i, x in enumerate(inputs) if is_array(x)]
        places = [(f"input {i}", x, c) for (i, x), c in zip(arrays, gradients.inputs, strict=False)]
        places += [(name, weight.data, gradients.weights[name]) for name, weight in self.weights.items()]
        for place, x, c in places:
            if x.dtype.kind not in "fc":
                continue
            step, tolerance = step_for(x.dtype)
            step, tolerance = step if h is None else h, tolerance if tol is None else tol
            mistake = faults.unfit(self._name, c, x, place)
            if mistake is None:
                numerical = numerical_gradient(lambda _: np.sum(dout * run()), x, step)
                mistake = faults.wrong(self._name, np.asarray(c), numerical, place, tolerance)
            if mistake is not None:
                found.append(mistake)


class _Call:
    """One use of a layer, kept with its node: what forward saved, and backward's answers while a sweep asks for them.

    A sweep asks for the gradients of a node's inputs one after the other, each at most once. So an answer is handed out
    once, for the ``dout`` that it was computed for; whatever is asked again belongs to another sweep.
    """

    __slots__ = ("_dout", "_g", "_gradients", "_taken", "_wanted", "keywords", "layer", "number", "saved", "trouble")

    def __init__(self, keywords: dict[str, Any], wanted: int = 0, layer: WrappedLayer | None = None) -> None:
        self.keywords, self._wanted, self.layer = keywords, wanted, layer
        self.number, self.trouble = 0, ""
        self.saved: dict[str, Any] = {}
        self._g: Array = None
        self._dout: Array = None
        self._gradients: Gradients | None = None
        self._taken: set[int] = set()

    def __repr__(self) -> str:
        return f"{self.number}"

    def has_for(self, k: int, g: Array) -> bool:
        """Whether there is an answer for input ``k`` that belongs to this sweep."""
        # The same array is not enough: its owner may have filled it anew between two sweeps.
        return self._g is g and k not in self._taken and np.array_equal(g, self._dout, equal_nan=True)

    def keep(self, g: Array, gradients: Gradients) -> None:
        """Keep the answers of a new sweep."""
        self._g, self._dout, self._gradients, self._taken = g, np.array(g), gradients, set()

    def take(self, k: int) -> Gradients:
        """Hand out the answer for input ``k``."""
        gradients = self._gradients
        assert gradients is not None
        self._taken.add(k)
        if len(self._taken) == self._wanted:
            self._g = self._dout = self._gradients = None  # nobody else will ask in this sweep
        return gradients


def wrap_layer(layer: Any, *, weights: Sequence[str] | None = None, strict: bool = False) -> WrappedLayer:
    """Make a node of an object with ``forward(x, ...)`` and ``backward(dout)`` in the lecture's style, unchanged.

    What comes back is called like a function of Tensors. ``backward`` of the graph calls the layer's own once a sweep,
    on a copy of ``dout``, and takes what it returns as the gradients of the inputs, one or a tuple of them; inputs
    beyond those, such as labels, have none. The layer's ``dW`` is left as its code leaves it.

    layer: the object; its mistakes are told in `WrappedLayer.mistakes` and, the first time, as a warning, where the
        result is right all the same (it wrote into ``dout``; it ignored ``dout`` and its value is one number); as a
        GradientError, in `backward`, where it cannot be (it was used twice in one graph, it is not linear in ``dout``)
    weights: the names of its weights; None for every attribute X, an array of floats, that has a dX beside it
    strict: raise a GradientError for every mistake

    Raises ArgumentError for anything that is no layer. With ``create_graph=True``, `backward` raises GradientError: the
    layer's code cannot be differentiated. `WrappedLayer.check` holds a layer against central differences.

    >>> class Scale:
    ...     def __init__(self, w):
    ...         self.w, self.dw = w, None
    ...     def forward(self, x):
    ...         self.x = x
    ...         return self.w * x
    ...     def backward(self, dout):
    ...         self.dw = np.sum(dout * self.x, keepdims=True)
    ...         return dout * self.w
    >>> scale = wrap_layer(Scale(np.array([3.0])))
    >>> scale.check(np.array([1.0, 2.0]))
    []
    >>> x = tensor([1.0, 2.0], requires_grad=True)
    >>> scale(x).sum().backward()
    >>> x.grad, scale.weights["w"].grad
    (array([3., 3.]), array([3.]))
    """
    return WrappedLayer(layer, weights, strict)


def layer_of(node: Node) -> WrappedLayer | None:
    """The wrapped layer whose call a node is; None for any other node."""
    call = node.params.get("call") if node.params is not None else None
    return call.layer if isinstance(call, _Call) else None


def _is_weight(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind in "fc"


def _own(x: Any) -> Any:
    """A copy for the layer to keep and to write into."""
    if hasattr(x, "call_opaque"):  # a recording's
        raise TraceError("a layer from wrap_layer is code that looks at numbers and keeps what it computed, which no "
                         "program can: write it in ops, or run the step as it is")
    return x.copy(order="K") if isinstance(x, np.ndarray) else np.array(x) if is_array(x) else x


def _bare(x: Any) -> Any:
    return x.data if isinstance(x, Tensor) else as_array(x)
