"""Optimisers: how a step changes the weights, given their gradients. The update is written into the weights' arrays.

>>> import tinygraph as tg
>>> w = tg.tensor([3.0, -4.0], requires_grad=True)
>>> optimizer = SGD([w], lr=0.25)
>>> (w * w).sum().backward()
>>> optimizer.step()
>>> w.data
array([ 1.5, -2. ])
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, TypeVar

from tinygraph.core.errors import ArgumentError, GradientError, StateError
from tinygraph.core.op import Array
from tinygraph.tensors import Tensor

Weights = Mapping[str, Tensor] | Iterable[Tensor]


class _Registry(dict[str, "type[Optimizer]"]):
    def __missing__(self, name: str) -> type[Optimizer]:
        load_plugins()
        if name not in self:
            raise KeyError(name)
        return self[name]


OPTIMIZERS: dict[str, type[Optimizer]] = _Registry()
"""Every registered optimiser by name; the first name that is missing brings in those of other packages."""

Kind = TypeVar("Kind", bound="type[Optimizer]")


def register(name: str) -> Callable[[Kind], Kind]:
    """Put the decorated Optimizer into OPTIMIZERS under this name.

    Another package's module that does so is found through an entry point of the group ``tinygraph.optimizers``.

    >>> @register("sign")
    ... class SignDescent(Optimizer):
    ...     def update(self, name, weight, g):
    ...         weight.data -= self.lr * (g / abs(g))
    >>> OPTIMIZERS["sign"].__name__
    'SignDescent'
    >>> del OPTIMIZERS["sign"]
    """
    def add(kind: Kind) -> Kind:
        if name in OPTIMIZERS:
            raise ArgumentError(f"an optimizer {name!r} is registered already, by {OPTIMIZERS[name].__module__}")
        kind.name = name
        OPTIMIZERS[name] = kind
        return kind
    return add


@functools.cache
def load_plugins() -> None:
    """Import what other packages registered as entry points of the group ``tinygraph.optimizers``, once."""
    from importlib.metadata import entry_points
    for entry in entry_points(group="tinygraph.optimizers"):
        entry.load()


def find(name: str) -> type[Optimizer]:
    """The optimiser of this name; raises ArgumentError, with the names there are, for another.

    >>> find("sgd").__name__
    'SGD'
    """
    try:
        return OPTIMIZERS[name]
    except KeyError:
        raise ArgumentError(f"there is no optimizer {name!r}: choose one of {', '.join(sorted(OPTIMIZERS))}") from None


class Optimizer:
    """What all optimisers have in common: the weights, the learning rate, and a state that can be saved.

    A kind of optimiser defines ``update(name, weight, g)``, which changes one weight's array given its gradient. What
    it remembers of a weight it keeps in ``slots``, and the names of its own settings it adds to ``settings``; both are
    saved and restored.

    Args:
        weights: Leaves that require a gradient: a dict by name, or a list, whose weights are named "0", "1", ...
        lr: The learning rate, at least 0.

    Attributes:
        weights: The weights by name.
        lr: The learning rate; may be changed between steps.
        steps: How many steps were taken.
        slots: Arrays that the updates remember, by purpose and then by weight.

    Raises ArgumentError for a learning rate out of range, or where there are no weights or one of them twice;
    GradientError for a weight that is not a leaf that requires a gradient.
    """

    name: ClassVar[str] = ""
    settings: ClassVar[tuple[str, ...]] = ("lr",)

    def __init__(self, weights: Weights, lr: float) -> None:
        named = weights if isinstance(weights, Mapping) else {str(i): w for i, w in enumerate(weights)}
        self.weights: dict[str, Tensor] = dict(named)
        for name, weight in self.weights.items():
            if not isinstance(weight, Tensor):
                raise ArgumentError(f"weight {name!r} should be a Tensor, and is a {type(weight).__name__}")
            if not (weight.is_leaf and weight.requires_grad):
                lacking = "was computed" if not weight.is_leaf else "requires no gradient"
                raise GradientError(f"weight {name!r} {lacking}: an optimizer trains leaves that require a gradient, "
                                    "tg.tensor(..., requires_grad=True)")
        if not self.weights:
            raise ArgumentError("there are no weights to train")
        if len({id(weight.node) for weight in self.weights.values()}) < len(self.weights):
            raise ArgumentError("one weight is there twice, and would be changed twice a step: "
                                f"{', '.join(self.weights)}")
        self.lr = at_least_zero("lr", lr)
        self.steps = 0
        self.slots: dict[str, dict[str, Array]] = {}

    def __repr__(self) -> str:
        settings = ", ".join(f"{setting}={getattr(self, setting)!r}" for setting in self.settings)
        return f"{type(self).__name__}({', '.join(self.weights)}; {settings})"

    def zero_grad(self) -> None:
        """Forget the gradient of every weight."""
        for weight in self.weights.values():
            weight.zero_grad()

    def step(self) -> None:
        """Change each weight that has a gradient, in place."""
        self.steps += 1
        for name, weight in self.weights.items():
            g = weight.grad
            if g is not None:
                self.update(name, weight, g.data if isinstance(g, Tensor) else g)

    def update(self, name: str, weight: Tensor, g: Array) -> None:
        """Change one weight's array by its gradient ``g``, which is not to be written into."""
        raise NotImplementedError(f"{type(self).__name__} should define update(name, weight, g)")

    def state(self) -> dict[str, Any]:
        """What `restore` needs to go on from here: numbers, strings and copies of the slots' arrays."""
        return {
            "optimizer": self.name,
            "steps": self.steps,
            "settings": {setting: getattr(self, setting) for setting in self.settings},
            "slots": {slot: {name: array.copy() for name, array in arrays.items()}
                      for slot, arrays in self.slots.items()},
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back, or on, to a saved `state`, settings included; the weights themselves are not part of it.

        Raises StateError, and stays as it was, where the state is another optimiser's or does not fit the weights.
        """
        try:
            kind, steps, settings, slots = (state[part] for part in ("optimizer", "steps", "settings", "slots"))
            if kind != self.name:
                raise StateError(f"the saved state is that of the optimizer {kind!r}, and this one is {self.name!r}")
            if set(settings) != set(self.settings):
                raise StateError(f"the saved optimizer has the settings {', '.join(sorted(settings))}, and this one "
                                 f"{', '.join(sorted(self.settings))}")
            for slot, arrays in slots.items():
                for name, array in arrays.items():
                    self._check_slot(slot, name, array)
            found = {slot: {name: array.copy() for name, array in arrays.items()} for slot, arrays in slots.items()}
        except (AttributeError, KeyError, TypeError) as error:
            raise StateError(f"the saved state should be what an optimizer's state() gave: {error!r}") from error
        self.steps, self.slots = steps, found
        for setting, value in settings.items():
            setattr(self, setting, value)

    def _check_slot(self, slot: str, name: str, array: Array) -> None:
        if name not in self.weights:
            raise StateError(f"the saved {slot} is of a weight {name!r}, and the weights here are "
                             f"{', '.join(self.weights)}")
        weight = self.weights[name]
        if (array.shape, array.dtype) != (weight.shape, weight.dtype):
            raise StateError(f"the saved {slot} of {name!r} is {array.dtype} {array.shape}, and the weight is "
                             f"{weight.dtype} {weight.shape}")


@register("sgd")
class SGD(Optimizer):
    r"""Stochastic gradient descent: w ← w - lr g, with momentum and weight decay where they are asked for.

    With weight decay λ, g is first g + λ w. With momentum μ the velocity v ← μ v + g, which starts as the first g,
    takes the place of g; with ``nesterov`` g + μ v does. These are PyTorch's conventions: lr multiplies the velocity
    and is not inside it, so that a changed lr acts at once.

    Raises ArgumentError for a setting below 0, or ``nesterov`` without momentum.

    >>> import tinygraph as tg
    >>> w = tg.tensor(1.0, requires_grad=True)
    >>> optimizer = SGD({"w": w}, lr=0.1, momentum=0.9)
    >>> for _ in range(2):
    ...     optimizer.zero_grad()
    ...     (2 * w).backward()
    ...     optimizer.step()
    >>> print(f"{w:.2f}")  # 1 - 0.1 · 2 - 0.1 · (0.9 · 2 + 2)
    0.42

    Source: I. Sutskever, J. Martens, G. Dahl, G. Hinton, On the importance of initialization and momentum in deep
    learning, ICML 2013, equations 1 to 4, with the learning rate outside the velocity.
    """

    settings: ClassVar[tuple[str, ...]] = ("lr", "momentum", "nesterov", "weight_decay")

    def __init__(self, weights: Weights, lr: float, momentum: float = 0.0, nesterov: bool = False,
                 weight_decay: float = 0.0) -> None:
        super().__init__(weights, lr)
        self.momentum = at_least_zero("momentum", momentum)
        self.weight_decay = at_least_zero("weight_decay", weight_decay)
        self.nesterov = bool(nesterov)
        if self.nesterov and not self.momentum:
            raise ArgumentError("nesterov looks ahead along the momentum, so momentum should be above 0, and it is 0")

    def update(self, name: str, weight: Tensor, g: Array) -> None:
        """Take one step down; makes at most one array of the weight's size for each of the settings in use."""
        if self.weight_decay:
            decayed = self.weight_decay * weight.data
            decayed += g
            g = decayed
        if self.momentum:
            velocities = self.slots.setdefault("velocity", {})
            if (velocity := velocities.get(name)) is None:
                velocity = g.copy()
            else:
                velocity *= self.momentum
                velocity += g
            velocities[name] = velocity
            if self.nesterov:
                ahead = self.momentum * velocity
                ahead += g
                g = ahead
            else:
                g = velocity
        weight.data -= self.lr * g


def at_least_zero(setting: str, value: float) -> float:
    """The value as a float (a NumPy scalar would widen float32 weights); raises ArgumentError below 0 or for NaN.

    >>> at_least_zero("lr", 1)
    1.0
    """
    number = float(value)
    if not 0 <= number < math.inf:
        raise ArgumentError(f"{setting} should be a finite number, at least 0, and is {value}")
    return number
