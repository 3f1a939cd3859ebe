"""Module: weights and the function that uses them, alone or made of other modules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Self

import numpy as np

from tinygraph.core.context import SWITCHES, scope
from tinygraph.core.errors import ArgumentError, StateError
from tinygraph.core.messages import here
from tinygraph.tensors import Tensor


class Module:
    """A layer, or a network of layers: Tensors and other modules as attributes, and a ``forward`` that uses them.

    Weights are the Tensors that require a gradient, here and in the modules within, also those in lists and dicts; they
    are named by their path, "conv1.W". What a call computes stands in a scope of the module's name, which pictures show
    as a group.

    Attributes:
        name: What the module that holds it calls it; its class's name where none does.
        training: Whether it is being trained: dropout asks.

    >>> import tinygraph as tg
    >>> class Net(Module):
    ...     def __init__(self):
    ...         self.first, self.second = tg.nn.Affine(4, 3), tg.nn.Affine(3, 2)
    ...     def forward(self, x):
    ...         return self.second(tg.relu(self.first(x)))
    >>> net = Net()
    >>> list(net.weights)
    ['first.W', 'first.b', 'second.W', 'second.b']
    >>> net(np.ones((5, 4))).shape
    (5, 2)
    """

    name: str = ""
    _training: bool = True

    @property
    def training(self) -> bool:
        """Whether it is being trained."""
        for note in SWITCHES:
            note(self, "_training", self._training)
        return self._training

    @training.setter
    def training(self, mode: bool) -> None:
        self._training = mode

    def forward(self, *inputs: Any, **keywords: Any) -> Any:
        """What a call computes; each module has its own."""
        raise NotImplementedError(f"{type(self).__name__} has no forward(self, ...), which says what a call computes")

    def __call__(self, *inputs: Any, **keywords: Any) -> Any:
        """Compute `forward`, in the module's scope."""
        with scope(self.name or type(self).__name__):
            return self.forward(*inputs, **keywords)

    def __setattr__(self, name: str, value: Any) -> None:
        for key, part in _parts(name, value):
            nameable = isinstance(part, Module) or (isinstance(part, Tensor) and part.is_leaf)
            if nameable and not part.name:
                part.name = key
        super().__setattr__(name, value)

    def modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """The module itself and all within it, each with its path; one that is held twice comes once.

        >>> import tinygraph as tg
        >>> [path for path, _ in tg.nn.Sequential(tg.nn.Affine(2, 2), tg.nn.ReLU()).modules()]
        ['', 'affine1', 'relu1']
        """
        seen: set[int] = set()
        stack: list[tuple[str, Module]] = [(prefix, self)]
        while stack:
            path, module = stack.pop()
            if id(module) in seen:
                continue
            seen.add(id(module))
            yield path, module
            within = [(_joined(path, key), part) for key, part in module._held() if isinstance(part, Module)]
            stack += reversed(within)

    def _held(self) -> Iterator[tuple[str, Any]]:
        for name, value in vars(self).items():
            yield from _parts(name, value)

    def tensors(self) -> dict[str, Tensor]:
        """Every Tensor in it by its path, weights and others; one that is held twice comes once.

        Raises ArgumentError where two of them have the same path.

        >>> import tinygraph as tg
        >>> list(tg.nn.Affine(2, 2).tensors())
        ['W', 'b']
        """
        found: dict[int, tuple[str, Tensor]] = {}
        for path, module in self.modules():
            for key, part in module._held():
                if isinstance(part, Tensor):
                    found.setdefault(id(part.node), (_joined(path, key), part))
        named = dict(found.values())
        if len(named) < len(found):  # as with two dicts that have a key in common
            twice = next(path for path, t in found.values() if named[path] is not t)
            raise ArgumentError(f"{type(self).__name__}: two of its tensors are called {twice!r}; give their "
                                f"attributes, or the keys of dicts, other names{here()}")
        return named

    @property
    def weights(self) -> dict[str, Tensor]:
        """The Tensors that are trained, by their paths, for an optimiser."""
        return {path: t for path, t in self.tensors().items() if t.requires_grad}

    @property
    def params(self) -> dict[str, Tensor]:
        """The weights, by the name that the lecture and model scripts have for them."""
        return self.weights

    def train(self, mode: bool = True) -> Self:
        """Say that it is trained now, it and all within it; gives itself.

        >>> import tinygraph as tg
        >>> tg.nn.Dropout(0.5).train().training
        True
        """
        for _, module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Say that it is used, and not trained: dropout then passes everything on.

        >>> import tinygraph as tg
        >>> tg.nn.Dropout(0.5).eval()(np.ones(3))
        array([1., 1., 1.])
        """
        return self.train(False)

    def state_dict(self) -> dict[str, Any]:
        """Copies of all its arrays by their paths, for `tinygraph.save_state`.

        >>> import tinygraph as tg
        >>> {path: array.shape for path, array in tg.nn.Affine(3, 2).state_dict().items()}
        {'W': (3, 2), 'b': (2,)}
        """
        return {path: np.array(t.data) for path, t in self.tensors().items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over the arrays that `state_dict` gave, also of another module of the same make.

        Raises StateError, and leaves everything as it was, where a name or a shape does not fit.

        >>> import tinygraph as tg
        >>> one, other = tg.nn.Affine(3, 2), tg.nn.Affine(3, 2)
        >>> other.load_state_dict(one.state_dict())
        >>> bool((one.W.data == other.W.data).all())
        True
        """
        tensors = self.tensors()
        if set(tensors) != set(state):
            raise StateError(f"the state has {_listed(set(state) - set(tensors))} too many and lacks "
                             f"{_listed(set(tensors) - set(state))}{here()}")
        for path, t in tensors.items():
            if np.shape(state[path]) != t.shape:
                raise StateError(f"{path} has shape {t.shape} here and {np.shape(state[path])} in the state{here()}")
        for path, t in tensors.items():
            t.data[...] = state[path]

    def state(self) -> dict[str, Any]:
        """What it remembers beside its weights, by paths: what a training's checkpoint holds as well.

        >>> import tinygraph as tg
        >>> tg.nn.Affine(3, 2).state()
        {}
        """
        return {path: np.array(t.data) for path, t in self.tensors().items() if not t.requires_grad}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to what `state` gave.

        >>> import tinygraph as tg
        >>> tg.nn.Affine(3, 2).restore({})
        """
        self.load_state_dict({**{path: t.data for path, t in self.weights.items()}, **state})

    def __repr__(self) -> str:
        within = [f"{key}={part!r}" for key, part in self._held() if isinstance(part, Module)]
        weights = [f"{key} {part.shape}" for key, part in self._held() if isinstance(part, Tensor)]
        return f"{type(self).__name__}({', '.join([*weights, *within])})"


def _parts(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """A value under its name; the items of a list, tuple or dict each under its own."""
    if isinstance(value, list | tuple):
        for i, item in enumerate(value, 1):
            yield f"{name}{i}", item
    elif isinstance(value, dict):
        for key, item in value.items():
            yield str(key), item
    else:
        yield name, value


def _joined(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"


class Sequential(Module):
    """Layers one after the other. Keywords name them; without names they are called after their kind and number.

    >>> import tinygraph as tg
    >>> net = Sequential(tg.nn.Affine(4, 3), tg.nn.ReLU(), tg.nn.Affine(3, 2))
    >>> list(net.weights)
    ['affine1.W', 'affine1.b', 'affine2.W', 'affine2.b']
    >>> list(Sequential(first=tg.nn.Affine(4, 3)).weights)
    ['first.W', 'first.b']
    """

    def __init__(self, *layers: Module, **named: Module) -> None:
        self.layers: dict[str, Module] = {}
        counts: dict[str, int] = {}
        for layer in layers:
            kind = type(layer).__name__.lower()
            counts[kind] = counts.get(kind, 0) + 1
            self._add(f"{kind}{counts[kind]}", layer)
        for name, layer in named.items():
            self._add(name, layer)

    def _add(self, name: str, layer: Any) -> None:
        if not isinstance(layer, Module):
            raise ArgumentError(f"Sequential: {name} is of type {type(layer).__name__}, and its layers are Modules; a "
                                f"function stands in the forward of one{here()}")
        if name in self.layers:
            raise ArgumentError(f"Sequential: two layers are called {name!r}{here()}")
        layer.name = layer.name or name
        self.layers[name] = layer

    def forward(self, x: Any) -> Any:
        """Each layer on what the one before gave."""
        for layer in self.layers.values():
            x = layer(x)
        return x
