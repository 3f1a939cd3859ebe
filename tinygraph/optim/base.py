"""What all optimisers have in common: the registry, the weights, and a state that can be saved."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, TypeVar

import numpy as np

from tinygraph.core.arguments import Array
from tinygraph.core.errors import ArgumentError, GradientError, StateError
from tinygraph.tensors import Tensor, tensor

Weights = Mapping[str, Tensor] | Iterable[Tensor]


_ONE = np.ones((), int)


@functools.lru_cache(maxsize=64)
def _number(value: float, dtype: np.dtype[Any]) -> Array:
    """A number as an array, which NumPy multiplies by in half the time of a Python number."""
    return np.array(value, dtype)


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
    it remembers of a weight it asks for with `remember` when it is made, and the names of its own settings it adds to
    ``settings``; both are saved and restored. All that changes from step to step lives in Tensors, so that a step
    compiled with `tinygraph.compile` works on it like the step itself; the settings but ``lr`` are fixed there.

    Args:
        weights: Leaves that require a gradient: a dict by name, or a list, whose weights are named "0", "1", ...
        lr: The learning rate, at least 0.

    Attributes:
        weights: The weights by name.
        slots: What the updates remember: Tensors by purpose and then by weight.

    Raises ArgumentError for a learning rate out of range, or where there are no weights or one of them twice;
    GradientError for a weight that is not a leaf that requires a gradient.
    """

    name: ClassVar[str] = ""
    settings: ClassVar[tuple[str, ...]] = ("lr",)

    def __init__(self, weights: Weights, lr: float) -> None:
        if isinstance(weights, Tensor):
            raise ArgumentError("the weights are a dict or a list, and this is one tensor: give [it]")
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
        self._lr = tensor(np.array(at_least_zero("lr", lr)), name="lr")
        self._steps = tensor(np.array(0), name="steps")
        self.slots: dict[str, dict[str, Tensor]] = {}

    @property
    def lr(self) -> Any:
        """The learning rate; may be changed between steps, and in them."""
        value = self._lr.node.value
        # A recording gives what takes the dtype of what it meets, as a Python number does.
        return value.item() if isinstance(value, np.ndarray) else value.number()

    @lr.setter
    def lr(self, lr: Any) -> None:
        plain = isinstance(lr, int | float | np.generic | np.ndarray)  # and else a recording's
        self._lr.data[...] = at_least_zero("lr", lr) if plain else lr

    @property
    def steps(self) -> int:
        """How many steps were taken."""
        return int(self._steps.data)

    def __repr__(self) -> str:
        settings = ", ".join(f"{setting}={getattr(self, setting)!r}" for setting in self.settings)
        return f"{type(self).__name__}({', '.join(self.weights)}; {settings})"

    def zero_grad(self) -> None:
        """Forget the gradient of every weight."""
        for weight in self.weights.values():
            weight.zero_grad()

    def step(self) -> None:
        """Change each weight that has a gradient, in place."""
        steps = self._steps.data  # past the setter, as in `SGD.update`
        steps += _ONE
        for name, weight in self.weights.items():
            g = weight.node.grad  # which a leaf has: the property would ask for that
            if g is not None:
                self.update(name, weight, g.data if isinstance(g, Tensor) else g)
            else:
                self._missed(name).data += 1

    def update(self, name: str, weight: Tensor, g: Array) -> None:
        """Change one weight's array by its gradient ``g``, which is not to be written into."""
        raise NotImplementedError(f"{type(self).__name__} should define update(name, weight, g)")

    def scaled(self, g: Array) -> Array:
        """lr g, in the dtype of ``g``."""
        lr = self._lr.node.value
        if type(g) is np.ndarray and type(lr) is np.ndarray:
            return _number(lr.item(), g.dtype) * g
        return self.lr * g

    def remember(self, purpose: str, value: float = 0.0) -> None:
        """Keep an array of each weight's shape and dtype, filled with ``value`` at first: ``slots[purpose][name]``."""
        self.slots[purpose] = {name: tensor(np.full_like(weight.data, value), name=f"{purpose}_{weight.name or name}")
                               for name, weight in self.weights.items()}

    def steps_of(self, name: str) -> Array:
        """How many steps changed this weight, this one among them; those without a gradient did not."""
        missed = self.slots.get("missed", {}).get(name)
        return self._steps.data if missed is None else self._steps.data - missed.data

    def _missed(self, name: str) -> Tensor:
        counts = self.slots.setdefault("missed", {})
        return counts.setdefault(name, tensor(np.array(0), name=f"missed_{name}"))

    def state(self) -> dict[str, Any]:
        """What `restore` needs to go on from here: numbers, strings and copies of the slots' arrays."""
        return {
            "optimizer": self.name,
            "steps": self.steps,
            "settings": {setting: getattr(self, setting) for setting in self.settings},
            "slots": {purpose: {name: slot.data.copy() for name, slot in slots.items()}
                      for purpose, slots in self.slots.items()},
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
            for purpose, arrays in slots.items():
                for name, array in arrays.items():
                    self._check_slot(purpose, name, array)
        except (AttributeError, KeyError, TypeError) as error:
            raise StateError(f"the saved state should be what an optimizer's state() gave: {error!r}") from error
        for setting, value in settings.items():
            setattr(self, setting, value)
        self._steps.data[...] = steps
        for purpose, arrays in slots.items():
            ours = self.slots.setdefault(purpose, {})
            for name, array in arrays.items():
                if name in ours:
                    ours[name].data[...] = array  # in place: a compiled step knows the Tensor
                else:
                    ours[name] = tensor(array.copy(), name=f"{purpose}_{name}")

    def _check_slot(self, purpose: str, name: str, array: Array) -> None:
        if name not in self.weights:
            raise StateError(f"the saved {purpose} is of a weight {name!r}, and the weights here are "
                             f"{', '.join(self.weights)}")
        weight = self.weights[name]
        if (array.shape, array.dtype) != (weight.shape, weight.dtype) and purpose != "missed":
            raise StateError(f"the saved {purpose} of {name!r} is {array.dtype} {array.shape}, and the weight is "
                             f"{weight.dtype} {weight.shape}")


def at_least_zero(setting: str, value: float) -> float:
    """The value as a float (a NumPy scalar would widen float32 weights); raises ArgumentError below 0 or for NaN.

    >>> at_least_zero("lr", 1)
    1.0
    """
    number = float(value)
    if not 0 <= number < math.inf:
        raise ArgumentError(f"{setting} should be a finite number, at least 0, and is {value}")
    return number


def below_one(setting: str, value: float) -> float:
    """The value as a float; raises ArgumentError where it is not in [0, 1).

    >>> below_one("alpha", 0.99)
    0.99
    """
    number = float(value)
    if not 0 <= number < 1:
        raise ArgumentError(f"{setting} should be in [0, 1), and is {value}")
    return number
